import {
  type Actor,
  CONSOLE_CONNECTION,
  CONSOLE_IN,
  CONSOLE_OUT,
  type Frame,
  PARK,
  type Port,
  putOctets,
  takeOctets,
  used,
  XENCONSOLE_DISCONNECTED,
} from '../../sim/index.ts';
import { type Freezable, Freezer, type GuestOs, type Thread } from '../kernel/index.ts';

/** Virtual time of the driver's own work. */
const LOAD_NS = 20;
const COPY_NS_PER_16 = 4;
const STORE_NS = 15;
const SEND_NS = 250;
/** How often a driver that spins on a full ring, or waits to be connected, looks again. */
const SPIN_NS = 50_000;
/** Octets that the tty layer takes from the driver at a time. Source: linux drivers/tty/hvc/hvc_console.c, N_INBUF. */
const READ_BYTES = 16;

/** The page and the port that a builder made for a domain's first console. */
export interface ConsolePage {
  readonly ring: Frame;
  readonly port: Port;
}

export interface ConsoleHabits {
  /**
   * What the driver does while the page says that nobody serves it: `writes` knows no such octet, as kernels before 2026;
   * `drops` the output, as Linux does since; `waits` for the octet to become 0. Nobody sends an event for that.
   */
  readonly disconnected: 'writes' | 'drops' | 'waits';
  /** Octets that are published at a time: 16 of a kernel's messages, up to 256 of a program's. */
  readonly chunkBytes: number;
}

export const HVC_HABITS: ConsoleHabits = { disconnected: 'waits', chunkBytes: 256 };

/**
 * The guest's end of its console. One actor is the sole user of the ring; others hand it their output and do not wait.
 * Source: linux drivers/tty/hvc/hvc_xen.c, hvc_console.c.
 */
export class GuestConsole implements Freezable {
  readonly #os: GuestOs;
  #ring: Frame;
  #port: Port;
  readonly #freezer = new Freezer();
  readonly #habits: ConsoleHabits;
  #output: Uint8Array[] = [];
  #driver: Thread | undefined;
  /** Octets given up while nobody served the ring. */
  dropped = 0;
  /** Called with what was read. */
  onInput: ((bytes: Uint8Array) => void) | undefined = undefined;

  constructor(os: GuestOs, page: ConsolePage, habits: ConsoleHabits = HVC_HABITS) {
    this.#os = os;
    this.#ring = page.ring;
    this.#port = page.port;
    this.#habits = habits;
  }

  /** Start the driver. */
  start(): void {
    this.#driver = this.#os.start('hvc0', (me) => this.#run(me));
    this.#os.handle(this.#port, this.#driver);
  }

  freeze(me: Thread): Actor {
    return this.#freezer.freeze(me, this.#driver);
  }

  /** xen_console_resume: the ring is where the builder of the new domain says. */
  thaw(where: 'same' | 'new'): void {
    const { domain } = this.#os;
    const place = where === 'new' ? domain.startInfo?.console : undefined;
    const ring = place === undefined ? undefined : domain.memory.frame(place.gfn);
    if (place !== undefined && ring !== undefined) {
      this.#ring = ring;
      this.#port = place.port;
      if (this.#driver !== undefined) this.#os.handle(this.#port, this.#driver);
    }
    this.#freezer.thaw(this.#driver);
  }

  /** Queue output. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#output.push(bytes);
    this.#driver?.wake();
  }

  /** Whether all output is in the ring, or dropped. */
  get isIdle(): boolean {
    return this.#output.length === 0;
  }

  get #isDisconnected(): boolean {
    return this.#ring.bytes[CONSOLE_CONNECTION] === XENCONSOLE_DISCONNECTED;
  }

  *#run(_me: Thread): Actor {
    for (;;) {
      yield* this.#freezer.rest();
      this.#os.acknowledge(this.#port); // before the last look at the indexes (EVT-19)
      const hasRead = yield* this.#read();
      const sent = yield* this.#put();
      if (sent === 'stuck') yield SPIN_NS;
      else if (!hasRead && sent === 'idle') yield PARK;
    }
  }

  /** One piece of input, if there is any. */
  *#read(): Actor<boolean> {
    const ring = this.#ring;
    const cons = ring.load32(CONSOLE_IN.cons);
    const prod = ring.load32(CONSOLE_IN.prod);
    yield LOAD_NS;
    const waiting = used(prod, cons);
    if (waiting === 0 || waiting > CONSOLE_IN.size) return false;
    const bytes = takeOctets(ring.bytes, CONSOLE_IN, cons, Math.min(waiting, READ_BYTES));
    yield STORE_NS;
    ring.store32(CONSOLE_IN.cons, (cons + bytes.length) >>> 0, true);
    this.onInput?.(bytes);
    yield SEND_NS;
    this.#os.hyper.send(this.#port);
    return true;
  }

  /** One piece of output, as much of it as there is room for. */
  *#put(): Actor<'idle' | 'sent' | 'stuck'> {
    const ring = this.#ring;
    const first = this.#output[0];
    if (first === undefined) return 'idle';
    if (this.#habits.disconnected !== 'writes' && this.#isDisconnected) {
      if (this.#habits.disconnected === 'waits') return 'stuck';
      this.dropped += first.length;
      this.#output.shift();
      return 'sent';
    }
    const cons = ring.load32(CONSOLE_OUT.cons);
    const prod = ring.load32(CONSOLE_OUT.prod);
    yield LOAD_NS;
    const held = used(prod, cons);
    if (held >= CONSOLE_OUT.size) return 'stuck'; // full, or an index that cannot be
    const piece = first.subarray(0, Math.min(this.#habits.chunkBytes, CONSOLE_OUT.size - held));
    putOctets(ring.bytes, CONSOLE_OUT, prod, piece);
    ring.wrote();
    yield LOAD_NS + COPY_NS_PER_16 * (piece.length >> 4); // the fence between octets and index
    ring.store32(CONSOLE_OUT.prod, (prod + piece.length) >>> 0, true);
    if (piece.length === first.length) this.#output.shift();
    else this.#output[0] = first.subarray(piece.length);
    yield STORE_NS;
    this.#os.hyper.send(this.#port);
    yield SEND_NS;
    return 'sent';
  }
}
