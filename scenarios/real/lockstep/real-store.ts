import {
  type Actor,
  type Domain,
  ERRNO,
  type Errno,
  type Machine,
  PARK,
  type Port,
  type StoreNews,
  type Task,
  type UnixSocket,
} from '../../../sim/index.ts';
import {
  PASS_NS,
  type StoreDeath,
  type StoreProcess,
  type StoreSetup,
  type UpdateRecord,
} from '../../../store/index.ts';
import { Answer, CALL, FLAG, type Words } from './calls.ts';
import { censusOf } from './census.ts';
import { type DaemonEnd, deathOf, howItDied, LastRead } from './end.ts';
import { Kernel, type Wanted } from './kernel.ts';
import { type DaemonProcess, ownThread } from './launch.ts';

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
  /** The program that each update executes. */
  readonly successor: string;
  /** Who goes on in its place behind an update; left out: that program does. */
  readonly handOver?: ((what: HandedOver) => void) | undefined;
  /** The file in which it leaves its state to its successor. */
  readonly stateFile: string;
  /** A daemon has died, or hangs: called while its process is still there. @returns what is to be told of it. */
  readonly autopsy: (process: DaemonProcess) => string;
  /** The known defect that an end is. */
  readonly knownEnd: (end: DaemonEnd) => StoreDeath['known'];
}

/** What a daemon leaves to whoever goes on in its place: its ports and sockets stay open. */
export interface HandedOver {
  readonly image: Uint8Array;
  /** By the descriptors that the image names. */
  readonly sockets: ReadonlyMap<number, UnixSocket>;
  /** Updates so far, this one among them. */
  readonly updates: number;
}

/** A live update that is past the dump and not up yet. */
interface Pending {
  readonly begun: Omit<UpdateRecord, 'outcome' | 'reason' | 'pauseNs'>;
  readonly image: Uint8Array;
}

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
  readonly #kernel: Kernel;
  readonly #process: DaemonProcess;
  readonly #answer = new Answer();
  readonly #task: Task;
  /** What it waits for an answer to. */
  #call: Words | undefined;
  #kind = 0;
  /** Virtual time that its last step has taken. */
  #spentNs = 0;
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
  readonly #lastRead = new LastRead();

  constructor(machine: Machine, domain: Domain, setup: RealSetup) {
    this.#machine = machine;
    this.#domain = domain;
    this.#setup = setup;
    this.#kernel = new Kernel(machine, domain, setup, {
      tell: (news) => this.#tell(news),
      socketReady: () => this.#wake(),
      eventReady: () => this.#task?.wake(WAKE_NS),
      hasRead: (whose, octets) => this.#lastRead.note(whose, octets),
    });
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
    return this.#kernel.ports;
  }

  get waitsForCredit(): boolean {
    return this.#isPolling && this.#kernel.rings.areUnread;
  }

  jumpWallClock(seconds: number): void {
    this.#wallOffset += seconds;
  }

  hangUp(): void {
    this.#isHungUp = true;
    this.#wake();
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
        return this.#die(howItDied(call.next()), this.#setup.autopsy(this.#process));
      case CALL.exit:
        return this.#die(`it has ended itself with status ${call.next()}`);
      case CALL.start:
        return this.#begin();
      default:
        this.#spentNs += HYPERCALL_NS;
        return this.#go(this.#kernel.answer(this.#kind, call, () => this.#head()));
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
    this.#kernel.rings.tell(answer);
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
      this.#spentNs += this.#kernel.note(kind, words);
    }
  }

  // Waiting ----------------------------------------------------------------------------------------------------------

  /** poll(2): where nothing is ready, others run until something is, or the time is over. */
  *#poll(call: Words): Actor {
    if (this.#pending !== undefined) this.#isUp(this.#pending);
    const timeout = call.next();
    const wanted = Array.from({ length: call.next() }, (): Wanted => [call.next(), call.next(), call.next()]);
    const { nowNs } = this.#machine;
    const untilNs = timeout === NEVER ? undefined : nowNs + timeout * MS;
    let ready = this.#kernel.ready(wanted);
    this.#idlePasses = this.#hasMoved ? 0 : this.#idlePasses + 1;
    this.#hasMoved = false;
    if (timeout === 0) yield Math.min(PASS_NS * 2 ** this.#idlePasses, SPIN_NS_MAX);
    else {
      if (untilNs !== undefined && ready.length === 0) this.#machine.scheduler.at(untilNs, () => this.#wake());
      this.#isPolling = true;
      while (ready.length === 0 && !this.#isHungUp && (untilNs === undefined || this.#machine.nowNs < untilNs)) {
        yield PARK;
        ready = this.#kernel.ready(wanted);
      }
      this.#isPolling = false;
    }
    ready = this.#kernel.ready(wanted);
    this.#spentNs += PASS_NS;
    const answer = this.#head();
    answer.word(this.#kernel.heldPort).word(this.#kernel.descriptors.waiting).word(ready.length);
    for (const [index, events, room] of ready) answer.word(index).word(events).word(room);
    this.#go(answer);
  }

  /** read(2) of a client's socket; one that may wait serves nobody until something comes. */
  *#read(call: Words): Actor {
    const [fd, max, mayNotWait] = [call.next(), call.next(), call.next()];
    const client = this.#kernel.descriptors.client(fd);
    if (client === undefined) return this.#go(this.#head().word(EBADF).word(0));
    while (client.readable() === 0 && !client.atEof() && mayNotWait === 0) yield* this.#parked();
    this.#spentNs += HYPERCALL_NS;
    if (client.readable() === 0 && !client.atEof()) return this.#go(this.#head().word(ERRNO.EAGAIN).word(0));
    const octets = new Uint8Array(Math.min(max, client.readable()));
    client.read(octets, 0, octets.length);
    this.#lastRead.note(`descriptor ${fd}`, octets);
    this.#go(this.#head().word(0).octets(octets));
  }

  /** write(2) to a client's socket that has no room. */
  *#room(call: Words): Actor {
    const [fd, mayNotWait] = [call.next(), call.next()];
    const client = this.#kernel.descriptors.client(fd);
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
      requestOctetsInRings: this.#kernel.rings.unreadOctets,
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
    this.#kernel.rings.unmapAll();
    this.#instance++;
    if (this.#setup.handOver !== undefined) return yield* this.#handOver(this.#setup.handOver, passed);
    this.#spentNs += EXEC_NS;
    this.#go(this.#head().word(0).text(successor));
  }

  /** The process is no more, and what it had open stays so: somebody else goes on. */
  *#handOver(handOver: (what: HandedOver) => void, image: Uint8Array): Actor {
    this.#process.kill();
    yield EXEC_NS;
    this.#ended = 'it was succeeded';
    this.#kernel.handOver();
    handOver({ image, sockets: this.#kernel.descriptors.clients, updates: this.updates.length + 1 });
    if (this.#pending !== undefined) this.#isUp(this.#pending);
  }

  /** An image of the process begins: it is told what is open, as the kernel knows it. */
  #begin(): void {
    const own = ownThread();
    const answer = this.#head()
      .word(own?.thread ?? 0)
      .word(own?.cpu ?? 0);
    this.#kernel.tellWhatIsOpen(answer);
    answer.text(this.#setup.successor);
    this.#go(answer);
  }

  #isUp({ begun }: Pending): void {
    this.#pending = undefined;
    this.#tell({ phase: 'up', update: begun.n, imageBytes: begun.imageBytes });
    this.updates.push({ ...begun, outcome: 'ok', reason: '', pauseNs: this.#machine.nowNs - begun.atNs });
  }

  // The end ----------------------------------------------------------------------------------------------------------

  /** Nobody has ended it: what is known of its end is kept. */
  #die(how: string, seen = ''): void {
    const said = this.#process.lastWords;
    const end: DaemonEnd = { how, update: this.#pending?.begun.n, said, lastRead: this.#lastRead.texts };
    this.death = deathOf(end, this.#lastRead, seen, this.#setup.knownEnd(end));
    this.#leave(this.death.what);
  }

  /** The process is no more: the kernel closes what it had. */
  #leave(reason: string): void {
    this.#ended = reason;
    this.#tell({ phase: 'ended' });
    this.#kernel.end();
    this.#process.kill();
  }
}
