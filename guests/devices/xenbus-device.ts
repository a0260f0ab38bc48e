import type { Actor, Domid } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import type { Freezer, Thread, Waiting } from '../kernel/index.ts';
import type { KeyValues, Xs } from '../xenstore/index.ts';
import type { DeviceKernel } from './kernel.ts';
import type { DeviceName, DeviceNews, Side } from './observer.ts';
import { parseState, XenbusState } from './xenbus-state.ts';

/** Rounds of a transaction before the driver gives up: in life there is no limit. */
const ROUNDS_MAX = 100_000;

/** What an end of a device does at its occasions; each is called in the bus's own thread, one after the other. */
export interface DriverInstance {
  /** The other end's state was looked at: also when it is what it was (HS-3). */
  otherendChanged(state: XenbusState): Actor;
  /** The device is going: let go of everything. */
  removed(): Actor;
  /**
   * The kernel has found itself in another domain (K11): rings, grants and ports of the old one are no more, its ports without
   * being closed (INV-M11), and the other end is a new one, or there is none (`isThere`). Left out: a driver whose kernel is
   * never saved.
   */
  resume?(isThere: boolean): Actor;
  /** Its own thread stands still, and goes on. Left out: it has none. */
  readonly freezer?: Freezer;
  readonly thread?: Thread;
  /** A backend's part when its frontend moves without being asked; left out: such a frontend stays. */
  readonly ring?: RingInUse;
}

/**
 * [sim] A backend and the ring of a frontend that does not know that it moves. None of this writes a node: the frontend sees no
 * transition (NC-31). Its steps are those of BackendMoves.
 */
export interface RingInUse {
  /** Whether a ring is mapped and served. */
  readonly isServed: boolean;
  /** NF4: take no more, answer what was taken, let go of everything of the frontend's. */
  drain(): Actor;
  /** Map the ring as it is and bind its port, and do nothing yet. @returns why it cannot; then nothing is mapped. */
  attach(): Actor<string | undefined>;
  /** From now on it is served; the frontend gets an event, whether there is a reason or not. */
  serve(): void;
}

/** A kind of device that a bus knows. `undefined` from probe: it cannot be driven. */
export interface Driver {
  probe(device: XenbusDevice): Actor<DriverInstance | undefined>;
  /** [sim] Of a device that was connected at another host, whose nodes have come as they were there: nothing is written. Left out:
   *  of such a device it knows nothing. @returns why it cannot be driven here (NC-32). */
  adopt?(device: XenbusDevice): Actor<DriverInstance | string>;
}

/** What a device asks of its bus. */
export interface DeviceBus {
  /** Watch a path on behalf of a device; `run` is called in the bus's thread with each event. @returns the token; `undefined`:
   *  the store refused. */
  watch(device: XenbusDevice, path: string, run: () => Actor): Actor<string | undefined>;
  unwatch(path: string, token: string): Actor;
  /** Have something done in the bus's thread; anybody may ask. */
  post(device: XenbusDevice, run: () => Actor): void;
}

/** One end of a device on its bus. Source: linux drivers/xen/xenbus/xenbus_client.c. */
export class XenbusDevice {
  readonly kernel: DeviceKernel;
  readonly bus: DeviceBus;
  /** The bus thread's operations. */
  readonly xs: Xs;
  readonly side: Side;
  /** Own directory, relative: `device/vif/0`, `backend/vif/3/0`. */
  readonly nodename: string;
  readonly kind: string;
  readonly id: number;
  /** Another one where its domain has another id. */
  name: DeviceName;
  /** The other end's directory and domain; others after a restore. */
  otherend: string;
  otherendId: Domid;
  /** Own state as last written. */
  state: XenbusState = XenbusState.Initialising;
  /** When that was. */
  #stateNs: number;
  /** The other end's state as it was looked at last, and when. */
  #seen: { readonly state: XenbusState; readonly atNs: number } | undefined;
  /** Why it was given up last, and when. */
  #failure: { readonly why: string; readonly atNs: number } | undefined;
  /** What the driver waits for beside the other end's state. */
  waits: () => string | undefined = () => undefined;
  /** The driver wants the device unregistered. */
  isUnregistered = false;

  constructor(
    bus: DeviceBus,
    kernel: DeviceKernel,
    xs: Xs,
    node: {
      readonly side: Side;
      readonly nodename: string;
      readonly otherend: string;
      readonly otherendId: Domid;
    },
  ) {
    this.bus = bus;
    this.kernel = kernel;
    this.xs = xs;
    this.side = node.side;
    this.nodename = node.nodename;
    this.otherend = node.otherend;
    this.otherendId = node.otherendId;
    const parts = node.nodename.split('/');
    this.kind = parts[1] ?? '';
    this.id = Number(parts[parts.length - 1]);
    const domid = node.side === 'front' ? kernel.os.domain.domid : node.otherendId;
    this.name = `${this.kind}/${domid}/${this.id}`;
    this.#stateNs = kernel.os.machine.nowNs;
    kernel.os.waitsFor(this.#who, () => this.#story());
  }

  /** talk_to_otherend in xenbus_dev_resume: who the other end is now. Of the own state the bus begins anew. */
  movedTo(otherend: string, otherendId: Domid): void {
    this.forget();
    this.otherend = otherend;
    this.otherendId = otherendId;
    const { os } = this.kernel;
    this.name = `${this.kind}/${this.side === 'front' ? os.domain.domid : otherendId}/${this.id}`;
    this.state = XenbusState.Initialising;
    this.#stateNs = os.machine.nowNs;
    this.#seen = undefined;
    os.waitsFor(this.#who, () => this.#story());
  }

  /** The own state is what the node says, whoever wrote it. */
  *stateAsFound(): Actor<XenbusState> {
    this.state = parseState(yield* this.read('state'));
    return this.state;
  }

  /** The device is no more: it waits for nothing. */
  forget(): void {
    this.kernel.os.waitsFor(this.#who);
  }

  get #who(): string {
    return `${this.name} ${this.side}end`;
  }

  /** What it waits for; `undefined`: it is connected, or closed and done with. */
  #story(): Waiting | undefined {
    const [seen, failure] = [this.#seen, this.#failure];
    const wanted = this.waits() ?? waitedFor(this.kind, this.side, this.state, seen?.state);
    if (wanted === undefined && failure === undefined) return undefined;
    const other = this.side === 'front' ? 'backend' : 'frontend';
    const what = [
      wanted === undefined ? 'nobody' : wanted,
      `in state ${this.state}`,
      seen === undefined ? `has not seen its ${other}` : `saw its ${other} in state ${seen.state} at ${ms(seen.atNs)}`,
      ...(failure === undefined ? [] : [`gave up at ${ms(failure.atNs)}: ${failure.why}`]),
    ].join('; ');
    return { what, sinceNs: this.#stateNs };
  }

  note(news: DeviceNews): void {
    this.kernel.observer?.note(this.name, news);
  }

  /** A key of the own directory; `undefined`: it cannot be read. */
  *read(key: string): Actor<string | undefined> {
    return yield* readText(this.xs, `${this.nodename}/${key}`);
  }

  /** A key of the other end's directory. */
  *readOther(key: string): Actor<string | undefined> {
    return yield* readText(this.xs, `${this.otherend}/${key}`);
  }

  /** A whole number from the other end, or `otherwise` where it says none. */
  *numberOther(key: string, otherwise: number): Actor<number> {
    const value = yield* this.readOther(key);
    return value !== undefined && /^[0-9]{1,10}$/.test(value) ? Number(value) : otherwise;
  }

  write(key: string, value: string, tx = 0): Actor<unknown> {
    return this.xs.write(`${this.nodename}/${key}`, value, tx);
  }

  /** Write keys in one transaction. @returns whether they were. */
  *writeAll(keys: KeyValues): Actor<boolean> {
    const { xs, nodename } = this;
    const done = yield* xs.transaction(function* (tx) {
      for (const [key, value] of keys)
        if ((yield* xs.write(`${nodename}/${key}`, value, tx)).error !== undefined) return undefined;
      return true;
    }, ROUNDS_MAX);
    return 'value' in done;
  }

  /** xenbus_switch_state (HS-2): a transaction that writes the state only where one is, so that a node which was removed is
   *  not brought back. */
  *switchState(state: XenbusState): Actor {
    if (state === this.state) return;
    yield* this.writeState(state);
  }

  /**
   * As switchState(), also where it is the same again. A state that cannot be written, as in a transaction that an update by force
   * has broken, is fatal: the end closes, once. Source: Linux, drivers/xen/xenbus/xenbus_client.c, __xenbus_switch_state.
   */
  *writeState(state: XenbusState, also: KeyValues = [], isLast = false): Actor {
    const { xs, nodename } = this;
    const fatal = (why: string) => this.#fatal(why, isLast);
    const done = yield* xs.transaction(function* (tx) {
      const there = yield* xs.read(`${nodename}/state`, tx);
      if (there.error !== undefined) return undefined;
      for (const [key, value] of also) yield* xs.write(`${nodename}/${key}`, value, tx);
      const { error } = yield* xs.write(`${nodename}/state`, String(state), tx);
      if (error === undefined) return true;
      yield* fatal(`${error} writing new state`);
      return undefined;
    }, ROUNDS_MAX);
    if ('error' in done && done.error !== 'aborted') {
      yield* fatal(`${done.error} ending transaction`);
      return;
    }
    this.state = state;
    this.#stateNs = this.kernel.os.machine.nowNs;
    if (state === XenbusState.Connected) this.#failure = undefined;
    if ('value' in done) this.note({ what: 'state', side: this.side, state });
  }

  /** xenbus_switch_fatal: as fail(), but that a close which fails is the end of it. */
  *#fatal(why: string, isLast: boolean): Actor {
    this.#failure = { why, atNs: this.kernel.os.machine.nowNs };
    yield* this.xs.write(`error/${this.nodename}/error`, why);
    if (!isLast && this.state !== XenbusState.Closing) yield* this.writeState(XenbusState.Closing, [], true);
  }

  /** xenbus_dev_fatal (HS-4): say why in the own tree, and close. */
  *fail(why: string): Actor {
    this.#failure = { why, atNs: this.kernel.os.machine.nowNs };
    yield* this.xs.write(`error/${this.nodename}/error`, why);
    yield* this.switchState(XenbusState.Closing);
  }

  /** Whether the toolstack wants the device to stay. */
  *isOnline(): Actor<boolean> {
    return (yield* this.read('online')) === '1';
  }

  *otherendState(): Actor<XenbusState> {
    const state = parseState(yield* this.readOther('state'));
    this.#seen = { state, atNs: this.kernel.os.machine.nowNs };
    return state;
  }
}

/** Which state of the other end lets a state machine go on; `undefined`: it is where it can stay. */
function waitedFor(kind: string, side: Side, own: XenbusState, other: XenbusState | undefined): string | undefined {
  const isFront = side === 'front';
  switch (own) {
    case XenbusState.Initialising:
      return isFront ? 'backend state 2' : undefined;
    case XenbusState.InitWait:
      return `frontend state ${kind === 'vbd' ? 3 : 4}`;
    case XenbusState.Initialised:
      return 'backend state 4';
    case XenbusState.Connected:
      if (other === XenbusState.Connected || (!isFront && other === XenbusState.Initialised)) return undefined;
      if (other === XenbusState.Closing || other === XenbusState.Closed)
        return `nobody: state ${other} of its ${isFront ? 'backend' : 'frontend'} is for it to answer`;
      return `${isFront ? 'backend' : 'frontend'} state 4`;
    case XenbusState.Closing:
      return isFront ? 'backend state 5 or 6, or its users' : 'frontend state 6';
    default:
      return undefined;
  }
}

function ms(ns: number): string {
  return `${(ns / 1_000_000).toFixed(3)} ms`;
}

/** A node's value as text; `undefined` where there is none to be read. */
export function* readText(xs: Xs, path: string): Actor<string | undefined> {
  const reply = yield* xs.read(path);
  return reply.error === undefined ? text(reply.payload) : undefined;
}
