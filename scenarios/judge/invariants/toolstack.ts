import type { History, HistoryRecord, SnapshotNode, ToolstackRecord, Verdict } from '../history.ts';
import { textOf } from '../oracles/octets.ts';
import { Op } from '../oracles/wire.ts';
import type { RecordLog } from '../record-log.ts';
import { logOf } from '../recorded-history.ts';
import { withClientsEyes } from './answered.ts';
import { pathsOfBroken } from './broken-transactions.ts';
import { Findings } from './finding.ts';
import {
  type DevicePlace,
  type DomainPlace,
  homeOf,
  intended,
  isAtOrBelow,
  parentsOf,
  placesOf,
} from './toolstack-places.ts';

export const CLAIM =
  'Of domains and devices that the toolstack has removed nothing is left, no node, no empty parent, no watch; and what it made lets in only whom it means to';
export const SOURCE = 'guests.md 2.2, 2.8, 3.2; INV-L1, INV-L2, INV-L3';

type Made = Extract<ToolstackRecord, { what: 'made' }>;

/** A domain from the commit of its places on. */
interface Domain {
  readonly made: Made;
  end: Extract<ToolstackRecord, { what: 'destroyed' | 'abandoned' }> | undefined;
}

/** A device of a domain, as the toolstack did with it last. */
interface Device {
  readonly domid: number;
  readonly place: DevicePlace;
  readonly last: Extract<ToolstackRecord, { what: 'attached' | 'detached' | 'destroyed' }>;
}

/** What the toolstack did, as it says. */
interface Work {
  readonly domains: readonly Domain[];
  /** Those of the last life of each id, unless its toolstack died. */
  readonly devices: readonly Device[];
  /** When an id was last given up by its toolstack. */
  readonly destroyed: ReadonlyMap<number, ToolstackRecord>;
}

/**
 * Judge what is there at the end against what libxl intends. Only the tree that dom0 read, what was asked of the store, and
 * what the toolstack says of its own work are looked at; a domain that came to its end otherwise, or whose toolstack died,
 * is owed nothing (TS-8).
 */
export function toolstackIntends(history: History): Verdict {
  const findings = new Findings('toolstack');
  const log = logOf(history);
  const snapshot = log.kept.findLast((r) => r.kind === 'snapshot');
  const work = workOf(history.toolstack ?? []);
  findings.count('domains', work.domains.length);
  findings.count('domains destroyed', work.destroyed.size);
  findings.count('devices removed', work.devices.filter(({ last }) => last.what === 'detached').length);
  if (snapshot !== undefined) {
    const scene = new Scene(history, log, snapshot, work, findings);
    scene.nodes();
    scene.watches();
    scene.permissions();
  }
  return findings.verdict(CLAIM, SOURCE);
}

function workOf(told: readonly ToolstackRecord[]): Work {
  const domains: Domain[] = [];
  const now = new Map<number, Domain>();
  const devices = new Map<string, Device>();
  const destroyed = new Map<number, ToolstackRecord>();
  const forget = (domid: number) => {
    for (const [key, device] of devices) if (device.domid === domid) devices.delete(key);
  };
  for (const record of told) {
    const { domid } = record;
    switch (record.what) {
      case 'made': {
        // After a soft reset it is the same domain that is made once more.
        const domain = { made: record, end: undefined };
        const before = domains.findIndex(({ made }) => made.uniqueId === record.uniqueId);
        if (before < 0) domains.push(domain);
        else domains[before] = domain;
        now.set(domid, domain);
        destroyed.delete(domid);
        forget(domid);
        break;
      }
      case 'abandoned':
      case 'destroyed': {
        const domain = now.get(domid);
        if (domain !== undefined) domain.end = record;
        if (record.what === 'abandoned') forget(domid);
        else {
          destroyed.set(domid, record);
          for (const [key, device] of devices)
            if (device.domid === domid && device.last.what === 'attached')
              devices.set(key, { ...device, last: record });
        }
        break;
      }
      case 'attached':
      case 'detached': {
        const { kind, devid, backendDomid } = record.device;
        const place = { kind, devid, backendDomid };
        devices.set(`${domid} ${kind} ${devid}`, { domid, place, last: record });
      }
    }
  }
  return { domains, devices: [...devices.values()], destroyed };
}

class Scene {
  readonly #history: History;
  readonly #log: RecordLog;
  readonly #snapshot: Extract<HistoryRecord, { kind: 'snapshot' }>;
  readonly #work: Work;
  readonly #findings: Findings;
  readonly #nodes: ReadonlyMap<string, SnapshotNode>;
  readonly #parents = new Set<string>();
  /** The last request to write at a place, by absolute path. */
  readonly #written = new Map<string, number>();
  /** When somebody last asked for the removal of a place, by absolute path. */
  readonly #unmade = new Map<string, number>();
  /** What a live update kept from being done, by path. */
  readonly #broken: ReadonlySet<string>;
  /** Domains that exist at the end, by id. */
  readonly #existing = new Map<number, bigint>();
  /** When a domain with an id began to die last. */
  readonly #dyingSeq = new Map<number, number>();
  /** When an id last became free. */
  readonly #goneSeq = new Map<number, number>();

  constructor(
    history: History,
    log: RecordLog,
    snapshot: Extract<HistoryRecord, { kind: 'snapshot' }>,
    work: Work,
    findings: Findings,
  ) {
    this.#history = history;
    this.#log = log;
    this.#snapshot = snapshot;
    this.#work = work;
    this.#findings = findings;
    this.#broken = pathsOfBroken(history, log);
    this.#nodes = new Map(snapshot.nodes.map((node) => [node.path, node]));
    for (const path of this.#nodes.keys()) this.#parents.add(path.slice(0, path.lastIndexOf('/')));
    for (let seq = 0; seq < log.length; seq++) {
      const record = log.keptAt(seq);
      if (log.messageAt(seq) === 'sent') this.#sent(seq);
      else if (record?.kind === 'life') {
        if (record.what === 'created') this.#existing.set(record.domid, record.uniqueId);
        else if (record.what === 'dying') this.#dyingSeq.set(record.domid, record.seq);
        else if (record.what === 'gone') {
          this.#existing.delete(record.domid);
          this.#goneSeq.set(record.domid, record.seq);
        }
      }
    }
  }

  #sent(seq: number): void {
    const log = this.#log;
    const type = log.typeOf(seq);
    if (type === Op.RM) this.#unmade.set(textOf(log.payloadOf(seq)).slice(0, -1), seq);
    if (type !== Op.WRITE && type !== Op.MKDIR) return;
    const payload = log.payloadOf(seq);
    const asked = textOf(payload.subarray(0, payload.indexOf(0)));
    const domid = this.#history.epochs[log.conns[seq] as number]?.domid ?? 0;
    const path = asked.startsWith('/') ? asked : `${homeOf(domid)}/${asked}`;
    this.#written.set(path, seq);
  }

  /** INV-L1. */
  nodes(): void {
    const { domains, devices, destroyed } = this.#work;
    for (const [domid, end] of destroyed) {
      // Somebody who is no toolstack may have built another domain with that id.
      if (
        this.#existing.get(domid) !== undefined &&
        end.what === 'destroyed' &&
        this.#existing.get(domid) !== end.uniqueId
      )
        continue;
      const whose = `domain ${domid}, which was destroyed`;
      for (const place of [homeOf(domid), `/libxl/${domid}`]) this.#gone(place, end, whose);
    }
    const used = new Set(domains.filter(({ end }) => end?.what !== 'destroyed').map(({ made }) => made.uuid));
    for (const { made, end } of domains)
      if (end?.what === 'destroyed' && !used.has(made.uuid))
        this.#gone(`/vm/${made.uuid}`, end, `${made.name} (domain ${made.domid}), which was destroyed`);
    for (const { domid, place, last } of devices) {
      if (last.what === 'attached') continue;
      const whose = `${place.kind}/${domid}/${place.devid}, which was removed`;
      for (const path of Object.values(placesOf(domid, place))) this.#gone(path, last, whose);
      for (const path of parentsOf(domid, place)) {
        const isEmpty = this.#nodes.get(path)?.value.length === 0 && !this.#parents.has(path);
        // 1. A device is removed, and another of its kind is there: the parent stays. 2. The domain dies otherwise than by its
        // toolstack. 3. The store takes away what the domain owned (INV-N4), the other device's directory with it: the parent,
        // which is dom0's, is empty since then, and nobody looks for that.
        const isOfDead = last.what === 'detached' && (this.#dyingSeq.get(domid) ?? -1) > last.seq;
        if (isEmpty && !(isOfDead && isAtOrBelow(path, homeOf(domid))))
          this.#gone(path, last, `${whose}: an empty parent`);
      }
    }
  }

  /** A place is to be empty since `end`. */
  #gone(place: string, end: ToolstackRecord, whose: string): void {
    this.#findings.count('places that are to be empty');
    if (!this.#nodes.has(place)) return;
    if (this.#isBroken(place)) {
      this.#findings.count('places left by a broken transaction');
      return;
    }
    let last = -1;
    for (const [path, written] of this.#written) if (isAtOrBelow(path, place) && written > last) last = written;
    // 1. It is removed. 2. Somebody writes there who does not know yet, a monitor for instance, and the store makes what is
    // missing on the way. 3. The toolstack is told that its removal is done. That is not its doing, and in life is left, too.
    const sinceSeq = Math.min(end.seq, this.#unmade.get(place) ?? end.seq);
    if (last > sinceSeq && !this.#isToolstacks(place, sinceSeq)) {
      this.#findings.count('places written after that');
      return;
    }
    const by = last < 0 ? '' : `; last written by ${this.#log.actorOf(last)} at ${ms(this.#log.times[last] as number)}`;
    this.#findings.add(this.#snapshot, '', '', `INV-L1: ${place} is left of ${whose} at ${ms(end.timeNs)}${by}`);
  }

  /** Whether somebody wanted to do something at a place, or below it, in a transaction that a live update broke. */
  #isBroken(place: string): boolean {
    for (const path of this.#broken) if (isAtOrBelow(path, place)) return true;
    return false;
  }

  #roots({ domid, uuid, backends }: DomainPlace): readonly string[] {
    return [homeOf(domid), `/libxl/${domid}`, `/vm/${uuid}`, ...backends];
  }

  /** Whether what is at a place was there before it was removed: a node without children that nobody has written since. Others may have
   *  come to be with their children. */
  #isToolstacks(place: string, sinceSeq: number): boolean {
    for (const path of this.#nodes.keys()) {
      if (!isAtOrBelow(path, place) || this.#parents.has(path)) continue;
      const written = this.#written.get(path);
      if (written !== undefined && written < sinceSeq) return true;
    }
    return false;
  }

  /** INV-L2. */
  watches(): void {
    for (const watch of standingWatches(this.#history, this.#log)) {
      const { conn, path, token, actor, timeNs } = watch;
      this.#findings.count('watches standing');
      const { name = '' } = this.#history.epochs[conn] ?? {};
      const whose = this.#removed(watch);
      if (whose === undefined) continue;
      const detail = `INV-L2: the watch on ${path} (token ${token}) of ${name}, since ${ms(timeNs)}, still stands`;
      this.#findings.add(this.#snapshot, actor, '', `${detail}, though ${whose}`);
    }
  }

  /** Why nobody has a reason to watch there any more; `undefined`: there may be one. */
  #removed({ path, conn, specialSeq }: Standing): string | undefined {
    for (const { domid, place, last } of this.#work.devices) {
      if (last.what === 'attached' || this.#work.destroyed.has(domid)) continue;
      if (Object.values(placesOf(domid, place)).some((at) => isAtOrBelow(path, at)))
        return `${place.kind}/${domid}/${place.devid} was removed at ${ms(last.timeNs)}`;
    }
    // Agents of guests may wait for whomever they like.
    if (this.#history.epochs[conn]?.domid !== 0) return undefined;
    for (const [domid, end] of this.#work.destroyed) {
      // 1. A domain dies and somebody still has a page of it: it is in Xen's list. 2. @releaseDomain: who lists all domains finds
      // it there. 3. The page is let go of, the domain goes, and that is told to nobody: its watches stand until the next special
      // event. So it is with a domain that was never introduced: nobody is told of its end at all (CON-6).
      if (this.#existing.has(domid) || (specialSeq >= 0 && specialSeq < (this.#goneSeq.get(domid) ?? -1))) continue;
      const isOfDomain =
        isAtOrBelow(path, homeOf(domid)) || new RegExp(`^/local/domain/\\d+/backend/[^/]+/${domid}(?:/|$)`).test(path);
      if (isOfDomain || isAtOrBelow(path, `/libxl/${domid}`))
        return `domain ${domid} was destroyed at ${ms(end.timeNs)}`;
    }
    return undefined;
  }

  /**
   * Whether two domains had that uuid at one time. 1. A file is restored while the first copy lives under another name, or a guest
   * is migrated to its own host. 2. Both have `/vm/U`: DE4 removes what the first had, and the end of one takes it from under the
   * other. 3. A rename makes what is missing of it on the way, with dom0's permissions (DST-7, MIG-24).
   */
  #wasShared(uuid: string): boolean {
    const lives = this.#work.domains.filter(({ made }) => made.uuid === uuid);
    return lives.some(({ made, end }) =>
      lives.some((other) => other.made.seq > made.seq && other.made.seq < (end?.seq ?? Number.POSITIVE_INFINITY)),
    );
  }

  /** INV-L3. */
  permissions(): void {
    for (const { made, end } of this.#work.domains) {
      if (end !== undefined || this.#existing.get(made.domid) !== made.uniqueId) continue;
      const { domid, uuid, name } = made;
      const backends = this.#work.devices.flatMap(({ domid: of, place, last }) =>
        of === domid && last.what === 'attached' ? [placesOf(domid, place).backend] : [],
      );
      for (const node of this.#nodes.values()) this.#permitted(node, { domid, uuid, backends }, name);
    }
  }

  #permitted({ path, perms }: SnapshotNode, domain: DomainPlace, name: string): void {
    const due = intended(path, domain);
    if (due === undefined) return;
    this.#findings.count('permissions');
    const { domid } = domain;
    const [owner = '', ...others] = perms;
    let wanted: string | undefined;
    if (due.what === 'list') {
      if (perms.join(' ') !== due.perms.join(' ')) wanted = due.perms.join(' ');
    } else if (due.what === 'owner') {
      if (owner.slice(1) !== String(due.domid)) wanted = `domain ${due.domid} as owner`;
    } else if (owner.slice(1) !== String(domid)) {
      const strangers = others.filter((entry) => entry.slice(1) !== '0' && entry.slice(1) !== String(domid));
      if (!owner.startsWith('n') || strangers.length > 0) wanted = `nobody but domains 0 and ${domid} to be let in`;
    }
    if (wanted !== undefined && isAtOrBelow(path, `/vm/${domain.uuid}`) && this.#wasShared(domain.uuid)) {
      this.#findings.count('places that two domains had');
      return;
    }
    // What is written below a place later inherits what the broken transaction would have set there.
    if (wanted === undefined || this.#roots(domain).some((root) => isAtOrBelow(path, root) && this.#isBroken(root)))
      return;
    const written = this.#written.get(path);
    const by = written === undefined ? undefined : this.#log.actorOf(written);
    this.#findings.add(
      this.#snapshot,
      '',
      '',
      `INV-L3: permissions of ${path}, of ${name} (domain ${domid}): expected ${wanted}, came ${perms.join(' ')}${by === undefined ? '' : `; last written by ${by}`}`,
    );
  }
}

/** What special paths begin with. */
const AT = '@'.charCodeAt(0);

interface Standing {
  readonly conn: number;
  /** When its connection last had a special event; -1: never. */
  readonly specialSeq: number;
  /** Absolute. */
  readonly path: string;
  readonly token: string;
  readonly actor: string;
  readonly timeNs: number;
}

/** Watches that were registered and never taken off, of connections that are open at the end and whose programs run. */
function standingWatches({ epochs }: History, log: RecordLog): Standing[] {
  const standing = new Map<number, Map<string, Standing>>();
  const still = new Set<bigint>();
  const special = new Map<number, number>();
  withClientsEyes(log, {
    fact: (r) => {
      if (r.kind === 'detach' || r.kind === 'close') standing.delete(r.conn);
      else if (r.kind === 'life') {
        if (r.what === 'paused' || r.what === 'shutdown' || r.what === 'dying') still.add(r.uniqueId);
        else if (r.what === 'unpaused' || r.what === 'resumed') still.delete(r.uniqueId);
      }
    },
    event: (seq) => {
      if (log.payloadOf(seq)[0] === AT) special.set(log.conns[seq] as number, seq);
    },
    answered: (reply, request) => {
      if (request === undefined) return;
      const conn = log.conns[reply] as number;
      const type = log.typeOf(reply);
      const asked = log.typeOf(request);
      // INJ-T10. 1. A device goes, and its kernel takes off the watch. 2. The store has no memory for that. 3. The kernel warns
      // ("Failed to release watch") and asks no more, so that the watch stands by right.
      const isRefused = type === Op.ERROR && asked === Op.UNWATCH && textOf(log.payloadOf(reply)) === 'ENOMEM\0';
      if (asked !== type && !isRefused) return;
      if (type === Op.RESET_WATCHES) standing.delete(conn);
      if (asked !== Op.WATCH && asked !== Op.UNWATCH) return;
      const [named = '', token = ''] = textOf(log.payloadOf(request)).split('\0');
      const isWhole = named.startsWith('/') || named.startsWith('@');
      const path = isWhole ? named : `${homeOf(epochs[conn]?.domid ?? 0)}/${named}`;
      const own = standing.get(conn) ?? new Map<string, Standing>();
      standing.set(conn, own);
      const [actor, timeNs] = [log.actorOf(request), log.times[request] as number];
      if (asked === Op.UNWATCH) own.delete(`${path}\0${token}`);
      else own.set(`${path}\0${token}`, { conn, specialSeq: -1, path, token, actor, timeNs });
    },
  });
  return [...standing].flatMap(([conn, own]) => {
    const { uniqueId = 0n } = epochs[conn] ?? {};
    const specialSeq = special.get(conn) ?? -1;
    return still.has(uniqueId) ? [] : [...own.values()].map((watch) => ({ ...watch, specialSeq }));
  });
}

function ms(timeNs: number): string {
  return `${(timeNs / 1_000_000).toFixed(1)} ms`;
}
