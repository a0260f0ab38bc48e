import {
  type Actor,
  DOMID_INVALID,
  type Domain,
  ERRNO,
  type Errno,
  EventFile,
  Hypercalls,
  type Machine,
  PARK,
  type Port,
  REQ_CONS,
  type Result,
  type StoreNews,
  type Task,
  XenError,
} from '../../../sim/index.ts';
import { escapeOctets, textOf } from '../../../store/format/index.ts';
import {
  MESSAGE_NS,
  PASS_NS,
  type StoreDeath,
  type StoreProcess,
  type StoreSetup,
  type UpdateRecord,
  WRITE_NS,
} from '../../../store/index.ts';
import { Answer, CALL, FLAG, NOTE, POLL, type Words } from './calls.ts';
import { censusOf } from './census.ts';
import { type DaemonProcess, ownThread } from './launch.ts';
import { type Mapped, Rings } from './rings.ts';
import { Descriptors } from './sockets.ts';

/** Virtual time, ns, beside that of the daemon of this package: a hypercall, the way out of poll(2), exec and start. */
const HYPERCALL_NS = 300;
const WAKE_NS = 1_500;
const EXEC_NS = 1_500_000;
const OCTETS_PER_NS = 2;
/** An oxenstored waits for less than a millisecond by asking again and again: each time longer, at most for so long. */
const SPIN_NS_MAX = 200_000;

/** Any time but zero, which daemons take for none. */
const WALL_START_S = 0x1000_0000;
const MONOTONIC_START_S = 1_000;

const MS = 1_000_000;
const SECOND = 1_000_000_000;
const NEVER = 0xffff_ffff;

/** Source: asm-generic/errno.h of Linux, where Xen has none of that name or another number. */
const EPIPE = 32;
const EBADF = 9;

/** What a store of this kind needs beside what every store is given. */
export interface RealSetup extends StoreSetup {
  /** Start the process; it is killed by who has started it, too. */
  readonly launch: () => DaemonProcess;
  /** The program that update `n` executes. */
  readonly successor: (n: number) => string;
  /** The file in which it leaves its state to its successor. */
  readonly stateFile: string;
  /** A daemon has died, or hangs: called while its process is still there. @returns what is to be told of it. */
  readonly autopsy: (process: DaemonProcess) => string;
  /** The known defect that an end is. */
  readonly knownEnd: (end: DaemonEnd) => StoreDeath['known'];
}

/** A live update that is past the dump and not up yet. */
interface Pending {
  readonly begun: Omit<UpdateRecord, 'outcome' | 'reason' | 'pauseNs'>;
  readonly image: Uint8Array;
}

/** How a daemon's process has ended, for who knows what it can be. */
export interface DaemonEnd {
  /** In words; a signal is named. */
  readonly how: string;
  /** It had executed its successor, which did not come to serve. */
  readonly isInUpdate: boolean;
  /** The end of what it has said. */
  readonly said: string;
  /** Pieces of requests that it has read, the last one at the end; one octet for each character. */
  readonly lastRead: readonly string[];
}

/** What a daemon has read last is told when it dies: so many pieces of requests. */
const READS_KEPT = 4;

/**
 * A real daemon as a host's store, in lock-step: its process runs only within a step of its task, from the answer to one of its
 * calls to its next call, and stands still else. What it has done meanwhile is done here in the order of its program, all in the
 * moment of that step. Source of what it is told: the hypervisor of `sim`, errno by errno.
 */
export class RealStore implements StoreProcess {
  readonly updates: UpdateRecord[] = [];
  readonly handedOver = undefined;
  format: StoreProcess['format'] = undefined;
  /** Its allocations are its own: nobody is asked. */
  allocationFails: StoreProcess['allocationFails'] = undefined;
  movesInSteps = false;
  readonly #machine: Machine;
  readonly #domain: Domain;
  readonly #setup: RealSetup;
  readonly #hyper: Hypercalls;
  readonly #file: EventFile;
  readonly #rings: Rings;
  readonly #descriptors: Descriptors;
  readonly #process: DaemonProcess;
  readonly #answer = new Answer();
  readonly #task: Task;
  /** What it waits for an answer to. */
  #call: Words | undefined;
  #kind = 0;
  /** Virtual time that its last step has taken. */
  #spentNs = 0;
  /** Read from the event channel file, and handed to the process, which may take it or leave it. */
  #heldPort: Port | undefined;
  #ownerOf = new Map<Port, number>();
  #wallOffset = 0;
  #isHungUp = false;
  #isPolling = false;
  /** It has done something since its last poll(2); how many passes in a row it has not. */
  #hasMoved = true;
  #idlePasses = 0;
  #instance = 1;
  #pending: Pending | undefined;
  #ended: string | undefined;
  death: StoreDeath | undefined = undefined;
  readonly #lastRead: LastRead[] = [];

  constructor(machine: Machine, domain: Domain, setup: RealSetup) {
    this.#machine = machine;
    this.#domain = domain;
    this.#setup = setup;
    this.#hyper = new Hypercalls(machine, domain);
    this.#file = new EventFile(machine.events, domain);
    this.#file.onReadable = () => this.#task?.wake(WAKE_NS);
    this.#descriptors = new Descriptors(setup.listener, () => this.#wake());
    this.#rings = new Rings(machine, domain, (client, error) => this.#tell({ phase: 'error-word', client, error }));
    this.#process = setup.launch();
    this.#task = machine.start(`${domain.name}/xenstored`, domain, this.#run());
    this.#take(this.#process.channel.next());
    // It starts before anybody else runs: no call up to its first poll(2) has to wait.
    while (this.#ended === undefined && this.#kind !== CALL.poll) for (const _ of this.#serve());
  }

  get ended(): string | undefined {
    return this.#ended;
  }

  get ports(): readonly Port[] {
    return this.#file.ports;
  }

  get waitsForCredit(): boolean {
    return this.#isPolling && this.#rings.areUnread;
  }

  jumpWallClock(seconds: number): void {
    this.#wallOffset += seconds;
  }

  hangUp(): void {
    this.#isHungUp = true;
  }

  end(): void {
    if (this.#ended !== undefined) return;
    this.#task.actor.return();
    this.#leave('it was killed');
  }

  #wake(): void {
    if (this.#isPolling) this.#task.wake();
  }

  #tell(news: StoreNews): void {
    this.#machine.trace.store(this.#domain.domid, this.#instance, news);
  }

  *#run(): Actor {
    while (this.#ended === undefined) {
      const ns = this.#spentNs;
      this.#spentNs = 0;
      if (ns > 0) yield ns;
      yield* this.#serve();
    }
  }

  // Steps ------------------------------------------------------------------------------------------------------------

  /** Answer the call that waits, and let the daemon run up to its next one. */
  *#serve(): Actor {
    const call = this.#call as Words;
    switch (this.#kind) {
      case CALL.poll:
        return yield* this.#poll(call);
      case CALL.read:
        return yield* this.#read(call);
      case CALL.room:
        return yield* this.#room(call);
      case CALL.exec:
        return yield* this.#exec(call.text());
      case CALL.died:
        return this.#died(call.next());
      case CALL.exit:
        return this.#die(`it has ended itself with status ${call.next()}`);
      case CALL.start:
        return this.#begin();
      default:
        this.#spentNs += HYPERCALL_NS;
        return this.#hypercall(this.#kind, call);
    }
  }

  /** What every answer begins with: time, and what guests have changed. */
  #head(): Answer {
    const { nowNs } = this.#machine;
    const seconds = Math.floor(nowNs / SECOND);
    const flags = (this.#isHungUp ? FLAG.hangUp : 0) | (this.movesInSteps ? FLAG.inSteps : 0);
    this.#isHungUp = false;
    const answer = this.#answer
      .begin()
      .word(flags)
      .word(MONOTONIC_START_S + seconds)
      .word(nowNs % SECOND)
      .word(WALL_START_S + seconds + this.#wallOffset);
    this.#rings.tell(answer);
    return answer;
  }

  #go(answer: Answer): void {
    this.#take(this.#process.channel.exchange(answer.end()));
  }

  /** Do what the daemon has done, and keep its call. */
  #take(words: Words | undefined): void {
    if (words === undefined) return this.#die('it is gone');
    for (;;) {
      const kind = words.next();
      if (kind < CALL.start) this.#hasMoved = true;
      else {
        this.#kind = kind;
        this.#call = words;
        return;
      }
      this.#note(kind, words);
    }
  }

  #note(kind: number, words: Words): void {
    switch (kind) {
      case NOTE.notify:
        return this.#file.notify(words.next());
      case NOTE.unmask:
        return this.#file.write([words.next()]);
      case NOTE.store: {
        this.#spentNs += MESSAGE_NS / 2;
        const [ring, offset, value] = [words.next(), words.next(), words.next()];
        if (offset === REQ_CONS)
          this.#remember(`domain ${this.#rings.ownerOf(ring)}`, this.#rings.consumed(ring, value));
        return this.#rings.store(ring, offset, value);
      }
      case NOTE.put:
        return this.#rings.put(words.next(), words.next(), words.octets());
      case NOTE.unmap:
        return this.#rings.unmap(words.next());
      case NOTE.write: {
        this.#spentNs += WRITE_NS;
        const client = this.#descriptors.client(words.next());
        const octets = words.octets();
        client?.write(octets, 0, octets.length);
        return;
      }
      case NOTE.close: {
        const fd = words.next();
        if (fd === this.#descriptors.events) this.#closePorts();
        return this.#descriptors.close(fd);
      }
      case NOTE.accept:
        return this.#descriptors.accept(words.next());
      case NOTE.tookPort:
        words.next();
        this.#heldPort = undefined;
        return;
      case NOTE.listen:
        return this.#descriptors.listen(words.next());
      case NOTE.events:
        this.#descriptors.events = words.next();
        return;
      case NOTE.unbind: {
        const port = words.next();
        this.#file.unbind(port);
        this.#ownerOf.delete(port);
        return this.#tell({ phase: 'unbound', port });
      }
      default:
        throw new Error(`assertion: note ${kind} of the stand-in`);
    }
  }

  // Waiting ----------------------------------------------------------------------------------------------------------

  /** poll(2): where nothing is ready, others run until something is, or the time is over. */
  *#poll(call: Words): Actor {
    if (this.#pending !== undefined) this.#isUp(this.#pending);
    const timeout = call.next();
    const wanted = Array.from({ length: call.next() }, () => [call.next(), call.next(), call.next()] as const);
    const { nowNs } = this.#machine;
    const untilNs = timeout === NEVER ? undefined : nowNs + timeout * MS;
    let ready = this.#ready(wanted);
    this.#idlePasses = this.#hasMoved ? 0 : this.#idlePasses + 1;
    this.#hasMoved = false;
    if (timeout === 0) yield Math.min(PASS_NS * 2 ** this.#idlePasses, SPIN_NS_MAX);
    else {
      if (untilNs !== undefined && ready.length === 0) this.#machine.scheduler.at(untilNs, () => this.#wake());
      this.#isPolling = true;
      while (ready.length === 0 && !this.#isHungUp && (untilNs === undefined || this.#machine.nowNs < untilNs)) {
        yield PARK;
        ready = this.#ready(wanted);
      }
      this.#isPolling = false;
    }
    ready = this.#ready(wanted);
    this.#spentNs += PASS_NS;
    const answer = this.#head();
    answer
      .word(this.#heldPort ?? 0)
      .word(this.#descriptors.waiting)
      .word(ready.length);
    for (const [index, events, room] of ready) answer.word(index).word(events).word(room);
    this.#go(answer);
  }

  #ready(wanted: readonly (readonly [index: number, fd: number, events: number])[]) {
    if (this.#heldPort === undefined && this.#file.isReadable) [this.#heldPort] = this.#file.read(1);
    const ready: (readonly [index: number, events: number, room: number])[] = [];
    for (const [index, fd, events] of wanted) {
      const are = this.#descriptors.poll(fd, events, this.#heldPort !== undefined);
      const room = (are & POLL.out) === 0 ? 0 : (this.#descriptors.client(fd)?.writable() ?? 0);
      if (are !== 0) ready.push([index, are, room]);
    }
    return ready;
  }

  /** read(2) of a client's socket; one that may wait serves nobody until something comes. */
  *#read(call: Words): Actor {
    const [fd, max, mayNotWait] = [call.next(), call.next(), call.next()];
    const client = this.#descriptors.client(fd);
    if (client === undefined) return this.#go(this.#head().word(EBADF).word(0));
    while (client.readable() === 0 && !client.atEof() && mayNotWait === 0) yield* this.#parked();
    this.#spentNs += HYPERCALL_NS;
    if (client.readable() === 0 && !client.atEof()) return this.#go(this.#head().word(ERRNO.EAGAIN).word(0));
    const octets = new Uint8Array(Math.min(max, client.readable()));
    client.read(octets, 0, octets.length);
    this.#remember(`descriptor ${fd}`, octets);
    this.#go(this.#head().word(0).octets(octets));
  }

  /** write(2) to a client's socket that has no room. */
  *#room(call: Words): Actor {
    const [fd, mayNotWait] = [call.next(), call.next()];
    const client = this.#descriptors.client(fd);
    if (client === undefined) return this.#go(this.#head().word(EBADF).word(0));
    while (client.writable() === 0 && !client.hungUp() && mayNotWait === 0) yield* this.#parked();
    const errno = client.hungUp() ? EPIPE : client.writable() === 0 ? ERRNO.EAGAIN : 0;
    this.#go(this.#head().word(errno).word(client.writable()));
  }

  *#parked(): Actor {
    this.#isPolling = true;
    yield PARK;
    this.#isPolling = false;
  }

  // The hypervisor ---------------------------------------------------------------------------------------------------

  #hypercall(kind: number, call: Words): void {
    switch (kind) {
      case CALL.bind: {
        const [domid, remote] = [call.next(), call.next()];
        const port = attempt(() => this.#file.bindInterdomain(domid, remote));
        if (port.ok) {
          this.#ownerOf.set(port.value, domid);
          this.#tell({ phase: 'bound', port: port.value, remoteDomid: domid });
        }
        return this.#go(result(this.#head(), port));
      }
      case CALL.virq: {
        const virq = call.next();
        return this.#go(
          result(
            this.#head(),
            attempt(() => this.#file.bindVirq(virq)),
          ),
        );
      }
      case CALL.port: {
        const port = this.#heldPort ?? (this.#file.isReadable ? this.#file.read(1)[0] : 0) ?? 0;
        this.#heldPort = undefined;
        return this.#go(this.#head().word(port));
      }
      case CALL.map: {
        const [domid, gref] = [call.next(), call.next()];
        return this.#mapped(this.#rings.map(domid, gref));
      }
      case CALL.mapGfn: {
        const [domid, gfn] = [call.next(), call.next()];
        return this.#mapped(this.#rings.mapGfn(domid, gfn));
      }
      case CALL.domain: {
        const list = this.#hyper.domctl.getDomainInfoList(call.next(), 1);
        if (!list.ok) return this.#go(this.#head().word(ERRNO[list.errno]));
        const [found] = list.value;
        const answer = this.#head().word(0);
        return this.#go(found === undefined ? answer.word(0) : answer.word(1).word(found.domid).word(found.flags));
      }
      case CALL.state:
      case CALL.changed: {
        const state = this.#hyper.domctl.getDomainState(kind === CALL.changed ? DOMID_INVALID : call.next());
        if (!state.ok) return this.#go(this.#head().word(ERRNO[state.errno]));
        const { domid, state: bits, caps, uniqueId } = state.value;
        const [low, high] = [uniqueId & 0xffff_ffffn, uniqueId >> 32n];
        return this.#go(this.#head().word(0).word(domid).word(bits).word(caps).word(Number(low)).word(Number(high)));
      }
      case CALL.stat: {
        const mode = this.#setup.files.get(call.text());
        if (mode === undefined) return this.#go(this.#head().word(ERRNO.ENOENT).word(0));
        return this.#go(
          this.#head()
            .word(0)
            .word(mode === 'executable' ? 0o100755 : 0o100644),
        );
      }
      case CALL.moved:
        return this.#go(this.#head());
      default:
        throw new Error(`assertion: call ${kind} of the stand-in`);
    }
  }

  #mapped(mapped: Mapped): void {
    const answer = this.#head();
    if (!mapped.ok) return this.#go(answer.word(ERRNO[mapped.errno]));
    this.#go(answer.word(0).word(mapped.ring).raw(mapped.octets, 0, mapped.octets.length));
  }

  // Live updates -----------------------------------------------------------------------------------------------------

  /** execvp(3): the state is written down, and the next image of the process is to read it. */
  *#exec(path: string): Actor {
    const { files, execFails, passImage, successor, stateFile } = this.#setup;
    const machine = this.#machine;
    const n = this.updates.length + 1;
    const image = this.#process.read(stateFile) ?? new Uint8Array(0);
    const imageBytes = image.length;
    const begun = {
      n,
      format: 'its own',
      atNs: machine.nowNs,
      ...censusOf(image),
      requestOctetsInRings: this.#rings.unreadOctets,
      openTransactions: 0,
      imageBytes,
      losses: [],
      lossCounts: [],
    };
    this.#tell({ phase: 'dump', update: n, imageBytes });
    machine.trace.digest.octets(image, 0, imageBytes);
    yield Math.floor(imageBytes / OCTETS_PER_NS);
    const errno: Errno | undefined =
      execFails?.(n) === true ? 'ENOMEM' : files.get(path) === undefined ? 'ENOENT' : undefined;
    if (errno !== undefined) {
      const reason = `exec: ${errno}`;
      this.#tell({ phase: 'failed', update: n, imageBytes });
      this.updates.push({ ...begun, outcome: 'failed', reason, pauseNs: machine.nowNs - begun.atNs });
      return this.#go(this.#head().word(ERRNO[errno]));
    }
    const passed = passImage?.(image, n) ?? image;
    if (passed !== image) this.#process.write(stateFile, passed);
    this.#pending = { begun, image: passed };
    this.#rings.unmapAll();
    this.#instance++;
    this.#spentNs += EXEC_NS;
    this.#go(this.#head().word(0).text(successor(n)));
  }

  /** An image of the process begins: it is told what is open, as the kernel knows it. */
  #begin(): void {
    const own = ownThread();
    const answer = this.#head()
      .word(own?.thread ?? 0)
      .word(own?.cpu ?? 0);
    const { ports } = this.#file;
    answer.word(ports.length);
    for (const port of ports) {
      const owner = this.#ownerOf.get(port);
      answer.word(port).word(owner === undefined ? 0xffff_ffff : owner + 1);
    }
    const open = this.#descriptors.all();
    answer.word(open.length);
    for (const [fd, kind] of open) answer.word(fd).word(kind);
    answer.text(this.#setup.successor(this.updates.length + 1));
    this.#go(answer);
  }

  #isUp({ begun }: Pending): void {
    this.#pending = undefined;
    this.#tell({ phase: 'up', update: begun.n, imageBytes: begun.imageBytes });
    this.updates.push({ ...begun, outcome: 'ok', reason: '', pauseNs: this.#machine.nowNs - begun.atNs });
  }

  // The end ----------------------------------------------------------------------------------------------------------

  #died(signal: number): void {
    const how = signal === 0 ? 'it hangs' : `it has died of ${nameOf(signal)}`;
    this.#die(how, this.#setup.autopsy(this.#process));
  }

  /** Nobody has ended it: what is known of its end is kept. */
  #die(how: string, seen = ''): void {
    const said = this.#process.lastWords;
    const isInUpdate = this.#pending !== undefined;
    const update = this.#pending?.begun.n ?? 0;
    const spoken = said.split('\n').filter((line) => line.trim() !== '');
    const what = `${how}${isInUpdate ? ' in a live update' : ''}${spoken.length === 0 ? '' : `: ${spoken.at(-1)}`}`;
    const lines = [
      ...(isInUpdate ? [`live update ${update} went on`] : []),
      ...this.#lastRead.map(({ whose, octets }) => `it read from ${whose}: ${escapeOctets(octets)}`),
      ...spoken.map((line) => `it said: ${line}`),
      ...seen.split('\n').filter((line) => line !== ''),
    ];
    const lastRead = this.#lastRead.map(({ octets }) => textOf(octets));
    this.death = { what, lines, known: this.#setup.knownEnd({ how, isInUpdate, said, lastRead }) };
    this.#leave(what);
  }

  #remember(whose: string, octets: Uint8Array): void {
    if (octets.length === 0) return;
    if (this.#lastRead.length === READS_KEPT) this.#lastRead.shift();
    this.#lastRead.push({ whose, octets: octets.slice(0, OCTETS_KEPT) });
  }

  #closePorts(): void {
    for (const port of this.#file.ports) {
      this.#file.unbind(port);
      this.#tell({ phase: 'unbound', port });
    }
    this.#file.release();
    this.#heldPort = undefined;
  }

  /** The process is no more: the kernel closes what it had. */
  #leave(reason: string): void {
    this.#ended = reason;
    this.#tell({ phase: 'ended' });
    this.#closePorts();
    this.#rings.unmapAll();
    this.#descriptors.end();
    this.#process.kill();
  }
}

interface LastRead {
  readonly whose: string;
  readonly octets: Uint8Array;
}

const OCTETS_KEPT = 80;

/** Source: asm/signal.h of Linux. */
const SIGNALS: Readonly<Record<number, string>> = {
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  11: 'SIGSEGV',
};

function nameOf(signal: number): string {
  return SIGNALS[signal] ?? `signal ${signal}`;
}

function attempt<T>(call: () => T): Result<T> {
  try {
    return { ok: true, value: call() };
  } catch (error) {
    if (error instanceof XenError) return { ok: false, errno: error.errno };
    throw error;
  }
}

function result(answer: Answer, of: Result<number>): Answer {
  return of.ok ? answer.word(0).word(of.value) : answer.word(ERRNO[of.errno]).word(0);
}
