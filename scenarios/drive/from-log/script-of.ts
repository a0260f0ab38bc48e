import { type OpName, XS } from '../../../store/protocol/wire.ts';
import type { Expectation } from '../expectation.ts';
import { type Action, RING_GFN, RING_PORT } from '../script.ts';
import type { Log, LogEntry } from './entries.ts';

/** A script made of a log, and what had to be assumed. */
export interface LoggedScript {
  readonly actions: readonly Action[];
  readonly requests: number;
  /** In sentences; those about a line begin with its number. */
  readonly notes: readonly string[];
}

/**
 * What the clients of a log did, as a script that does it again, and what they got, as expectations: each reply behind its
 * request; each watch event at any time, since it may be written later than it was caused.
 */
export function scriptOf(log: Log): LoggedScript {
  const maker = new Maker(log);
  for (const entry of log.entries) maker.take(entry);
  return maker.script();
}

type Request = LogEntry & { readonly kind: 'request' };
type Reply = LogEntry & { readonly kind: 'reply' };
type Event = LogEntry & { readonly kind: 'event' };

/** One request of the log, and what follows it in the script. */
interface Block {
  readonly actions: readonly Action[];
  readonly expectations: Expectation[];
}

/** A connection of the log, by its address, as long as it lives. */
interface Client {
  readonly name: string;
  /** Requests without a reply, oldest first. */
  readonly unanswered: { readonly block: Block; readonly op: string; readonly line: number; readonly tx?: string }[];
  /** Open transactions, oldest first. */
  readonly open: string[];
  isIntroduced: boolean;
}

class Maker {
  readonly #log: Log;
  readonly #blocks: Block[] = [];
  readonly #clients = new Map<string, Client>();
  readonly #domains = new Set<number>();
  readonly #notes: string[] = [];
  /** The domain whose INTRODUCE is not answered: a connection that comes now is its ring. */
  #introducing: number | undefined;
  #releasing = false;
  #requests = 0;
  #sockets = 0;
  #transactions = 0;
  readonly #replaced = new Set<number>();

  constructor(log: Log) {
    this.#log = log;
  }

  take(entry: LogEntry): void {
    switch (entry.kind) {
      case 'came':
        this.#clients.delete(entry.conn); // an address is used again
        if (this.#introducing !== undefined) this.#ring(entry.conn, this.#introducing);
        break;
      case 'went':
        this.#end(entry.conn);
        break;
      case 'request':
        this.#request(entry);
        break;
      case 'reply':
        this.#reply(entry);
        break;
      case 'event':
        this.#event(entry);
    }
  }

  script(): LoggedScript {
    const actions = this.#blocks.flatMap((block) => [...block.actions, ...block.expectations]);
    const replaced = [...this.#replaced].sort((a, b) => a - b);
    const notes = [
      ...this.#log.silences,
      ...(replaced.length === 0
        ? []
        : [
            `Rings of scripts are at gfn ${RING_GFN} and port ${RING_PORT}: so INTRODUCE says for ${replaced.join(', ')}.`,
          ]),
      ...this.#notes,
    ];
    return { actions, requests: this.#requests, notes };
  }

  #do(...actions: readonly Action[]): Block {
    const block: Block = { actions, expectations: [] };
    this.#blocks.push(block);
    return block;
  }

  /** The client at an address; one that is met for the first time opens its socket, or has its ring. */
  #client(conn: string): Client {
    const there = this.#clients.get(conn);
    if (there !== undefined) return there;
    const domid = this.#log.ringOf.get(conn);
    if (domid !== undefined) {
      this.#make(domid);
      return this.#ring(conn, domid);
    }
    const name = `s${++this.#sockets}`;
    const client: Client = { name, unanswered: [], open: [], isIntroduced: false };
    this.#clients.set(conn, client);
    this.#do({ kind: 'socket', name });
    return client;
  }

  #ring(conn: string, domid: number): Client {
    const client: Client = { name: String(domid), unanswered: [], open: [], isIntroduced: true };
    this.#clients.set(conn, client);
    return client;
  }

  /** A domain is there when its INTRODUCE is asked for; the log tells of no other beginning. */
  #make(domid: number, introduce?: false): void {
    if (this.#domains.has(domid)) return;
    this.#domains.add(domid);
    this.#do({ kind: 'domain', domid, ...(introduce === false ? { introduce } : {}) });
  }

  #end(conn: string): void {
    const client = this.#clients.get(conn);
    this.#clients.delete(conn);
    if (client === undefined) return;
    if (!client.isIntroduced) this.#do({ kind: 'close', name: client.name });
    else if (!this.#releasing) {
      // Nobody has released it: the domain has died.
      this.#do({ kind: 'destroy', domid: Number(client.name) });
      this.#domains.delete(Number(client.name));
    }
  }

  #request(entry: Request): void {
    const { conn, line, text } = entry;
    this.#requests++;
    const isKnown = Object.hasOwn(XS, entry.op);
    if (!isKnown)
      this.#notes.push(`${line}: the number of an operation that the daemon does not know is not in the log.`);
    const op: OpName | number = isKnown ? (entry.op as OpName) : UNKNOWN_OP;
    const first = text.split(' ')[0] ?? '';
    if (op === 'INTRODUCE' && /^\d+$/.test(first)) {
      this.#introducing = Number(first);
      this.#make(this.#introducing, false);
    }
    if (op === 'RELEASE') this.#releasing = true;
    const client = this.#client(conn);
    const tx = this.#transactionOf(client, entry, op);
    const type = typeof op === 'number' ? op : XS[op];
    const payload = octetsOf(payloadOf(op, text, (domid) => this.#replaced.add(domid)));
    const as = op === 'TRANSACTION_START' ? { as: entry.tx || `t${++this.#transactions}` } : {};
    const block = this.#do({ kind: 'message', on: client.name, op, type, payload, tx: tx || 0, ...as });
    client.unanswered.push({ block, op: entry.op, line, ...(as.as === undefined ? {} : { tx: as.as }) });
  }

  /** The name of the transaction that a request belongs to; '' outside of any. */
  #transactionOf(client: Client, { tx, line }: Request, op: OpName | number): string {
    if (op === 'TRANSACTION_START') {
      if (tx !== undefined) client.open.push(tx);
      return '';
    }
    const isOfOne = typeof op === 'string' && (op === 'TRANSACTION_END' || IN_TRANSACTIONS.has(op));
    const name = tx ?? (isOfOne ? (client.open.at(-1) ?? '') : '');
    if (tx === undefined && isOfOne && client.open.length > 1)
      this.#notes.push(`${line}: one of ${client.open.length} open transactions; taken for the newest.`);
    if (op === 'TRANSACTION_END') client.open.splice(client.open.indexOf(name), 1);
    return name;
  }

  #reply({ conn, op, text, line }: Reply): void {
    if (op === 'INTRODUCE' || op === 'ERROR') this.#introducing = undefined;
    if (op === 'RELEASE' || op === 'ERROR') this.#releasing = false;
    const client = this.#clients.get(conn);
    const asked = this.#log.hasAllReplies ? client?.unanswered.shift() : client?.unanswered.splice(0).at(-1);
    if (client === undefined || asked === undefined) {
      this.#notes.push(`${line}: a reply whose request is not in the log.`);
      return;
    }
    const isBegun = op === 'TRANSACTION_START';
    if (isBegun && asked.tx !== undefined && !client.open.includes(asked.tx)) client.open.push(asked.tx);
    // The id of a transaction, and generations, are the daemon's own affair.
    const isOwn = isBegun || op === 'DIRECTORY_PART';
    const pattern = { on: client.name, op: asked.op, reply: op, ...(isOwn ? {} : { payload: { shown: text } }) };
    asked.block.expectations.push({ kind: 'expect', what: 'some', patterns: [pattern] });
  }

  #event({ conn, text, line }: Event): void {
    const client = this.#clients.get(conn);
    const block = this.#blocks.at(-1);
    if (client === undefined || block === undefined) {
      this.#notes.push(`${line}: an event to a connection that is not in the log.`);
      return;
    }
    const pattern = { on: client.name, event: { shown: text } };
    block.expectations.push({ kind: 'expect', what: 'some', patterns: [pattern], ever: true });
  }
}

/** Stands for an operation whose number is not told. */
const UNKNOWN_OP = 0xffff_ffff;

const IN_TRANSACTIONS: ReadonlySet<string> = new Set<OpName>([
  'DIRECTORY',
  'DIRECTORY_PART',
  'READ',
  'GET_PERMS',
  'WRITE',
  'MKDIR',
  'RM',
  'SET_PERMS',
]);

/** The payload that is shown so. Paths hold no spaces. */
function payloadOf(op: OpName | number, text: string, seeReplaced: (domid: number) => void): string {
  switch (op) {
    case 'WRITE':
      return text.replace(' ', '\0');
    case 'WATCH':
    case 'UNWATCH':
      return text
        .replace(' ', '\0')
        .replace(/ $/, '\0')
        .replace(/ (\d+)\0$/, '\0$1\0');
    case 'INTRODUCE': {
      const [domid = '', ...rest] = text.split(' ');
      if (!/^\d+$/.test(domid) || rest.length < 2) return text.replaceAll(' ', '\0');
      seeReplaced(Number(domid));
      return `${domid}\0${RING_GFN}\0${RING_PORT}\0`;
    }
    default:
      return text.replaceAll(' ', '\0');
  }
}

function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
