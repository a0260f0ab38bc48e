import { octets, XS } from '../../guests/index.ts';
import { MessageReader } from '../../store/protocol/message-reader.ts';
import { type Message, message } from '../../store/protocol/wire.ts';
import type { Host } from '../engine/host.ts';
import { type Link, SocketEnd } from './link.ts';
import { compareNames, type MessageAction, type OutputLine } from './script.ts';

/** req_id of every message that a script waits for; `raw` octets bring their own. */
const OWN_REQ_ID_FROM = 0x4000_0000;
/** Timers within this time belong to what is still going on. */
const QUIET_NS = 50_000_000;
/** As long as a writer waits for its credit, that long: it comes back by itself. */
const CREDIT_NS = 8_000_000_000;
/** How long a reply may take in virtual time: a writer without credit waits its turn. */
const PATIENCE_NS = 15_000_000_000;

/** One connection of a script. */
export interface Connection {
  readonly name: string;
  readonly link: Link;
  readonly incoming: MessageReader;
  /** How many octets it still consumes; as many as come while it is not held. */
  mayTake: number;
  /** Messages that are not waited for: of these octets so many are in, and, while it is stopped, no more than `sentMax` will be. */
  unsent: Uint8Array;
  sentMax: number;
  /** Requests that were not waited for and are not answered, by req_id. */
  readonly pending: Map<number, MessageAction>;
  /** Messages that came without being asked for, in order. */
  readonly inbox: Message[];
}

/** All connections of a script, and one of the driver's own that no script can name. Whoever waits lets all of them receive. */
export class Connections {
  readonly #host: Host;
  readonly #named = new Map<string, Connection>();
  /** What happens at steps of the run to come. */
  #planned: { stepsLeft: number; readonly happen: () => void }[] = [];
  #hidden: Connection;
  /** Those of operators, each for one thing. */
  readonly #operators = new Set<Connection>();
  #reqId = OWN_REQ_ID_FROM;

  constructor(host: Host) {
    this.#host = host;
    this.#hidden = this.#openHidden();
    this.settle();
  }

  get hidden(): Connection {
    return this.#hidden;
  }

  /** The store has dropped it. */
  renewHidden(): void {
    this.#hidden = this.#openHidden();
    this.settle();
  }

  openOperator(): Connection {
    const operator = this.#openHidden();
    this.#operators.add(operator);
    return operator;
  }

  closeOperator(operator: Connection): void {
    this.#operators.delete(operator);
    operator.link.close();
  }

  #openHidden(): Connection {
    return newConnection('', new SocketEnd(this.#host.listener.connect()));
  }

  get(name: string): Connection | undefined {
    return this.#named.get(name);
  }

  has(name: string): boolean {
    return this.#named.has(name);
  }

  add(name: string, link: Link): void {
    this.#named.set(name, newConnection(name, link));
  }

  /** Its name stands for nothing any more; its link is as it was. */
  delete(name: string): void {
    this.#named.delete(name);
  }

  /** Send a message and wait for its reply; `undefined`: the store never answers, or has dropped the connection. */
  ask(connection: Connection, type: number, payload: Uint8Array, txId: number): Message | undefined {
    const reqId = this.#append(connection, message(type, this.#reqId, txId, payload), Number.POSITIVE_INFINITY);
    this.#put(connection);
    const { scheduler } = this.#host.machine;
    const until = scheduler.nowNs + PATIENCE_NS;
    for (;;) {
      const before = connection.unsent.length;
      const received = this.settle();
      const at = connection.inbox.findIndex((m) => m.reqId === reqId && m.type !== XS.WATCH_EVENT);
      if (at >= 0) return connection.inbox.splice(at, 1)[0];
      if (connection.link.isClosed()) return undefined;
      if (connection.unsent.length > 0 && (connection.unsent.length < before || received)) continue;
      if (!scheduler.runNext(until)) return undefined;
    }
  }

  /** Put a message in, or its first octets, as far as there is room, behind what is still to be put in; nobody waits, nothing
   *  runs. `action`: whose reply is told when it comes. @returns how many octets of this message are in; its req_id. */
  post(
    connection: Connection,
    type: number,
    payload: Uint8Array,
    txId: number,
    {
      octetsMax = Number.POSITIVE_INFINITY,
      action,
    }: { readonly octetsMax?: number | undefined; readonly action?: MessageAction } = {},
  ): { readonly sent: number; readonly reqId: number } {
    const bytes = message(type, this.#reqId, txId, payload);
    const reqId = this.#append(connection, bytes, octetsMax);
    if (action !== undefined) connection.pending.set(reqId, action);
    this.#put(connection);
    return { sent: Math.max(bytes.length - connection.unsent.length, 0), reqId };
  }

  /** Put in what is left of it. */
  go(connection: Connection): void {
    connection.sentMax = Number.POSITIVE_INFINITY;
    this.#put(connection);
  }

  #append(connection: Connection, bytes: Uint8Array, octetsMax: number): number {
    // Whoever was stopped in the middle of a message has to finish it before the next.
    connection.sentMax = connection.unsent.length + octetsMax;
    connection.unsent = octets(connection.unsent, bytes);
    return this.#reqId++;
  }

  #put(connection: Connection): boolean {
    const limit = Math.min(connection.unsent.length, connection.sentMax);
    if (limit === 0) return false;
    const put = connection.link.send(connection.unsent.subarray(0, limit), 0);
    connection.unsent = connection.unsent.subarray(put);
    connection.sentMax -= put;
    return put > 0;
  }

  /** Let something happen right before so many steps from now, or when the system is quiet before that. */
  plan(steps: number, happen: () => void): void {
    this.#planned.push({ stepsLeft: steps, happen });
  }

  /** Run until nothing more happens soon, putting in what is to be sent and taking out what comes in. @returns whether anything came. */
  settle(): boolean {
    const { scheduler } = this.#host.machine;
    const before = scheduler.onStep;
    if (this.#planned.length > 0)
      scheduler.onStep = (task) => {
        before?.(task);
        this.#happen(1);
      };
    for (let received = false; ; ) {
      while (scheduler.runNext(scheduler.nowNs + this.#patience()));
      const all = [this.#hidden, ...this.#operators, ...this.#named.values()];
      // Every one of them, not only the first that has something.
      const came = all.map(receive).some((one) => one);
      const put = all.map((connection) => this.#put(connection)).some((one) => one);
      received ||= came;
      if (came || put || this.#happen(Number.POSITIVE_INFINITY)) continue;
      scheduler.onStep = before;
      return received;
    }
  }

  /** So many more steps are taken: what is planned for the last of them, or before it, happens. @returns whether anything did. */
  #happen(steps: number): boolean {
    if (this.#planned.length === 0) return false;
    for (const one of this.#planned) one.stepsLeft -= steps;
    const due = this.#planned.filter(({ stepsLeft }) => stepsLeft <= 0);
    this.#planned = this.#planned.filter(({ stepsLeft }) => stepsLeft > 0);
    for (const { happen } of due) happen();
    return due.length > 0;
  }

  #patience(): number {
    return this.#host.store.waitsForCredit ? CREDIT_NS : QUIET_NS;
  }

  /** What connections received without waiting, in the order of the page; `told` says how a reply is. Those that the store has
   *  closed are gone then. */
  takeUnasked(told: (asked: MessageAction, reply: Message) => OutputLine): OutputLine[] {
    const lines: OutputLine[] = [];
    for (const connection of [...this.#named.values()].sort((a, b) => compareNames(a.name, b.name))) {
      const { name: on } = connection;
      for (const reply of connection.inbox.splice(0)) {
        const { type, reqId, payload } = reply;
        const asked = connection.pending.get(reqId);
        if (type === XS.WATCH_EVENT) lines.push({ kind: 'event', on, payload });
        else if (asked === undefined) lines.push({ kind: 'stray', on, req: reqId, type, payload });
        else {
          connection.pending.delete(reqId);
          lines.push(told(asked, reply));
        }
      }
      if (connection.link.isClosed()) {
        lines.push({ kind: 'closed', on });
        this.#named.delete(on);
      }
    }
    return lines;
  }
}

function newConnection(name: string, link: Link): Connection {
  return {
    ...{ name, link, incoming: new MessageReader('believed'), mayTake: Number.POSITIVE_INFINITY, inbox: [] },
    ...{ unsent: new Uint8Array(0), sentMax: 0, pending: new Map() },
  };
}

function receive(connection: Connection): boolean {
  if (connection.mayTake === 0) return false;
  const { link, incoming, inbox } = connection;
  const bytes = link.receive(connection.mayTake);
  connection.mayTake -= bytes.length;
  incoming.push(bytes);
  inbox.push(...incoming.all());
  return bytes.length > 0;
}
