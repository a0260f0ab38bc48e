import type { DeviceRecord } from '../history.ts';
import type { DeviceCheck, DeviceEvidence } from './devices-evidence.ts';

type Of<W extends DeviceRecord['what']> = Extract<DeviceRecord, { what: W }>;
type PacketRecord = Of<'sent' | 'carried' | 'queued' | 'dropped' | 'lost' | 'received'>;

/** What is known of each vif; by name. */
export type Vifs = Map<string, Vif>;

/** XenbusStateConnected. */
const CONNECTED = 4;

/** One vif. */
interface Vif {
  /** Sent, and not taken by netback yet. */
  sent: PacketRecord[];
  /** Queued for the guest, and not received yet. */
  queued: PacketRecord[];
  /** Packets sent by this frontend on its present rings. */
  count: number;
  acked: Set<number>;
  /** Packets of which netback could not have a page, and rightly so: each is answered with an error. */
  unreachable: number;
  isRemoved: boolean;
  last: DeviceRecord;
}

/** The vifs of a host and the bridge between them: every packet is followed from hop to hop. */
export class Network implements DeviceCheck {
  readonly #evidence: DeviceEvidence;
  readonly #vifs: Map<string, Vif>;
  /** Those that are on the bridge. */
  readonly #plugged = new Set<string>();
  /** Which vif has sent from an address: it is there that packets to it are due. */
  readonly #owners = new Map<string, string>();
  /** The packet that the bridge has in hand, and where it put it. */
  #carried: { readonly packet: Of<'carried'>; readonly to: Set<string> } | undefined;

  /** @param vifs shared by the networks of several hosts, where guests go from one to another with rings in use. */
  constructor(evidence: DeviceEvidence, vifs: Vifs = new Map()) {
    this.#evidence = evidence;
    this.#vifs = vifs;
  }

  note(record: DeviceRecord): void {
    if (record.what !== 'queued' && record.what !== 'dropped') this.#forwarded();
    const vif = this.#vif(record);
    switch (record.what) {
      case 'probed':
        if (record.side === 'front') reset(vif, true);
        return;
      case 'removed':
        if (record.side === 'front') vif.isRemoved = true;
        return;
      case 'withdrawn':
        reset(vif, false);
        return;
      case 'plugged':
      case 'unplugged':
        if (record.what === 'plugged') this.#plugged.add(record.dev);
        else this.#plugged.delete(record.dev);
        return;
      case 'state':
        // HS-14: the backend shows that it is connected when the script has said so, which puts the interface on its bridge first.
        if (
          record.side === 'back' &&
          record.state === CONNECTED &&
          !this.#plugged.has(record.dev) &&
          this.#evidence.isAlive(record.dev)
        )
          this.#evidence.broken(record, '', 'HS-14: it is connected, and no script has put it on its bridge');
        return;
      case 'stopped':
        if (this.#evidence.isAlive(record.dev) && !(record.side === 'front' && this.#evidence.isRefused(record.dev)))
          this.#evidence.broken(record, '', `the ${record.side}end stopped: ${record.why}`);
        return;
      case 'sent':
        this.#evidence.findings.count('packets sent');
        vif.sent.push(record);
        vif.count++;
        if (!this.#owners.has(record.from)) this.#owners.set(record.from, record.dev);
        return;
      case 'acked':
        this.#acked(record, vif);
        return;
      case 'carried':
        this.#owners.set(record.from, record.dev); // where an address was before it moved is known until then
        this.#inOrder(record, vif.sent, 'netback took');
        this.#carried = { packet: record, to: new Set() };
        return;
      case 'unreachable':
        if (this.#evidence.mayBeRefused(record.status)) vif.unreachable++;
        else if (this.#evidence.isAlive(record.dev))
          this.#evidence.broken(record, '', `netback could not have a page of a packet: status ${record.status}`);
        vif.sent.shift();
        return;
      case 'queued':
      case 'dropped':
        this.#placed(record, vif);
        return;
      case 'lost':
        this.#lost(record, vif);
        return;
      case 'received':
        this.#evidence.findings.count('packets received');
        this.#inOrder(record, vif.queued, 'the guest received');
        return;
      default:
    }
  }

  finish(): void {
    this.#forwarded();
    for (const [dev, vif] of this.#vifs) {
      if (!this.#plugged.has(dev) || vif.isRemoved || !this.#evidence.isAlive(dev) || this.#evidence.isRefused(dev))
        continue;
      for (const packet of vif.sent)
        this.#evidence.broken(vif.last, describe(packet), 'was sent and never taken by netback');
      for (const packet of vif.queued)
        this.#evidence.broken(vif.last, describe(packet), 'was queued and never received');
      for (let n = 0; n < vif.count; n++)
        if (!vif.acked.has(n)) this.#evidence.broken(vif.last, `packet ${n}`, 'its slots were never answered');
    }
  }

  /** The next of `due` is due; what comes instead was lost, doubled, reordered or changed. */
  #inOrder(record: PacketRecord, due: PacketRecord[], who: string): void {
    const next = due[0];
    if (next !== undefined && isSame(next, record)) {
      due.shift();
      return;
    }
    const expected = next === undefined ? 'none was due' : `due was ${describe(next)}`;
    this.#evidence.broken(record, describe(record), `${who} this packet where ${expected}`);
    const at = due.findIndex((packet) => isSame(packet, record));
    if (at >= 0) due.splice(0, at + 1);
    else due.shift();
  }

  #acked(record: Of<'acked'>, vif: Vif): void {
    const request = `packet ${record.n}`;
    if (record.n >= vif.count) this.#evidence.broken(record, request, 'was answered and never sent');
    if (vif.acked.has(record.n)) this.#evidence.broken(record, request, 'was answered twice');
    vif.acked.add(record.n);
    if (record.ok) this.#evidence.findings.count('packets acknowledged');
    else if (vif.unreachable > 0) {
      vif.unreachable--;
      this.#evidence.findings.count('packets not carried for want of room');
    } else if (this.#evidence.isAlive(record.dev)) this.#evidence.broken(record, request, 'was answered with an error');
  }

  /**
   * NC-34. 1. A guest stops, to be moved. 2. Its netback lets go of it, with packets that are in no buffer of the guest's. 3. They are
   * lost, as on any wire; of those in its buffers none is.
   */
  #lost(record: Of<'lost'>, vif: Vif): void {
    const at = vif.queued.findIndex((packet) => isSame(packet, record));
    if (at < 0) this.#evidence.broken(record, describe(record), 'was lost, and never queued');
    else vif.queued.splice(at, 1);
    if (this.#evidence.isAlive(record.dev))
      this.#evidence.broken(record, describe(record), 'was lost while its guest runs');
    this.#evidence.findings.count('packets lost on a move');
  }

  /** The bridge put a packet to a vif, or had to drop it there. */
  #placed(record: Of<'queued' | 'dropped'>, vif: Vif): void {
    const carried = this.#carried;
    if (carried === undefined || !isSame(carried.packet, record))
      this.#evidence.broken(record, describe(record), 'came to the vif, and nobody sent it now');
    else if (carried.to.has(record.dev)) this.#evidence.broken(record, describe(record), 'came to the vif twice');
    carried?.to.add(record.dev);
    if (record.what === 'queued') vif.queued.push(record);
    else this.#evidence.findings.count(`packets dropped, ${record.why}`);
  }

  /** The bridge is done with its packet: one to a vif that is plugged in must have gone there. */
  #forwarded(): void {
    const carried = this.#carried;
    this.#carried = undefined;
    if (carried === undefined) return;
    const { packet, to } = carried;
    const owner = this.#owners.get(packet.to);
    if (owner === undefined || !this.#plugged.has(owner) || owner === packet.dev || to.has(owner)) return;
    if (!this.#plugged.has(packet.dev)) return; // taken by a vif that was just unplugged
    this.#evidence.broken(packet, describe(packet), `the bridge did not hand it to ${owner}`);
  }

  #vif(record: DeviceRecord): Vif {
    let vif = this.#vifs.get(record.dev);
    if (vif === undefined) {
      vif = {
        sent: [],
        queued: [],
        count: 0,
        acked: new Set(),
        unreachable: 0,
        isRemoved: false,
        last: record,
      };
      this.#vifs.set(record.dev, vif);
    }
    vif.last = record;
    return vif;
  }
}

/** New rings, or none: what was under way on the old ones is lost by right, as on a wire that is cut. */
function reset(vif: Vif, isNew: boolean): void {
  vif.sent = [];
  vif.queued = [];
  vif.unreachable = 0;
  if (!isNew) {
    // Packets are counted on over a reconnection: those without an answer never get one.
    for (let n = 0; n < vif.count; n++) vif.acked.add(n);
    return;
  }
  vif.count = 0;
  vif.acked = new Set();
  vif.isRemoved = false;
}

function isSame(a: PacketRecord, b: PacketRecord): boolean {
  return a.sum === b.sum && a.len === b.len && a.from === b.from && a.to === b.to;
}

function describe({ from, to, len, sum }: PacketRecord): string {
  return `packet of ${len} octets from ${from} to ${to}, sum ${sum.toString(16)}`;
}
