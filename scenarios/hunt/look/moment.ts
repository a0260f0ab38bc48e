import type { GuestOs, XsClient } from '../../../guests/index.ts';
import { REQ_CONS, REQ_PROD, RING_BYTES, RSP_CONS, RSP_PROD, used } from '../../../sim/index.ts';
import type { ConnectionState, DaemonState } from '../../../store/format/model/index.ts';
import { messageEnd, messageType, opName } from '../../../store/protocol/wire.ts';
import type { LookedAt } from '../../engine/looked-at.ts';
import { showOctets } from '../../engine/show.ts';

/** What there is on a host at one moment: a word for each thing, and what there is to be said of it. */
export interface Moment {
  /** Records of the history so far. */
  readonly seq: number;
  readonly timeNs: number;
  /** By a name that begins with the kind: `watch domU1 data`, `node /local`. In an order that does not depend on the moment. */
  readonly things: ReadonlyMap<string, string>;
}

/** Where the buffer of requests and that of replies are in a ring's page. */
const REQUESTS_AT = 0;
const REPLIES_AT = RING_BYTES;

/** All that there is now. Nothing is changed. */
export function momentOf(host: LookedAt): Moment {
  const { machine, store, recorder } = host;
  const things = new Map<string, string>();
  const state = store.ended === undefined ? store.look?.() : undefined;
  for (const domain of machine.domains()) {
    const how = domain.dying !== 'alive' ? domain.dying : domain.isRunning ? 'running' : (domain.shutdown ?? 'paused');
    things.set(`domain ${domain.domid} ${domain.name}`, how);
  }
  const nameOf = (domid: number) => machine.domain(domid)?.name ?? `domain ${domid}`;
  const inputOf = new Map<number, Uint8Array>();
  for (const conn of state?.connections ?? []) if (conn.link.kind === 'ring') inputOf.set(conn.link.domid, conn.input);
  for (const { os, client } of [host.dom0, ...host.guests]) ring(things, os, client, inputOf.get(os.domain.domid));
  for (const wait of host.waits())
    if (wait.what !== '')
      things.set(`wait of ${wait.who}${wait.sinceNs === undefined ? '' : ` since ${wait.sinceNs} ns`}`, wait.what);
  if (state !== undefined) daemon(things, state, nameOf);
  return { seq: recorder?.length ?? 0, timeNs: machine.nowNs, things };
}

/** A ring's page: what is unread in both buffers. */
function ring(things: Map<string, string>, { domain }: GuestOs, client: XsClient, input?: Uint8Array): void {
  const { frame, port } = client.ring;
  const [requests, replies] = [
    octetsIn(frame.bytes, REQUESTS_AT, frame.load32(REQ_CONS), frame.load32(REQ_PROD)),
    octetsIn(frame.bytes, REPLIES_AT, frame.load32(RSP_CONS), frame.load32(RSP_PROD)),
  ];
  const channel = domain.ports.get(port);
  const bits = `${domain.ports.isPending(port) ? ' pending' : ''}${domain.ports.isMasked(port) ? ' masked' : ''}`;
  things.set(`port ${domain.name} ${port}`, `${channel?.state ?? 'closed'}${bits}`);
  things.set(`ring ${domain.name} requests`, unread(requests, input));
  things.set(`ring ${domain.name} replies`, unread(replies, undefined));
  for (const { type, payload, actor, isBegun } of client.requestsInFlight())
    things.set(
      `request of ${actor} ${opName(type)} ${showOctets(payload)}`,
      isBegun ? 'being written, or written' : 'waits to be written',
    );
}

function octetsIn(page: Uint8Array, at: number, cons: number, prod: number): Uint8Array {
  const count = Math.min(used(prod, cons), RING_BYTES);
  return Uint8Array.from({ length: count }, (_, i) => page[at + ((cons + i) & (RING_BYTES - 1))] as number);
}

/** Octets that nobody has read. `read`: what of their first message was read before; `undefined`: nobody knows, and where one begins. */
function unread(octets: Uint8Array, read: Uint8Array | undefined): string {
  const before = read?.length ?? 0;
  const all = read === undefined ? octets : Uint8Array.of(...read, ...octets);
  const told = read === undefined ? showOctets(all) : messages(all);
  if (octets.length === 0) return before === 0 ? 'empty' : `empty; ${before} octets of a message were read: ${told}`;
  return `${octets.length} octets unread${before > 0 ? `, ${before} read before` : ''}: ${told}`;
}

function messages(octets: Uint8Array): string {
  const told: string[] = [];
  for (let at = 0; at < octets.length; ) {
    const end = messageEnd(octets, at);
    if (octets.length - at < HEADER_BYTES) told.push(`${octets.length - at} octets of a header`);
    else {
      const name = opName(messageType(octets, at));
      told.push(
        `${name} ${showOctets(octets.subarray(at + HEADER_BYTES, end ?? octets.length))}${end === undefined ? ' …' : ''}`,
      );
    }
    at = end ?? octets.length;
  }
  return told.join(', ');
}
const HEADER_BYTES = 16;

/** What the store knows: connections, watches, transactions, the tree. */
function daemon(things: Map<string, string>, state: DaemonState, nameOf: (domid: number) => string): void {
  const called = ({ link }: ConnectionState) => (link.kind === 'ring' ? nameOf(link.domid) : `socket ${link.fd}`);
  for (const conn of state.connections) {
    const { restBytes, output, delayed, input } = conn;
    const parts = [
      input.length > 0 ? `${input.length} octets of a request read` : '',
      restBytes > 0 ? `${restBytes} octets of a message still to be written` : '',
      output.length > restBytes ? `queued: ${messages(output.subarray(restBytes))}` : '',
      delayed.length > 0 ? `${delayed.length} requests put aside` : '',
    ].filter((part) => part !== '');
    things.set(`connection ${called(conn)}`, parts.join('; ') || 'nothing on its way');
    for (const { path, token, depth } of conn.watches)
      things.set(
        `watch ${called(conn)} ${path} ${showOctets(token)}`,
        depth === undefined ? 'set' : `set, depth ${depth}`,
      );
    for (const { id, nodes } of conn.transactions)
      things.set(
        `transaction ${called(conn)} ${id}`,
        nodes
          .map(({ path, read, written }) => `${path}${read ? ' read' : ''}${written ? ' written' : ''}`)
          .join(', ') || 'nothing touched',
      );
  }
  for (const { path, value, acl } of [...state.nodes, ...state.specials])
    things.set(
      `node ${path}`,
      `${showOctets(value)} ${acl.map(({ letter, domid }) => `${letter}${domid}`).join(' ')}`.trim(),
    );
}

/** What two moments differ in: things that came, went, and changed. */
export function differenceOf(a: Moment, b: Moment): string[] {
  const lines: string[] = [];
  for (const [name, was] of a.things) {
    const is = b.things.get(name);
    if (is === undefined) lines.push(`- ${name}: ${was}`);
    else if (is !== was) lines.push(`~ ${name}: ${was}  ->  ${is}`);
  }
  for (const [name, is] of b.things) if (!a.things.has(name)) lines.push(`+ ${name}: ${is}`);
  return lines;
}
