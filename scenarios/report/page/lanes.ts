import type { History } from '../../judge/history.ts';
import { logOf } from '../../judge/recorded-history.ts';
import type { Lane } from './layout.ts';

/** Programs of a connection that have lanes of their own; of more, those that are named alike but for numbers share one. */
const ACTORS_MAX = 12;

/** The lanes of one host, and which of them is whose; numbers count from `first`. */
export interface HostLanes {
  readonly lanes: readonly Lane[];
  readonly store: number;
  /** By number of the connection on its host. */
  readonly connections: readonly number[];
  /** Errors: none; who sends nothing is on the lane of the connection. */
  readonly laneOf: (conn: number, actor: string) => number;
}

/** One for the store, then one for each ring and socket, followed by the programs that use it if these are several. */
export function lanesOf(history: History, host: number, first: number, firstConn: number): HostLanes {
  const log = logOf(history);
  const actors: Set<string>[] = history.epochs.map(() => new Set());
  for (let seq = 0; seq < log.length; seq++) {
    if (log.messageAt(seq) !== 'sent') continue;
    const record = log.at(seq);
    if (record?.kind === 'sent') actors[record.conn]?.add(record.actor);
  }
  const lanes: Lane[] = [{ host, name: 'xenstored', what: 'store' }];
  const numbers = new Map<string, number>();
  const connections: number[] = [];
  const shared: boolean[] = [];
  for (const [conn, { name }] of history.epochs.entries()) {
    const known = numbers.get(name);
    connections.push(known ?? first + lanes.length);
    if (known === undefined) {
      numbers.set(name, first + lanes.length);
      lanes.push({ host, name, what: 'connection', conn: firstConn + conn });
    }
    const own = actors[conn] as Set<string>;
    shared.push(own.size > ACTORS_MAX);
    if (own.size < 2) continue;
    for (const actor of own) {
      const lane = own.size > ACTORS_MAX ? kindOf(actor) : actor;
      if (numbers.has(`${conn} ${lane}`)) continue;
      numbers.set(`${conn} ${lane}`, first + lanes.length);
      lanes.push({ host, name: lane, what: 'actor', conn: firstConn + conn });
    }
  }
  const laneOf = (conn: number, actor: string) =>
    numbers.get(`${conn} ${shared[conn] === true ? kindOf(actor) : actor}`) ?? (connections[conn] as number);
  return { lanes, store: first, connections, laneOf };
}

function kindOf(actor: string): string {
  const [owner = '', ...rest] = actor.split('/');
  return [owner, ...rest.map((step) => step.replace(/\d+/g, '#'))].join('/');
}
