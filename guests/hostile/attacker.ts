import {
  type Actor,
  ERROR as ERROR_AT,
  GNTTAB_RESERVED_XENSTORE,
  type Port,
  type XENSTORE_ERROR_PROTO,
  type XENSTORE_ERROR_RINGIDX,
} from '../../sim/index.ts';
import { ERROR_NAMES, type Message, type OpName, XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import type { BuiltDomain } from '../libxl/index.ts';
import { pauseAfter, RawRing, requestOctets, said } from './raw-ring.ts';

export type StoreVersion = '4.22' | '4.17';

/** What the store must give: a bad guest gets this and nothing else. */
export type Consequence =
  /** The connection goes on; each reply is the one that the kind itself expects. */
  | 'served'
  /** No reply, error word 2: the indexes cannot be (store.md 2.2). */
  | 'ignored, error 2'
  /** No reply, error word 3: a message that is too long (store.md 1.4). */
  | 'ignored, error 3'
  /** Nothing more is read for now, error word 0: a quota, or the guest itself, is in the way. */
  | 'waits'
  /** INTRODUCE fails; the domain has no connection. */
  | 'not introduced';

export interface HostileKind {
  readonly name: string;
  /** Ids of the specification that it stands for. */
  readonly ids: readonly string[];
  /** What it does. */
  readonly does: string;
  readonly gets: Consequence;
  /** Something done to the domain before INTRODUCE; it has not run yet. */
  readonly before?: (os: GuestOs, built: BuiltDomain) => void;
  /** Answer to INTRODUCE; 'OK' where left out. */
  readonly introduce?: (version: StoreVersion) => string;
  /** Whether it holds transactions open: unforced live updates wait for them under policy `daemon`. */
  readonly holdsTransactions?: true;
  /** When it is over the domain is destroyed, and another one with its id does the same. */
  readonly comesAgain?: true;
  /** When it asks for that it is introduced once more, at another port. Not all daemons begin anew then, as the C daemon does. */
  readonly introducedAgain?: true;
  /** Its guest's only actor; ends by itself, at the latest soon after `attacker.stopping()`. */
  readonly run: (attacker: Attacker) => Actor;
}

/** Longest virtual time that a hostile guest waits for an answer before it says that none came. */
const PATIENCE_NS = 30_000_000_000;

/** As that, for one that has got what was not due: it has a finding, and whoever does not answer once may never do. */
const SURPRISED_NS = 1_000_000_000;

/** What a guest has to know of a daemon that is not this package's own. */
export interface OtherDaemon {
  /** It leaves some errnos to chance; left out: it does not. */
  readonly leavesErrno?: boolean;
  /** How long an answer may take, ns, where writers are made to wait; left out: half a minute. */
  readonly patienceNs?: number;
}

/** A hostile guest at work: its tools, and its word on what it got. */
export class Attacker {
  readonly os: GuestOs;
  readonly me: Thread;
  ring: RawRing;
  readonly version: StoreVersion;
  /** Whether the run wants to come to its end. */
  readonly stopping: () => boolean;
  /** What the store gave and should not have; empty in the end. */
  readonly surprises: string[] = [];
  /** Answers that were as expected. */
  expected = 0;
  /** The domain's page as the builder granted it. */
  readonly built: BuiltDomain;
  /** It waits for a toolstack to introduce it once more. */
  isToBeIntroduced = false;
  #reqId = 0x4000_0000;
  readonly #early = new Map<number, Message>();
  /** Watch events and replies taken out of the ring so far. */
  events = 0;
  taken = 0;

  /** Refusals with an errno that the daemon left to chance, as 4.17 does here and there (docs/daemons.md). */
  readonly leftOver: string[] = [];
  readonly #leavesErrno: boolean;
  #patienceNs: number;

  /** @param daemon what is so where the store is a daemon of somebody else. */
  constructor(
    os: GuestOs,
    me: Thread,
    built: BuiltDomain,
    version: StoreVersion,
    stopping: () => boolean,
    daemon: OtherDaemon = {},
  ) {
    this.#leavesErrno = daemon.leavesErrno ?? false;
    this.#patienceNs = daemon.patienceNs ?? PATIENCE_NS;
    this.os = os;
    this.me = me;
    this.built = built;
    this.ring = new RawRing(os, built.ring, built.port);
    this.version = version;
    this.stopping = stopping;
  }

  get domid(): number {
    return this.built.domain.domid;
  }

  get name(): string {
    return this.built.domain.name;
  }

  get errorWord(): number {
    return this.ring.load(ERROR_AT);
  }

  /** The reference of the ring in the guest's own table. */
  get gref(): number {
    return GNTTAB_RESERVED_XENSTORE;
  }

  /** Send a request honestly; its req_id. In payloads `^` stands for NUL. */
  send(type: number, payload: string, tx = 0): Actor<number> {
    return this.sendOctets(type, payload.replaceAll('^', '\0'), tx);
  }

  /** As `send`, with the payload as it is. */
  *sendOctets(type: number, payload: string, tx = 0): Actor<number> {
    const reqId = ++this.#reqId;
    yield* this.ring.put(requestOctets(type, reqId, tx, payload), this.#patienceNs);
    return reqId;
  }

  /** Wait for the reply to `reqId`; `undefined`: none came. */
  *reply(reqId: number, patienceNs = this.#patienceNs): Actor<Message | undefined> {
    for (let waitedNs = 0; ; ) {
      for (let m = this.ring.take(); m !== undefined; m = this.ring.take()) {
        if (m.type === XS.WATCH_EVENT) this.events++;
        else {
          this.taken++;
          this.#early.set(m.reqId, m);
        }
      }
      const found = this.#early.get(reqId);
      if (found !== undefined || waitedNs >= patienceNs) {
        this.#early.delete(reqId);
        return found;
      }
      const pauseNs = pauseAfter(waitedNs);
      waitedNs += pauseNs;
      yield pauseNs;
    }
  }

  /** Wait for the next reply, whatever its req_id. */
  *replyInOrder(patienceNs = this.#patienceNs): Actor<Message | undefined> {
    for (let waitedNs = 0; waitedNs < patienceNs; ) {
      const m = this.ring.take();
      if (m?.type === XS.WATCH_EVENT) this.events++;
      else if (m !== undefined) {
        this.taken++;
        return m;
      }
      const pauseNs = pauseAfter(waitedNs);
      waitedNs += pauseNs;
      yield pauseNs;
    }
    return undefined;
  }

  /** A request and what the store says to it. In payloads `^` stands for NUL. */
  *ask(op: OpName | number, payload: string, tx = 0): Actor<string> {
    const reqId = yield* this.send(typeof op === 'number' ? op : XS[op], payload, tx);
    return said(yield* this.reply(reqId));
  }

  /** As `ask`, and it must say `wanted`, or one of these. */
  *must(op: OpName | number, payload: string, wanted: string | readonly string[], tx = 0): Actor<string> {
    const got = yield* this.ask(op, payload, tx);
    const shown = payload.length > 60 ? `${payload.slice(0, 60)}… (${payload.length})` : payload;
    this.check(`${op} ${shown}`, got, wanted);
    return got;
  }

  /** As `must`, of a refusal whose errno some daemons leave to chance: any is noted, if it is one. */
  *mustRefuse(op: OpName, payload: string, wanted: readonly string[]): Actor {
    const got = yield* this.ask(op, payload);
    const isError = ERROR_NAMES.some((name) => name === got);
    if (this.#leavesErrno && isError && !wanted.includes(got)) this.leftOver.push(`${op} ${payload}: ${got}`);
    else this.check(`${op} ${payload}`, got, wanted);
  }

  /** One harmless request: the connection works. */
  *hello(): Actor {
    yield* this.must('READ', 'name^', this.name);
  }

  /** Wait until a toolstack has introduced the domain once more. @returns whether one has. */
  *introducedAgain(): Actor<boolean> {
    this.isToBeIntroduced = true;
    for (let waitedNs = 0; this.isToBeIntroduced && waitedNs < this.#patienceNs; waitedNs += pauseAfter(waitedNs))
      yield pauseAfter(waitedNs);
    return !this.isToBeIntroduced;
  }

  /** A toolstack has introduced it, at this port: what was in the ring is gone. */
  begunAnew(port: Port): void {
    this.ring = new RawRing(this.os, this.built.ring, port);
    this.isToBeIntroduced = false;
  }

  check(what: string, got: string | number, wanted: string | number | readonly (string | number)[]): void {
    if (Array.isArray(wanted) ? wanted.includes(got) : wanted === got) this.expected++;
    else {
      this.surprises.push(`${what}: ${String(wanted)} was due, came ${got}`);
      this.#patienceNs = Math.min(this.#patienceNs, SURPRISED_NS);
    }
  }

  /** Wait until the store has written its error word; it must be `word`. */
  *ignored(word: typeof XENSTORE_ERROR_RINGIDX | typeof XENSTORE_ERROR_PROTO): Actor {
    for (let waitedNs = 0; this.errorWord === 0 && waitedNs < this.#patienceNs; waitedNs += pauseAfter(waitedNs))
      yield pauseAfter(waitedNs);
    this.check('error word', this.errorWord, word);
  }

  /** Wait until the store has taken everything out of the ring; no time passes where it has. */
  *untilRead(): Actor {
    for (let waitedNs = 0; this.ring.unread > 0 && waitedNs < this.#patienceNs; waitedNs += pauseAfter(waitedNs))
      yield pauseAfter(waitedNs);
  }

  /** Keep away from the ring until the run ends, at most `patienceNs`. */
  *keepAway(patienceNs: number): Actor {
    for (let waitedNs = 0; waitedNs < patienceNs && !this.stopping(); waitedNs += 500_000) yield 500_000;
  }
}
