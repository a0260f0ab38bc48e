import { keyOf } from '../copies.ts';
import type { Epoch, History, Verdict } from '../history.ts';
import type { MigrationHistory } from '../migrations.ts';
import { textOf } from '../oracles/octets.ts';
import { Op } from '../oracles/wire.ts';
import { Code, type RecordLog } from '../record-log.ts';
import { logOf } from '../recorded-history.ts';
import { Findings } from './finding.ts';

const CLAIM =
  'A guest that helps parks with nothing on its way, goes on with the same session where its move came to nothing, and ends none of its old transactions at another host';
const SOURCE = 'linux drivers/xen/xenbus/xenbus_xs.c; migration.md INV-M12, INV-M13, INV-M17';

/** Guests' sessions around their parks, on each host. One pass over each history. */
export function migrationSessions(history: MigrationHistory, histories: readonly History[]): Verdict {
  const findings = new Findings('migration-sessions');
  const parks = new Set<string>();
  const unasked = new Set(history.asked.filter(({ mode }) => mode === 'NC').map(({ uuid }) => uuid));
  const uuidOf = new Map(history.copies.map((copy) => [keyOf(copy), copy.uuid]));
  for (const record of history.records) {
    if (record.kind !== 'life' || record.what !== 'shutdown' || record.reason !== 'suspend') continue;
    const key = keyOf(record);
    const uuid = uuidOf.get(key);
    if (uuid !== undefined && !unasked.has(uuid)) parks.add(`${key} ${record.timeNs}`);
  }
  const seen = new Set<string>();
  const heirs = new Set<string>();
  for (const copy of history.copies) {
    if (seen.has(copy.uuid)) heirs.add(keyOf(copy));
    seen.add(copy.uuid);
  }
  for (const [host, each] of histories.entries())
    new HostSessions(each, host, { parks, heirs, uuidOf }, findings).run();
  return findings.verdict(CLAIM, SOURCE);
}

interface Known {
  /** By copy and time. */
  readonly parks: ReadonlySet<string>;
  /** Copies of guests that have lived elsewhere before. */
  readonly heirs: ReadonlySet<string>;
  readonly uuidOf: ReadonlyMap<string, string>;
}

/** What a guest has asked for, by what was sent and came. */
class Asked {
  /** Type and payload of what has no answer, by req_id. */
  readonly open = new Map<number, { readonly type: number; readonly payload: string }>();
  readonly watches = new Set<string>();
  readonly transactions = new Set<number>();
  /** Octets in the ring, and of whole messages among them. */
  putOctets = 0;
  sentOctets = 0;
  /** It went on where it was. */
  hasReturned = false;
}

class HostSessions {
  readonly #epochs: readonly Epoch[];
  readonly #log: RecordLog;
  readonly #host: number;
  readonly #known: Known;
  readonly #findings: Findings;
  readonly #asked = new Map<number, Asked>();

  constructor(history: History, host: number, known: Known, findings: Findings) {
    this.#epochs = history.epochs;
    this.#log = logOf(history);
    this.#host = host;
    this.#known = known;
    this.#findings = findings;
  }

  run(): void {
    const log = this.#log;
    for (let seq = 0; seq < log.length; seq++) {
      const message = log.messageAt(seq);
      if (message !== undefined) {
        const asked = this.#of(log.conns[seq] as number);
        if (asked === undefined) continue;
        if (message === 'sent') this.#sent(seq, asked);
        else this.#got(seq, asked);
      } else if (log.codes[seq] === Code.putReq) {
        const asked = this.#of(log.conns[seq] as number);
        if (asked !== undefined) asked.putOctets = (log.places[seq] as number) + (log.counts[seq] as number);
      } else {
        const record = log.keptAt(seq);
        const put = record?.kind === 'publish' && record.dir === 'req' ? this.#of(record.conn) : undefined;
        if (put !== undefined && record?.kind === 'publish') put.putOctets = record.to;
        if (record?.kind === 'life' && (record.what === 'shutdown' || record.what === 'resumed'))
          this.#life(seq, record.uniqueId, record.what, record.timeNs);
      }
    }
  }

  #of(conn: number): Asked | undefined {
    const epoch = this.#epochs[conn];
    if (epoch === undefined || epoch.isSocket === true || !this.#known.uuidOf.has(this.#key(epoch))) return undefined;
    let asked = this.#asked.get(conn);
    if (asked === undefined) {
      asked = new Asked();
      this.#asked.set(conn, asked);
    }
    return asked;
  }

  #key({ uniqueId }: Pick<Epoch, 'uniqueId'>): string {
    return keyOf({ host: this.#host, uniqueId });
  }

  #sent(seq: number, asked: Asked): void {
    const log = this.#log;
    const type = log.typeOf(seq);
    const payload = textOf(log.payloadOf(seq));
    asked.open.set(log.reqIdOf(seq), { type, payload });
    asked.sentOctets = log.codes[seq] === Code.sent ? (log.places[seq] as number) : asked.putOctets;
    if (type === Op.WATCH && asked.hasReturned && asked.watches.has(payload))
      this.#bad(seq, 'WATCH', `INV-M12: a watch that it has is registered again: ${payload.split('\0').join(' ')}`);
    if (type !== Op.TRANSACTION_END) return;
    const txId = log.txIdOf(seq);
    const epoch = this.#epochs[log.conns[seq] as number] as Epoch;
    if (txId !== 0 && !asked.transactions.delete(txId) && this.#known.heirs.has(this.#key(epoch)))
      this.#bad(seq, `TRANSACTION_END tx ${txId}`, 'INV-M17: it ends a transaction that was begun at another host');
  }

  #got(seq: number, asked: Asked): void {
    const log = this.#log;
    const type = log.typeOf(seq);
    const request = asked.open.get(log.reqIdOf(seq));
    if (type === Op.WATCH_EVENT || request === undefined) return;
    asked.open.delete(log.reqIdOf(seq));
    if (type === Op.ERROR) return;
    if (request.type === Op.WATCH) asked.watches.add(request.payload);
    if (request.type === Op.UNWATCH) asked.watches.delete(request.payload);
    if (request.type === Op.RESET_WATCHES) asked.watches.clear();
    if (request.type === Op.TRANSACTION_START) asked.transactions.add(Number.parseInt(textOf(log.payloadOf(seq)), 10));
  }

  #life(seq: number, uniqueId: bigint, what: 'shutdown' | 'resumed', timeNs: number): void {
    const key = this.#key({ uniqueId });
    for (const [conn, asked] of this.#asked) {
      if (this.#epochs[conn]?.uniqueId !== uniqueId) continue;
      if (what === 'resumed') {
        this.#findings.count('sessions that go on');
        asked.hasReturned = true;
        continue;
      }
      if (!this.#known.parks.has(`${key} ${timeNs}`)) continue;
      this.#findings.count('parks');
      const [waiting] = asked.open.values();
      if (waiting !== undefined)
        this.#bad(seq, '', `INV-M13: it parks while request ${waiting.type} has no answer`, conn);
      if (asked.putOctets > asked.sentOctets)
        this.#bad(
          seq,
          '',
          `INV-M13: it parks with ${asked.putOctets - asked.sentOctets} octets of half a message`,
          conn,
        );
    }
  }

  #bad(seq: number, request: string, detail: string, conn = this.#log.conns[seq] as number): void {
    const at = { seq, timeNs: this.#log.times[seq] as number };
    this.#findings.add(at, this.#epochs[conn]?.name ?? '', request, detail);
  }
}
