import type { HistoryRecord, Verdict } from '../history.ts';
import { sameOctets, show, textOf } from '../oracles/octets.ts';
import type { Framed } from '../oracles/wire.ts';
import { Code, type RecordLog } from '../record-log.ts';
import type { Connection } from './connection-epochs.ts';
import { describe, type Evidence, type Findings } from './finding.ts';

export const CLAIM =
  'Every octet put into a ring or a socket was taken out once and in order, over all instances of the store; the store writes whole messages of at most 4096 octets, and clients got exactly those';
export const SOURCE = 'docs/misc/xenstore-ring.txt; guests.md 6.3 INV-S1 to S8, S12';

type Move = Extract<HistoryRecord, { readonly kind: 'publish' | 'consume' }>;
type Sent = Extract<HistoryRecord, { readonly kind: 'sent' }>;
type Got = Extract<HistoryRecord, { readonly kind: 'got' }>;
/** How far a connection's octets have come. */
type Ends = Record<Move['kind'], Record<Move['dir'], number>>;

/** Check the index stores of all rings, and the streams against what the client libraries saw. */
export function checkRingOctets(log: RecordLog, connections: readonly Connection[], evidence: Evidence): void {
  const found = evidence['ring-octets'];
  const ends = connections.map((): Ends => ({ publish: { req: 0, rsp: 0 }, consume: { req: 0, rsp: 0 } }));
  const octets: Ends = { publish: { req: 0, rsp: 0 }, consume: { req: 0, rsp: 0 } };
  for (let seq = 0; seq < log.length; seq++) {
    const code = log.codes[seq]!;
    if (code === Code.sent || code === Code.got) continue;
    let conn = log.conns[seq]!;
    let move: Move | undefined;
    if (code === Code.kept) {
      const kept = log.at(seq)!;
      if (kept.kind !== 'publish' && kept.kind !== 'consume') continue;
      move = kept;
      conn = kept.conn;
    }
    const connection = connections[conn]!;
    if (connection.epoch.isHostile) continue;
    const at = ends[conn]!;
    const kind = move?.kind ?? (code === Code.putReq || code === Code.putRsp ? 'publish' : 'consume');
    const dir = move?.dir ?? (code === Code.putReq || code === Code.tookReq ? 'req' : 'rsp');
    const from = move?.from ?? log.places[seq]!;
    const to = move?.to ?? from + log.counts[seq]!;
    if (move !== undefined || !isAsDue(seq, kind, dir, from, to, connection, at))
      checkMove(move ?? (log.at(seq) as Move), connection, at, found);
    at[kind][dir] = to;
    octets[kind][dir] += to - from;
  }
  found.count('request octets published', octets.publish.req);
  found.count('request octets consumed', octets.consume.req);
  found.count('reply octets published', octets.publish.rsp);
  found.count('reply octets consumed', octets.consume.rsp);
  for (const connection of connections) {
    if (connection.epoch.isHostile) continue;
    checkSent(connection, found);
    checkGot(connection, found);
    checkOutputFrames(connection, found);
    checkDrained(log.at(-1), connection, connections, found);
  }
}

/** Whether there is nothing to say of a move whose octets are those that were put in: `checkMove` says what of the others. */
function isAsDue(
  seq: number,
  kind: Move['kind'],
  dir: Move['dir'],
  from: number,
  to: number,
  connection: Connection,
  at: Ends,
): boolean {
  if (from !== at[kind][dir] || (seq > connection.detachSeq && (kind === 'publish') === (dir === 'rsp'))) return false;
  if (kind === 'publish') return to - at.consume[dir] <= connection.capacity;
  return to <= at.publish[dir] && connection.published[dir].isLent;
}

const DIRECTION = { req: 'request', rsp: 'reply' } as const;

function checkMove(r: Move, connection: Connection, at: Ends, found: Findings): void {
  const dir = DIRECTION[r.dir];
  const bad = (detail: string) => found.add(r, connection.name, '', detail);
  const last = at[r.kind][r.dir];
  const done = r.kind === 'publish' ? 'published' : 'consumed';
  if (r.from > last) bad(`${dir} octets ${last} to ${r.from} were skipped: ${done} range starts at ${r.from}`);
  if (r.from < last) bad(`${dir} octets ${r.from} to ${last} were ${done} a second time`);
  if (r.to - r.from !== r.bytes.length || r.to <= r.from) {
    bad(`${dir} range ${r.from} to ${r.to} ${done} with ${r.bytes.length} octets`);
    return;
  }
  if (r.seq > connection.detachSeq && (r.kind === 'publish') === (r.dir === 'rsp')) {
    bad(
      `the store ${done} ${dir} octets ${r.from} to ${r.to} after it let go of the connection (seq ${connection.detachSeq})`,
    );
  }
  // 1. A guest gives the page of its ring back. 2. Something else comes to where it was. 3. A live update maps what the grant names
  // now. 4. The store moves on in words that never moved; the guest is to blame that nobody reads them (INJ-G10).
  if (r.seq > (connection.exchanged?.seq ?? Number.POSITIVE_INFINITY)) return;
  if (r.kind === 'publish') {
    const ahead = r.to - at.consume[r.dir];
    if (ahead > connection.capacity)
      bad(`${dir} producer is ${ahead} octets ahead of its consumer, of ${connection.capacity}`);
    return;
  }
  if (r.to > at.publish[r.dir])
    bad(`${dir} octets up to ${r.to} were consumed, but only ${at.publish[r.dir]} were published`);
  const odd = connection.published[r.dir].differsAt(r.from, r.bytes);
  if (odd < 0) return;
  const context = (bytes: Uint8Array) => show(textOf(bytes.subarray(Math.max(0, odd - 8), odd + 8)));
  const published = connection.published[r.dir].window(r.from, r.to);
  bad(`${dir} octet ${r.from + odd} changed on its way: published ${context(published)}, consumed ${context(r.bytes)}`);
}

function differs(m: Framed | undefined, t: Sent | Got): boolean {
  if (m === undefined || m.type !== t.type || m.reqId !== t.reqId || m.txId !== t.txId) return true;
  return !sameOctets(m.payload, t.payload);
}

function shown(m: Framed | Sent | Got | undefined): string {
  if (m === undefined) return 'no message that ends there';
  return `${describe(m)} ${show(typeof m.payload === 'string' ? m.payload : textOf(m.payload))}`;
}

/** What a client said while its ring was recorded. */
function recorded<T extends Sent | Got>({ exchanged }: Connection, said: readonly T[]): readonly T[] {
  return exchanged === undefined ? said : said.filter(({ seq }) => seq < exchanged.seq);
}

/** What the library says it sent is what stands in the ring, and nothing else does. Raw writers say nothing at all, and are
 *  not judged; nor is a last message, which the run's or the domain's end may have cut off from its record. */
function checkSent(connection: Connection, found: Findings): void {
  const sent = connection.exchanged === undefined ? connection.sent : recorded(connection, connection.sent.records());
  if (sent.length === 0) return;
  found.count('messages sent', sent.length);
  if (isSentAsOffered(connection)) return;
  const byEnd = new Map<number, Sent>();
  for (const t of recorded(connection, connection.sent.records())) {
    if (byEnd.has(t.end)) found.add(t, t.actor, describe(t), `sent ${shown(t)} up to octet ${t.end} a second time`);
    byEnd.set(t.end, t);
  }
  for (const [i, m] of connection.offered.entries()) {
    const t = byEnd.get(m.end);
    if (t === undefined) {
      if (i < connection.offered.length - 1)
        found.add(
          m.last,
          connection.name,
          describe(m),
          `the request ring has ${shown(m)}, which nobody says to have sent`,
        );
      continue;
    }
    byEnd.delete(m.end);
    if (differs(m, t))
      found.add(t, t.actor, describe(t), `sent ${shown(t)}; the request ring up to ${t.end} has ${shown(m)}`);
  }
  for (const t of byEnd.values())
    found.add(t, t.actor, describe(t), `sent ${shown(t)}; the request ring has no message that ends at ${t.end}`);
}

/** Each message of the stream was said to be sent, in its order, but for a last one perhaps. */
function isSentAsOffered(connection: Connection): boolean {
  const { sent, published, consumed, exchanged } = connection;
  if (exchanged !== undefined || !published.req.isLent) return false;
  const isAllTaken = consumed.req.isLent && consumed.req.end === published.req.end;
  const messages = isAllTaken ? connection.taken : connection.offered;
  return sent.length >= messages.length - 1 && sent.areThose(messages);
}

/** What the library got is what the store wrote, each message once. */
function checkGot(connection: Connection, found: Findings): void {
  const { output, published, exchanged } = connection;
  const got = exchanged === undefined ? connection.got : recorded(connection, connection.got.records());
  if (got.length === 0) return;
  found.count('messages got', got.length);
  if (exchanged === undefined && published.rsp.isLent && connection.got.areThose(output)) return;
  let next = 0;
  for (const t of recorded(connection, connection.got.records())) {
    let m = output[next];
    if (m !== undefined && m.end < t.end) {
      found.add(
        t,
        connection.name,
        '',
        `the client never got ${shown(m)}, which the store wrote before octet ${t.end}`,
      );
      while (m !== undefined && m.end < t.end) m = output[++next];
    }
    if (m?.end === t.end) next++;
    if (m?.end !== t.end || differs(m, t)) {
      found.add(t, connection.name, '', `the client got ${shown(t)} up to octet ${t.end}; the store wrote ${shown(m)}`);
    }
  }
}

/** The store's stream is whole messages, the last one perhaps still being written. */
function checkOutputFrames(connection: Connection, found: Findings): void {
  // An ignored connection's queue is thrown away, a half-written message with it (store.md 2.6): nothing to say from there on.
  if (connection.ignoredSeq < Number.POSITIVE_INFINITY) return;
  found.count('messages written', connection.output.length);
  for (const m of connection.output) {
    if (m.isOverlong)
      found.add(
        m.first,
        connection.name,
        '',
        `message at octet ${m.start} of the reply ring announces more than 4096 octets: ${describe(m)}`,
      );
    if (m.isOverlong || m.type > 26) {
      if (!m.isOverlong)
        found.add(
          m.first,
          connection.name,
          '',
          `message at octet ${m.start} of the reply ring has no known type: ${describe(m)}`,
        );
      return;
    }
  }
}

/** At the end nothing that a living guest wrote is left over, and no message is half written. */
function checkDrained(
  end: HistoryRecord | undefined,
  connection: Connection,
  connections: readonly Connection[],
  found: Findings,
): void {
  if (end === undefined || !connection.isAliveAtEnd || connection.openSeq === Number.POSITIVE_INFINITY) return;
  if (connection.ignoredSeq < Number.POSITIVE_INFINITY) return;
  // 1. A guest reads nothing until its reply ring is full. 2. The store cannot write its next reply or event. 3. It stops
  // serving that guest, and guests whose events wait in that queue (20 outstanding requests). Not the store's fault.
  if (connections.some((l) => l.isStalled)) return;
  const left = connection.published.req.end - connection.consumed.req.end;
  if (left > 0)
    found.add(
      end,
      connection.name,
      '',
      `${left} octets of requests were never consumed, from octet ${connection.consumed.req.end} on`,
    );
  if (connection.outputRest > 0)
    found.add(
      end,
      connection.name,
      '',
      `the last message of the reply ring is not complete: ${connection.outputRest} octets of it are there`,
    );
}

export function ringOctets(evidence: Evidence): Verdict {
  return evidence['ring-octets'].verdict(CLAIM, SOURCE);
}
