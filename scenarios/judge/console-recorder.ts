import type { XenconsoledOptions } from '../../guests/index.ts';
import { CONSOLE_IN, CONSOLE_OUT, type Domain, type Frame, type Machine, takeOctets, used } from '../../sim/index.ts';
import type { ConsoleEpoch, ConsoleHistory, ConsoleRecord } from './invariants/console.ts';

type Body = ConsoleRecord extends infer R
  ? R extends ConsoleRecord
    ? Omit<R, 'seq' | 'timeNs' | 'console'>
    : never
  : never;

/**
 * Writes down what moves on console pages and terminals, from outside of the programs that move it: index stores as they
 * become visible, and what the terminals take. Observing never changes a run.
 */
export class ConsoleRecorder {
  readonly #machine: Machine;
  readonly #overflow: XenconsoledOptions['overflow'];
  readonly #seq: () => number;
  readonly #consoles: Domain[] = [];
  readonly #records: ConsoleRecord[] = [];
  readonly #byRing = new Map<Frame, number>();
  /** The console that is served, by domid. */
  readonly #served = new Map<number, number>();

  /** @param seq the present position in the run's history. */
  constructor(machine: Machine, overflow: XenconsoledOptions['overflow'], seq: () => number = () => 0) {
    this.#machine = machine;
    this.#overflow = overflow;
    this.#seq = seq;
  }

  /** Follow a domain's console page from now on; without being told, it is followed from when the daemon serves it. */
  follow(domain: Domain, ring: Frame): number {
    const console = this.#consoles.length;
    this.#consoles.push(domain);
    this.#byRing.set(ring, console);
    ring.subscribe((offset, before, after, byOwner) => {
      const [dir, kind] = MOVES.get(offset) ?? [];
      if (dir === undefined || kind === undefined || before === after) return;
      const layout = dir === 'out' ? CONSOLE_OUT : CONSOLE_IN;
      const isProducer = byOwner === (dir === 'out');
      if (isProducer !== (kind === 'publish')) return; // an index of the other end: a hostile guest's affair
      const bytes = takeOctets(ring.bytes, layout, before, Math.min(used(after, before), layout.size));
      this.#add(console, { kind, dir, bytes });
    });
    return console;
  }

  /** What the console daemon tells. */
  readonly observer: NonNullable<XenconsoledOptions['observer']> = {
    connected: (domid, ring, pty, limit) => {
      const domain = this.#machine.domain(domid);
      if (domain === undefined) return;
      const console = this.#byRing.get(ring) ?? this.follow(domain, ring);
      this.#served.set(domid, console);
      this.#add(console, { kind: 'served', limit, overflow: this.#overflow });
      pty.tap = (by, bytes) => this.#add(console, { kind: 'tty', dir: by === 'master' ? 'out' : 'in', bytes });
    },
    closed: (domid) => {
      const console = this.#served.get(domid);
      if (console !== undefined) this.#add(console, { kind: 'closed' });
      this.#served.delete(domid);
    },
  };

  history(): ConsoleHistory {
    const consoles = this.#consoles.map(
      ({ domid, uniqueId, name, isRunning, memory }): ConsoleEpoch => ({
        domid,
        uniqueId,
        name,
        keepsRing: !memory.translated,
        isRunning,
      }),
    );
    return { consoles, records: this.#records };
  }

  #add(console: number, body: Body): void {
    this.#records.push({ seq: this.#seq(), timeNs: this.#machine.nowNs, console, ...body } as ConsoleRecord);
  }
}

/** Which index lies at a page offset. */
const MOVES = new Map([
  [CONSOLE_OUT.prod, ['out', 'publish']],
  [CONSOLE_OUT.cons, ['out', 'consume']],
  [CONSOLE_IN.prod, ['in', 'publish']],
  [CONSOLE_IN.cons, ['in', 'consume']],
] as const);
