import { type ClientHabits, GuestOs, type Thread, XsClient } from '../../../guests/index.ts';
import {
  type Actor,
  CONNECTION,
  copyOctets,
  type Frame,
  Hypercalls,
  loneMachine,
  NO_JITTER,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  RSP_AT,
  RSP_CONS,
  RSP_PROD,
  used,
  XENSTORE_CONNECTED,
} from '../../../sim/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { textOf } from '../../../store/protocol/octets.ts';
import { message } from '../../../store/protocol/wire.ts';

export interface Seen {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  /** `^` stands for NUL. */
  readonly payload: string;
}

/** A guest with a client, and on the other side of its ring the test itself, which plays the store by hand. */
export class Peer {
  readonly machine = loneMachine({ seed: '1', jitter: NO_JITTER });
  readonly os: GuestOs;
  ring: Frame;
  readonly client: XsClient;
  readonly #dom0: Hypercalls;
  #local: number;
  /** Every index store of the guest: `req_prod 16`, `rsp_cons 3`; and `send`. */
  readonly log: string[] = [];
  #requests = new MessageReader('believed');

  constructor(
    habits: ClientHabits,
    start: { readonly resetDevices?: boolean; readonly before?: (ring: Frame) => void } = {},
  ) {
    const { machine } = this;
    machine.unpause(machine.createDomain(0, 'dom0'));
    const guest = machine.createDomain(1, 'guest');
    this.#dom0 = new Hypercalls(machine, machine.domain(0) as typeof guest);
    this.os = new GuestOs(machine, guest);
    this.ring = this.os.allocPage();
    start.before?.(this.ring);
    const remote = value(this.os.hyper.allocUnbound(1, 0));
    this.#local = value(this.#dom0.bindInterdomain(1, remote));
    machine.unpause(guest);
    this.client = new XsClient(this.os, this.ring, remote, { ...habits, tornOneIn: 0 });
    this.client.start(start);
    this.#listen();
    machine.trace.observe((e) => {
      if (e.kind === 'send' && e.domid === 1) this.log.push('send');
    });
    this.run();
    this.log.length = 0;
  }

  /** The guest goes on with a page of zeros and another port, as in a new domain. */
  resume(name = 'resumer'): void {
    const page = this.os.allocPage();
    const remote = value(this.os.hyper.allocUnbound(1, 0));
    this.#local = value(this.#dom0.bindInterdomain(1, remote));
    this.ring = page;
    this.#requests = new MessageReader('believed');
    this.#listen();
    this.start(name, (me) => this.client.resume(me, page, remote));
  }

  /** What INTRODUCE does to a ring that the store has: nothing is on its way, and the wish in its word is granted. */
  connectAnew(): void {
    for (const word of [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD]) this.ring.store32(word, 0, false);
    this.ring.store32(CONNECTION, XENSTORE_CONNECTED, false);
    this.#requests = new MessageReader('believed');
    this.signal();
  }

  #listen(): void {
    this.ring.subscribe((offset, before, after, byOwner) => {
      const name = { [REQ_PROD]: 'req_prod', [RSP_CONS]: 'rsp_cons', [REQ_CONS]: 'req_cons', [RSP_PROD]: 'rsp_prod' }[
        offset
      ];
      if (byOwner && name !== undefined && before !== after) this.log.push(`${name} ${after}`);
    });
  }

  run(ns = 1_000_000): void {
    this.machine.scheduler.run(this.machine.nowNs + ns);
  }

  /** Start a program in the guest, and let everything come to rest. */
  start(name: string, body: (me: Thread) => Actor): Thread {
    const me = this.os.start(name, body);
    this.run();
    return me;
  }

  /** Consume at most `max` octets of requests; the whole messages among all that were consumed so far. */
  take(max = RING_BYTES): Seen[] {
    const { ring } = this;
    const cons = ring.load32(REQ_CONS);
    const count = Math.min(max, used(ring.load32(REQ_PROD), cons));
    for (let i = 0; i < count; i++) this.#requests.push(ring.bytes, (cons + i) & (RING_BYTES - 1), 1);
    ring.store32(REQ_CONS, (cons + count) >>> 0, false);
    const seen: Seen[] = [];
    for (let m = this.#requests.shift(); m !== undefined; m = this.#requests.shift())
      seen.push({ ...m, payload: textOf(m.payload).replaceAll('\0', '^') });
    return seen;
  }

  /** Take everything and say so, until nothing more comes. */
  drain(): Seen[] {
    const all: Seen[] = [];
    for (;;) {
      const before = this.ring.load32(REQ_CONS);
      all.push(...this.take());
      this.signal();
      if (this.ring.load32(REQ_CONS) === before) return all;
    }
  }

  /** Put octets where the guest reads; as much as there is room for. @returns how many. */
  put(bytes: Uint8Array, max = bytes.length): number {
    const { ring } = this;
    const prod = ring.load32(RSP_PROD);
    const count = Math.min(max, bytes.length, RING_BYTES - used(prod, ring.load32(RSP_CONS)));
    for (let i = 0; i < count; i++) copyOctets(bytes, i, ring.bytes, RSP_AT + ((prod + i) & (RING_BYTES - 1)), 1);
    ring.store32(RSP_PROD, (prod + count) >>> 0, false);
    return count;
  }

  /** Write a whole message, signal, and let the guest act. */
  say(type: number, reqId: number, payload: string, txId = 0): void {
    const bytes = message(type, reqId, txId, octets(payload));
    for (let at = 0; at < bytes.length; ) {
      const n = this.put(bytes.subarray(at));
      this.signal();
      if (n === 0) return;
      at += n;
    }
  }

  signal(): void {
    this.#dom0.send(this.#local);
    this.run();
  }

  /** What was logged since the last call. */
  logged(): string[] {
    return this.log.splice(0);
  }
}

export function octets(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll('^', '\0'), (c) => c.charCodeAt(0));
}

export function shown(bytes: Uint8Array): string {
  return textOf(bytes).replaceAll('\0', '^');
}

function value<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errno: string },
): T {
  if (!result.ok) throw new Error(`assertion: ${result.errno}`);
  return result.value;
}
