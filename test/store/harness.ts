import type { CompatName } from '../../store/daemon/compat.ts';
import type { Connection, OutMessage } from '../../store/daemon/connection.ts';
import { Daemon } from '../../store/daemon/daemon.ts';
import { makeInitialStore } from '../../store/daemon/initial-store.ts';
import { processDelayed, processMessage } from '../../store/daemon/operations/process-message.ts';
import { DEFAULT_OPTIONS, type StoreOptions } from '../../store/daemon/options.ts';
import { DaemonState } from '../../store/daemon/state.ts';
import { NOBODY, type Wakes } from '../../store/daemon/wakes.ts';
import { octetsOf, textOf } from '../../store/protocol/octets.ts';
import { HEADER_BYTES, type Message, messageEnd, messageOf, XS } from '../../store/protocol/wire.ts';
import { FakePlatform, FakeStream } from '../support/fake-platform.ts';

export type Op = keyof typeof XS;

/** In the tests' texts `^` stands for one NUL, as it can be in no path. */
export function octets(text: string): Uint8Array {
  return octetsOf(text.replaceAll('^', '\0'));
}

/** The other way. */
export function shown(bytes: Uint8Array): string {
  return textOf(bytes).replaceAll('\0', '^');
}

/** One client of the daemon under test. What it was sent waits in `log`, in order. */
export class Client {
  readonly bench: Bench;
  readonly #find: () => Connection | undefined;
  /** `event …` and `reply …` lines in order of arrival. */
  readonly log: string[] = [];
  readonly messages: Message[] = [];
  /** The client reads nothing: what the daemon queues stays queued. */
  isHeld = false;
  #reqId = 0;

  constructor(bench: Bench, find: () => Connection | undefined) {
    this.bench = bench;
    this.#find = find;
  }

  get conn(): Connection {
    const conn = this.#find();
    if (conn === undefined) throw new Error('assertion: no such connection');
    return conn;
  }

  /** Send without looking at the answer. */
  send(op: Op | number, payload: string | Uint8Array = '', txId = 0): void {
    const bytes = typeof payload === 'string' ? octets(payload) : payload;
    const type = typeof op === 'number' ? op : XS[op];
    processMessage(this.bench.daemon, this.conn, { type, reqId: ++this.#reqId, txId, payload: bytes });
    this.bench.deliver();
  }

  /** Send and take the answer: its payload, or the error's name. Events stay in `events()`. */
  ask(op: Op | number, payload: string | Uint8Array = '', txId = 0): string {
    const before = this.log.length;
    this.send(op, payload, txId);
    const at = this.log.findIndex((line, i) => i >= before && line.startsWith('reply '));
    if (at < 0) return '(no reply)';
    return (this.log.splice(at, 1)[0] as string).slice('reply '.length);
  }

  /** Everything that has arrived, in order; forgotten afterwards. */
  take(): string[] {
    return this.log.splice(0);
  }

  /** The events that have arrived, `<path> <token>` each. */
  events(): string[] {
    return this.take()
      .filter((line) => line.startsWith('event '))
      .map((line) => line.slice('event '.length));
  }

  /** Read what is queued. */
  read(): void {
    let conn = this.#find();
    while (conn !== undefined) {
      const message = conn.out.shift();
      if (message === undefined) return;
      this.#note(message);
      this.bench.daemon.output.written(conn, message);
      conn = this.#find();
    }
  }

  #note({ bytes }: OutMessage): void {
    if (messageEnd(bytes, 0) !== bytes.length) throw new Error('assertion: len is not the length');
    const message = messageOf(bytes, 0, bytes.slice(HEADER_BYTES));
    this.messages.push(message);
    const text = shown(message.payload);
    if (message.type === XS.WATCH_EVENT) this.log.push(`event ${text.slice(0, -1).replace('^', ' ')}`);
    else this.log.push(`reply ${message.type === XS.ERROR ? text.slice(0, -1) : text}`);
  }

  /** Start a transaction; its id. */
  begin(): number {
    return Number(this.ask('TRANSACTION_START', '^').slice(0, -1));
  }

  end(txId: number, flag: 'T' | 'F' = 'T'): string {
    return this.ask('TRANSACTION_END', `${flag}^`, txId);
  }
}

/** A daemon with a privileged socket `s`, on a machine that is told what to answer. */
export class Bench {
  readonly platform = new FakePlatform();
  readonly state: DaemonState;
  readonly daemon: Daemon;
  readonly clients: Client[] = [];
  readonly s: Client;
  readonly #rings = new Map<number, Client>();
  #fd = 10;

  /** @param wakes what the main loop would be told; nobody else does anything by itself. */
  constructor(compat: CompatName = '4.22', options: Partial<StoreOptions> = {}, wakes: Partial<Wakes> = {}) {
    this.state = new DaemonState({ ...DEFAULT_OPTIONS, ...options, compat });
    this.daemon = new Daemon(this.state, this.platform, { ...NOBODY, ...wakes });
    makeInitialStore(this.daemon);
    this.daemon.introductions.connectPrivileged(1);
    this.s = this.socket();
  }

  socket(): Client {
    const conn = this.daemon.connections.addSocket(new FakeStream(this.#fd++));
    return this.#client(() => (conn.isClosed ? undefined : conn));
  }

  /** A domain that exists, is introduced, and whose home belongs to it. */
  domain(domid: number): Client {
    if (!this.platform.domains.has(domid)) this.platform.createDomain(domid);
    this.s.ask('INTRODUCE', `${domid}^1^7^`);
    this.s.ask('MKDIR', `/local/domain/${domid}^`);
    this.s.ask('SET_PERMS', `/local/domain/${domid}^n${domid}^`);
    return this.ring(domid);
  }

  /** The client behind an introduced domain's ring. */
  ring(domid: number): Client {
    const client = this.#rings.get(domid) ?? this.#client(() => this.state.connections.ringOf(domid));
    this.#rings.set(domid, client);
    return client;
  }

  #client(find: () => Connection | undefined): Client {
    const client = new Client(this, find);
    this.clients.push(client);
    return client;
  }

  /** Let everybody who is not held read what is queued. */
  deliver(): void {
    for (const client of this.clients) if (!client.isHeld) client.read();
  }

  /** A domain exception. */
  virq(): void {
    this.daemon.changes.checkChanged();
    this.deliver();
  }

  /** The end of a pass of the main loop. */
  passEnd(): 'live-update' | undefined {
    const verdict = this.daemon.delayed.run((conn, delayed) => processDelayed(this.daemon, conn, delayed));
    this.deliver();
    return verdict;
  }
}
