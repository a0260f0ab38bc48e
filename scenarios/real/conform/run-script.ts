import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { type Message, message, XS } from '../../../store/protocol/wire.ts';
import {
  type Action,
  BINARY,
  compareNames,
  formatAction,
  formatLine,
  type MessageAction,
  type OutputLine,
  RING_GFN,
  RING_PORT,
  txIdOf,
  WORDS,
} from '../../drive/script.ts';
import { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts';
import type { RingPage } from './ring-page.ts';
import type { SocketClient } from './socket-client.ts';

/** Ids of the runner's own requests start here, out of the way of those which scripts put into `raw`. */
const FIRST_REQ_ID = 0x6000_0000;

/** How often an oxenstored is asked whether it has updated itself. Time stands still meanwhile: more would not help. */
const BUSY_MAX = 5;

/** What a script calls a connection: a socket, or a domain's ring with its event channel. */
class Client {
  readonly #daemon: Daemon;
  readonly #end: { readonly socket: SocketClient } | { readonly ring: RingPage; readonly domid: number };
  readonly #incoming = new MessageReader('believed');
  #inbox: Message[] = [];
  #isHeld = false;
  #nextReqId = FIRST_REQ_ID;

  constructor(
    daemon: Daemon,
    end: { readonly socket: SocketClient } | { readonly ring: RingPage; readonly domid: number },
  ) {
    this.#daemon = daemon;
    this.#end = end;
  }

  /** False for a socket that the daemon has closed. A ring has no such state. */
  get isOpen(): boolean {
    return 'socket' in this.#end ? this.#end.socket.isOpen : true;
  }

  newReqId(): number {
    return this.#nextReqId++;
  }

  /** Put in what there is room for; returns how many octets that is. */
  put(octets: Uint8Array): number {
    if ('socket' in this.#end) {
      this.#end.socket.send(octets);
      return octets.length;
    }
    const count = this.#end.ring.put(octets);
    this.#daemon.kick(this.#end.domid);
    return count;
  }

  /** Write a word of a ring's page; a socket has none. */
  setWord(at: number, value: number): void {
    if (!('ring' in this.#end)) return;
    this.#end.ring.write32(at, value);
    this.#daemon.kick(this.#end.domid);
  }

  words(offsets: readonly number[]): readonly number[] {
    const end = this.#end;
    return 'ring' in end ? offsets.map((at) => end.ring.read32(at)) : [];
  }

  /** Consume what is there; true if it was anything. */
  receive(): boolean {
    if (this.#isHeld) return false;
    let chunks: readonly Uint8Array[];
    if ('socket' in this.#end) {
      chunks = this.#end.socket.take();
    } else {
      const octets = this.#end.ring.take();
      chunks = octets.length === 0 ? [] : [octets];
      if (octets.length > 0) this.#daemon.kick(this.#end.domid);
    }
    for (const chunk of chunks) this.#incoming.push(chunk);
    this.#inbox.push(...this.#incoming.all());
    return chunks.length > 0;
  }

  /** Take the reply to one request out of the inbox, and leave the rest in its order. */
  takeReply(reqId: number): Message | undefined {
    const at = this.#inbox.findIndex((one) => one.reqId === reqId && one.type !== XS.WATCH_EVENT);
    return at < 0 ? undefined : this.#inbox.splice(at, 1)[0];
  }

  takeInbox(): readonly Message[] {
    const inbox = this.#inbox;
    this.#inbox = [];
    return inbox;
  }

  hold(): void {
    this.#isHeld = true;
    if ('socket' in this.#end) this.#end.socket.hold();
  }

  free(): void {
    this.#isHeld = false;
    if ('socket' in this.#end) this.#end.socket.free();
  }

  /** The client's side ends: a socket is closed, a ring's page is looked at no more. */
  close(): void {
    if ('socket' in this.#end) this.#end.socket.close();
    else this.#end.ring.close();
  }
}

function strings(...texts: readonly string[]): Uint8Array {
  return Uint8Array.from(texts.map((text) => `${text}\0`).join(''), (c) => c.charCodeAt(0));
}

function textOf(octets: Uint8Array): string {
  return String.fromCharCode(...octets);
}

/** Runs actions on one daemon, one after the other. */
export class ScriptRunner {
  readonly #daemon: Daemon;
  /** The connection that no script can name. */
  readonly #hidden: Client;
  readonly #clients = new Map<string, Client>();
  readonly #txNames = new Map<string, number>();

  private constructor(daemon: Daemon, hidden: Client) {
    this.#daemon = daemon;
    this.#hidden = hidden;
  }

  static async on(daemon: Daemon): Promise<ScriptRunner> {
    return new ScriptRunner(daemon, new Client(daemon, { socket: await daemon.openSocket() }));
  }

  /** One action: its own line, then what connections received without asking. */
  async step(action: Action): Promise<readonly OutputLine[]> {
    const own = await this.#perform(action);
    await this.#settle();
    return [own, ...this.#unasked()];
  }

  async #perform(action: Action): Promise<OutputLine> {
    switch (action.kind) {
      case 'domain':
        return this.#createDomain(action.domid, action.introduce !== false);
      case 'socket': {
        this.#clients.get(action.name)?.close();
        this.#clients.set(action.name, new Client(this.#daemon, { socket: await this.#daemon.openSocket() }));
        return { kind: 'socket', name: action.name };
      }
      case 'liveUpdate': {
        const reason = await this.#liveUpdate();
        return reason === undefined ? { kind: 'liveUpdate' } : { kind: 'liveUpdate', reason };
      }
      case 'go':
      case 'expect':
        throw new Error(`assertion: no script for a real daemon has ${formatAction(action)}`);
      default:
        return this.#performOn(action);
    }
  }

  async #performOn(
    action: Exclude<Action, { kind: 'domain' | 'socket' | 'liveUpdate' | 'go' | 'expect' }>,
  ): Promise<OutputLine> {
    const name = 'domid' in action ? String(action.domid) : 'name' in action ? action.name : action.on;
    const client = this.#clients.get(name);
    if (client === undefined) return { kind: 'gone', on: name };
    switch (action.kind) {
      case 'close':
        this.#drop(name, client);
        return { kind: 'close', name };
      case 'hold':
        client.hold();
        return { kind: 'hold', name };
      case 'free':
        client.free();
        return { kind: 'free', name };
      case 'destroy':
        this.#drop(name, client);
        await this.#daemon.destroyDomain(action.domid);
        return { kind: 'destroy', domid: action.domid };
      case 'shutdown':
        this.#daemon.shutdownDomain(action.domid, action.reason);
        return { kind: 'shutdown', domid: action.domid };
      case 'raw':
        return { kind: 'raw', on: name, taken: client.put(action.octets) };
      case 'word': {
        const { word } = action;
        client.setWord(WORDS[word], action.value);
        await this.#settle();
        return { kind: 'word', on: name, word, words: client.words(Object.values(WORDS)) };
      }
      case 'message':
        return this.#exchange(client, action);
    }
  }

  #drop(name: string, client: Client): void {
    client.close();
    this.#clients.delete(name);
  }

  async #createDomain(domid: number, isTold: boolean): Promise<OutputLine> {
    const ring = await this.#daemon.createDomain(domid);
    this.#clients.get(String(domid))?.close();
    this.#clients.set(String(domid), new Client(this.#daemon, { ring, domid }));
    if (!isTold) return { kind: 'domain', domid };
    const home = `/local/domain/${domid}`;
    const introduce = strings(String(domid), String(RING_GFN), String(RING_PORT));
    const reply = await this.#ask(this.#hidden, { type: XS.INTRODUCE, txId: 0, payload: introduce });
    await this.#ask(this.#hidden, { type: XS.MKDIR, txId: 0, payload: strings(home) });
    await this.#ask(this.#hidden, { type: XS.SET_PERMS, txId: 0, payload: strings(home, `n${domid}`) });
    return { kind: 'domain', domid, introduced: reply?.type === XS.INTRODUCE };
  }

  async #exchange(client: Client, action: MessageAction): Promise<OutputLine> {
    const { on, op, type, payload, as } = action;
    const asked = { type, txId: txIdOf(action.tx, this.#txNames), payload: this.#withOwnBinary(type, payload) };
    const reply = await this.#ask(client, asked);
    if (reply === undefined) {
      this.#drop(on, client);
      return { kind: 'dead', on, op };
    }
    const line = { kind: 'reply', on, op, type: reply.type, payload: reply.payload } as const;
    if (as === undefined || reply.type !== XS.TRANSACTION_START) return line;
    this.#txNames.set(as, Number.parseInt(textOf(reply.payload), 10));
    return { ...line, as };
  }

  /** To a script, the binary of which a live update is made has one path everywhere: it stands for the daemon's own. */
  #withOwnBinary(type: number, payload: Uint8Array): Uint8Array {
    const named = strings('live-update', '-f', BINARY);
    const isNamed = type === XS.CONTROL && textOf(payload) === textOf(named);
    return isNamed ? strings('live-update', '-f', this.#daemon.binary) : payload;
  }

  /** Send a request and run the system until its reply is there; `undefined` when all is quiet without one. */
  async #ask(
    client: Client,
    request: { type: number; txId: number; payload: Uint8Array },
  ): Promise<Message | undefined> {
    const reqId = client.newReqId();
    let rest = message(request.type, reqId, request.txId, request.payload);
    for (;;) {
      const count = rest.length > 0 ? client.put(rest) : 0;
      rest = rest.subarray(count);
      const moved = await this.#turn();
      const reply = client.takeReply(reqId);
      if (reply !== undefined) return reply;
      if (!client.isOpen || (count === 0 && !moved)) return undefined;
    }
  }

  /** Let the daemon do all it can, then let every connection consume; true if any of them did. */
  async #turn(): Promise<boolean> {
    await this.#daemon.quiet();
    let moved = this.#hidden.receive();
    for (const client of this.#clients.values()) moved = client.receive() || moved;
    return moved;
  }

  async #settle(): Promise<void> {
    while (await this.#turn());
  }

  /** What lies in the inboxes, connections in the order of their names. Names of sockets that the daemon closed are gone then. */
  #unasked(): readonly OutputLine[] {
    const lines: OutputLine[] = [];
    for (const [on, client] of [...this.#clients].sort(([a], [b]) => compareNames(a, b))) {
      for (const { type, reqId, payload } of client.takeInbox()) {
        if (type === XS.WATCH_EVENT) lines.push({ kind: 'event', on, payload });
        else lines.push({ kind: 'stray', on, req: reqId, type, payload });
      }
      if (client.isOpen) continue;
      this.#clients.delete(on);
      lines.push({ kind: 'closed', on });
    }
    this.#hidden.takeInbox();
    return lines;
  }

  /** Updates to the same binary; returns why it failed. An oxenstored answers BUSY until it is done. */
  async #liveUpdate(): Promise<string | undefined> {
    const control = async (...words: readonly string[]) => {
      const payload = strings('live-update', ...words);
      const reply = await this.#ask(this.#hidden, { type: XS.CONTROL, txId: 0, payload });
      return reply === undefined ? 'the daemon died' : textOf(reply.payload).replace(/\0$/, '');
    };
    const loaded = await control('-f', this.#daemon.binary);
    if (loaded !== 'OK') return loaded;
    let done = await control('-s');
    for (let tries = 0; done === 'BUSY' && tries < BUSY_MAX; tries++) done = await control('-s');
    if (done === 'BUSY') await control('-a');
    return done === 'OK' ? undefined : done;
  }
}

/** The daemon ended in the middle of a script. */
export class DaemonDied extends Error {
  /** What it gave before, for each action its lines. */
  readonly output: readonly (readonly string[])[];
  /** During which it ended. */
  readonly action: Action;
  /** What it complained of last, and how it ended. */
  readonly lastWords: string;

  constructor(output: readonly (readonly string[])[], action: Action, lastWords: string) {
    super(`${formatAction(action)}: the daemon died: ${lastWords}`);
    this.output = output;
    this.action = action;
    this.lastWords = lastWords;
  }
}

const LAST_WORDS_MAX = 4_000;

/** What 4.17 says of its memory when it ends at an image: thousands of lines behind the one that says why. */
const MEMORY_REPORT = /^.* contains +\d+ bytes in +\d+ blocks \(ref \d+\).*\n?|^full talloc report on .*\n?/gm;

/** The end of what a daemon has complained about. */
export function lastWordsOf(complaints: string): string {
  return complaints.replace(MEMORY_REPORT, '').slice(-LAST_WORDS_MAX);
}

/**
 * Run a script on a fresh daemon of its own; returns the output, for each action its lines. Errors: `DaemonNotStarted`;
 * `DaemonDied`.
 */
export async function runScript(
  options: DaemonOptions,
  actions: Iterable<Action>,
): Promise<readonly (readonly string[])[]> {
  const daemon = await startDaemon(options);
  try {
    const runner = await ScriptRunner.on(daemon);
    const output: (readonly string[])[] = [];
    for (const action of actions) {
      const lines = (await runner.step(action)).map(formatLine);
      if (!daemon.isAlive) throw new DaemonDied(output, action, lastWordsOf(daemon.complaints));
      output.push(lines);
    }
    return output;
  } finally {
    await daemon.stop();
  }
}
