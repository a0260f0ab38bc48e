import { type Actor, type Frame, FrontRing, type Gref, initIoRing, PARK, type Port } from '../../sim/index.ts';
import { Freezer, type Thread } from '../kernel/index.ts';
import { type BlkIo, BlkRequests, type PendingIo } from './blkfront-requests.ts';
import { BLKIF_PROTOCOL, BLKIF_SLOT_BYTES } from './blkif.ts';
import { finalCheck } from './final-check.ts';
import { FrontendStates } from './frontend-states.ts';
import type { DeviceName } from './observer.ts';
import { SECTOR_BYTES } from './sums.ts';
import type { Driver, DriverInstance, XenbusDevice } from './xenbus-device.ts';
import { XenbusState } from './xenbus-state.ts';

const STORE_NS = 15;
const LOAD_NS = 20;
const SEND_NS = 250;
const COPY_NS_PER_SECTOR = 20;

export interface BlkfrontOptions {
  /** Whether persistent grants are asked for. */
  readonly isPersistent: boolean;
  /** The disk can be used. Called once for each device. */
  readonly online: (disk: Blkfront) => void;
  /** The backend has given the disk up, or somebody takes it away: it is closing. Called once, with its name, if it is not gone. */
  readonly closing?: (name: DeviceName) => void;
}

/** xen-blkfront. Source: linux drivers/block/xen-blkfront.c. */
export class BlkfrontDriver implements Driver {
  readonly #options: BlkfrontOptions;

  constructor(options: BlkfrontOptions) {
    this.#options = options;
  }

  *probe(device: XenbusDevice): Actor<DriverInstance | undefined> {
    return new Blkfront(device, this.#options);
  }
}

/** One disk of a guest. */
export class Blkfront implements DriverInstance {
  readonly #device: XenbusDevice;
  readonly #options: BlkfrontOptions;
  readonly thread: Thread;
  readonly freezer = new Freezer();
  readonly #requests: BlkRequests;
  readonly #states: FrontendStates;
  #ring: FrontRing | undefined;
  #ringPage: { readonly frame: Frame; readonly gref: Gref } | undefined;
  #port: Port = 0;
  #isConnected = false;
  /** An event was taken, and a suspend came before all answers were. */
  #owesLook = false;
  /** Answers are impossible: the backend's index or id was. Nothing is done any more. */
  #isBroken = false;
  /** Who has the disk open; a close waits for them. */
  #users = 0;
  /** Asked to close while in use. */
  #mustClose = false;
  #isGone = false;
  #wasOnline = false;
  /** Capacity as the backend said it last. */
  sectors = 0;
  hasDiscard = false;

  constructor(device: XenbusDevice, options: BlkfrontOptions) {
    this.#device = device;
    this.#states = new FrontendStates(device, {
      talk: () => this.#talk(),
      connected: () => this.#backConnected(),
      close: () => this.#closing(),
      withdraw: () => this.#withdraw(),
    });
    this.#options = options;
    this.#requests = new BlkRequests(device, (why) => this.#break(why));
    this.thread = device.kernel.os.start(`blkfront.${device.id}`, () => this.#run());
  }

  get name(): string {
    return this.#device.name;
  }

  /** Whether its users should let go: the device is to be closed, or cannot be used. */
  get isClosing(): boolean {
    return this.#mustClose || this.#isGone || this.#isBroken;
  }

  /** Whether nothing is answered any more, not even what is under way: what the kernel calls disabled for further use. */
  get isDisabled(): boolean {
    return this.#isBroken;
  }

  /** Whether requests go to the backend now. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Answered requests leave here; those that are not are kept over a reconnection. */
  get inFlight(): number {
    return this.#requests.count;
  }

  open(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    const device = this.#device;
    if (this.#users === 0 && this.#mustClose) device.bus.post(device, () => device.switchState(XenbusState.Closed));
  }

  /** Ask for I/O without waiting; `wait` waits. `io.data`: whole sectors, none for a read, flush or discard. */
  submit(me: Thread, io: BlkIo): PendingIo {
    const pending = this.#requests.add(me, io);
    if (this.#mustClose && !this.#isConnected) this.#requests.fail();
    this.thread.wake();
    return pending;
  }

  *wait(pending: PendingIo): Actor<number> {
    while (pending.status === undefined) yield PARK;
    return pending.status;
  }

  /** Close the connection and make it anew, as a kernel does that finds the device in use; what is not answered is asked
   *  again on the new ring. */
  reopen(): void {
    const device = this.#device;
    device.bus.post(device, () => this.#beginReopen());
  }

  *#beginReopen(): Actor {
    if (!this.#isConnected || this.#mustClose || this.#states.isReopening) return;
    this.#isConnected = false;
    yield* this.#states.reopen();
  }

  otherendChanged(state: XenbusState): Actor {
    return this.#states.otherendChanged(state);
  }

  *#backConnected(): Actor {
    const device = this.#device;
    if (device.state === XenbusState.Initialising) yield* this.#talk();
    if (device.state === XenbusState.Initialised || device.state === XenbusState.Connected) yield* this.#connect();
  }

  *removed(): Actor {
    this.#isGone = true;
    this.#mustClose = true;
    this.#withdraw();
    this.#requests.end();
    this.thread.wake();
  }

  /** blkfront_resume: what was not answered goes onto the new ring before anything else (blkif_recover). */
  *resume(isThere: boolean): Actor {
    this.#states.restart();
    this.#withdraw(false);
    this.#mustClose = !isThere;
    if (isThere) yield* this.#talk();
  }

  /** talk_to_blkback: a ring, a port, and the keys that name them. */
  *#talk(): Actor {
    const device = this.#device;
    const { os, grants } = device.kernel;
    const frame = os.allocPage();
    initIoRing(frame);
    const gref = grants.grant(device.otherendId, frame);
    const port = os.hyper.allocUnbound(os.domain.domid, device.otherendId);
    if (gref === undefined || !port.ok) {
      yield* device.fail(port.ok ? 'no grant reference' : `allocating event channel: ${port.errno}`);
      return;
    }
    this.#ringPage = { frame, gref };
    this.#ring = new FrontRing(frame, BLKIF_SLOT_BYTES);
    this.#port = port.value;
    os.handle(port.value, this.thread);
    const isDone = yield* device.writeAll([
      ['ring-ref', String(gref)],
      ['event-channel', String(port.value)],
      ['protocol', BLKIF_PROTOCOL],
      ['feature-persistent', this.#options.isPersistent ? '1' : '0'],
    ]);
    if (!isDone) {
      yield* device.fail('writing ring keys');
      return;
    }
    device.note({ what: 'published', refs: [gref], ports: [port.value] });
    yield* device.switchState(XenbusState.Initialised);
  }

  /** blkfront_connect: the backend says what the disk is like; on a later Connected only its size can be new. */
  *#connect(): Actor {
    const device = this.#device;
    const sectors = yield* device.numberOther('sectors', -1);
    if (sectors < 0) {
      if (!this.#isConnected) yield* device.fail('reading sectors');
      return;
    }
    this.sectors = sectors;
    if (this.#isConnected) return;
    yield* device.numberOther('info', 0);
    yield* device.numberOther('sector-size', SECTOR_BYTES);
    yield* device.numberOther('physical-sector-size', SECTOR_BYTES);
    this.hasDiscard = (yield* device.numberOther('feature-discard', 0)) === 1;
    this.#requests.isPersistent =
      this.#options.isPersistent && (yield* device.numberOther('feature-persistent', 0)) === 1;
    yield* device.switchState(XenbusState.Connected);
    this.#isConnected = true;
    this.thread.wake();
    if (this.#wasOnline) return;
    this.#wasOnline = true;
    this.#options.online(this);
  }

  /** blkfront_closing: at once if nobody has the disk open, else when the last one lets go. */
  *#closing(): Actor {
    if (!this.#mustClose) this.#options.closing?.(this.name);
    this.#mustClose = true;
    // Of a backend that refused the new rings nobody gets an answer: what waits fails (blkif_queue_rq, where it is not connected).
    if (!this.#isConnected) this.#requests.fail();
    this.#requests.wakeUsers();
    if (this.#users > 0) return;
    yield* this.#device.switchState(XenbusState.Closed);
  }

  /** blkif_free: the ring goes; what was not answered is the first in the queue again, in its old order. `hasPorts`: the domain is
   *  the one in which they were made. */
  #withdraw(hasPorts = true): void {
    const { os, grants } = this.#device.kernel;
    this.#isConnected = false;
    if (this.#ringPage === undefined) return;
    grants.endAndFree(this.#ringPage.gref, this.#ringPage.frame);
    if (hasPorts) os.closePort(this.#port);
    this.#ringPage = undefined;
    this.#ring = undefined;
    this.#requests.requeue();
    this.#device.note({ what: 'withdrawn' });
  }

  /** The ring's only user. An event has it take answers (blkif_interrupt); asked for I/O it puts requests and looks at no answer
   *  (kick_pending_request_queues): one that was announced by nobody is not found by the next request. */
  *#run(): Actor {
    const { os } = this.#device.kernel;
    while (!this.#isGone) {
      yield* this.freezer.rest();
      const ring = this.#ring;
      const isInUse = () => this.#ring === ring && this.#isConnected && !this.#isBroken && !this.freezer.isFrozen;
      if (ring === undefined || !isInUse()) {
        yield PARK;
        continue;
      }
      let mayBeAnswered = os.acknowledge(this.#port) || this.#owesLook;
      this.#owesLook = false;
      while (mayBeAnswered && isInUse()) {
        yield* this.#takeAnswers(ring, isInUse);
        mayBeAnswered = isInUse() && (yield* finalCheck(ring, 0, isInUse));
      }
      if (!isInUse()) {
        this.#owesLook = this.freezer.isFrozen;
        continue;
      }
      const put = this.#requests.put(ring);
      if (put > 0) {
        yield STORE_NS * put;
        if (this.#ring !== ring) continue;
        const before = ring.publish();
        yield LOAD_NS;
        if (this.#ring === ring && ring.shouldNotify(before)) {
          os.hyper.send(this.#port);
          yield SEND_NS;
        }
      }
      if (this.#ring !== ring || (this.#requests.hasQueued && ring.free > 0)) continue;
      yield PARK;
    }
  }

  *#takeAnswers(ring: FrontRing, isInUse: () => boolean): Actor {
    const answers = ring.pending();
    if (answers < 0) this.#break('impossible response index');
    for (let i = 0; i < answers && isInUse(); i++) {
      const sectors = this.#requests.takeAnswer(ring);
      yield LOAD_NS + sectors * COPY_NS_PER_SECTOR;
    }
  }

  #break(why: string): void {
    this.#isBroken = true;
    this.#device.note({ what: 'stopped', side: 'front', why });
    this.#requests.wakeUsers();
  }
}
