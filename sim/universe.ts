import { SavedContexts } from './domains/vcpu-context.ts';
import { Link, type LinkTraits } from './link.ts';
import { Machine } from './machine.ts';
import { Streams } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { type Jitter, NO_JITTER, Timeline } from './timeline.ts';
import { Journal, Trace } from './trace.ts';

export interface UniverseOptions {
  /** Decimal digits. */
  readonly seed: string;
  readonly jitter?: Jitter;
}

/**
 * Hosts on one timeline, with one record and one seed. The first host is as it would be alone: same draws, same digest; a
 * further one adds its own and changes nobody's.
 */
export class Universe {
  readonly journal = new Journal();
  readonly timeline: Timeline;
  readonly #streams: Streams;
  readonly #machines = new Map<string, Machine>();
  readonly #contexts = new SavedContexts();

  constructor(options: UniverseOptions) {
    this.timeline = new Timeline(this.journal, options.jitter ?? NO_JITTER);
    this.#streams = new Streams(options.seed);
  }

  /** A further host. Virtual time is the same for all; what a wall clock says may differ, and would be given here. */
  add(name: string): Machine {
    if (this.#machines.has(name)) throw new Error(`assertion: a second host ${name}`);
    const host = this.#machines.size;
    const machine = new Machine({
      trace: new Trace(this.journal, host),
      streams: host === 0 ? this.#streams : this.#streams.ofHost(name),
      scheduler: new Scheduler(this.timeline),
      machines: () => this.machines,
      contexts: this.#contexts,
    });
    this.#machines.set(name, machine);
    return machine;
  }

  /** A link between two programs, of whatever hosts. */
  link(traits?: LinkTraits): Link {
    return new Link(this.timeline, traits);
  }

  /** By the numbers that events bear. */
  get machines(): readonly Machine[] {
    return [...this.#machines.values()];
  }
}

/** A host that shares nothing with anybody. */
export function loneMachine(options: UniverseOptions): Machine {
  return new Universe(options).add('host');
}
