import { XS } from '../../guests/index.ts';
import { MessageReader } from '../../store/protocol/message-reader.ts';
import { type Message, message } from '../../store/protocol/wire.ts';
import type { Host } from '../engine/host.ts';
import { type Link, SocketEnd } from './link.ts';
import { compareNames, type OutputLine } from './script.ts';

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
  /** It consumes nothing. */
  isHeld: boolean;
  /** Messages that came without being asked for, in order. */
  readonly inbox: Message[];
}

/** All connections of a script, and one of the driver's own that no script can name. Whoever waits lets all of them receive. */
export class Connections {
  readonly #host: Host;
  readonly #named = new Map<string, Connection>();
  #hidden: Connection;
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
    const reqId = this.#reqId++;
    const bytes = message(type, reqId, txId, payload);
    const { machine } = this.#host;
    const until = machine.nowNs + PATIENCE_NS;
    let sent = 0;
    for (;;) {
      const put = sent < bytes.length ? connection.link.send(bytes, sent) : 0;
      sent += put;
      const received = this.settle();
      const at = connection.inbox.findIndex((m) => m.reqId === reqId && m.type !== XS.WATCH_EVENT);
      if (at >= 0) return connection.inbox.splice(at, 1)[0];
      if (connection.link.isClosed()) return undefined;
      if (sent < bytes.length && (put > 0 || received)) continue;
      if (!machine.scheduler.runNext(until)) return undefined;
    }
  }

  /** Run until nothing more happens soon, taking out what comes in. @returns whether anything came. */
  settle(): boolean {
    const { scheduler } = this.#host.machine;
    for (let received = false; ; received = true) {
      while (scheduler.runNext(scheduler.nowNs + this.#patience()));
      const links = [this.#hidden, ...this.#named.values()].filter((c) => !c.isHeld);
      // Every one of them, not only the first that has something.
      if (links.map(receive).every((came) => !came)) return received;
    }
  }

  #patience(): number {
    return this.#host.store.waitsForCredit ? CREDIT_NS : QUIET_NS;
  }

  /** What connections received without asking, in the order of the page. Those that the store has closed are gone then. */
  takeUnasked(): OutputLine[] {
    const lines: OutputLine[] = [];
    for (const connection of [...this.#named.values()].sort((a, b) => compareNames(a.name, b.name))) {
      const { name: on } = connection;
      for (const { type, reqId, payload } of connection.inbox.splice(0))
        lines.push(
          type === XS.WATCH_EVENT ? { kind: 'event', on, payload } : { kind: 'stray', on, req: reqId, type, payload },
        );
      if (connection.link.isClosed()) {
        lines.push({ kind: 'closed', on });
        this.#named.delete(on);
      }
    }
    return lines;
  }
}

function newConnection(name: string, link: Link): Connection {
  return { name, link, incoming: new MessageReader('believed'), isHeld: false, inbox: [] };
}

function receive({ link, incoming, inbox }: Connection): boolean {
  const bytes = link.receive();
  incoming.push(bytes);
  for (let m = incoming.shift(); m !== undefined; m = incoming.shift()) inbox.push(m);
  return bytes.length > 0;
}
