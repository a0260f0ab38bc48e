import type { Domain, Machine, TraceEvent } from '../../sim/index.ts';

/** Events that are kept. */
const LAST = 30;

/** A run that ended in a mistake of ours: an assertion, or anything else that was thrown. */
export interface Failure {
  /** Its message. */
  readonly what: string;
  /** The task in whose step it was thrown; '' between steps: in what a timer does, or in a check of the machine. */
  readonly actor: string;
  readonly step: number;
  readonly timeNs: number;
  /** The last events before it, oldest first. */
  readonly events: readonly TraceEvent[];
  readonly stack: string;
}

/** Looks on in a run that is checked: its last events, its last fault, who is dying, and how much has been done. */
export class Witness {
  readonly #machine: Machine;
  readonly #events: TraceEvent[] = [];
  readonly #dyingNs = new Map<bigint, number>();
  #next = 0;
  /** The last fault that struck. */
  lastFault: { readonly id: string; readonly timeNs: number; readonly detail: string } | undefined;
  /** Steps in the lives of domains and of the store's process. */
  lives = 0;
  /** Moves of messages: in and out of rings and sockets. */
  messages = 0;
  /** When the last one was. */
  messageNs = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    machine.trace.observe((event) => this.#note(event));
  }

  /** Since when a domain is on its way out. */
  dyingSince({ uniqueId }: Pick<Domain, 'uniqueId'>): number | undefined {
    return this.#dyingNs.get(uniqueId);
  }

  #note(event: TraceEvent): void {
    this.#events[this.#next] = event;
    this.#next = (this.#next + 1) % LAST;
    switch (event.kind) {
      case 'index':
      case 'socket':
        if (event.kind === 'socket' && event.count === 0) break;
        this.messages++;
        this.messageNs = event.timeNs;
        break;
      case 'life':
        this.lives++;
        if (event.what === 'dying') this.#dyingNs.set(event.uniqueId, event.timeNs);
        break;
      case 'store':
        if (event.phase !== 'no-memory') this.lives++;
        break;
      case 'mark':
        if (event.actor !== 'faults') break;
        this.lastFault = { id: event.what, timeNs: event.timeNs, detail: event.detail };
        break;
      default:
    }
  }

  /** What was thrown just now, out of a step or from between two. */
  failure(thrown: unknown): Failure {
    const { scheduler, nowNs } = this.#machine;
    return {
      ...said(thrown),
      actor: scheduler.running?.name ?? '',
      step: scheduler.steps,
      timeNs: nowNs,
      events: [...this.#events.slice(this.#next), ...this.#events.slice(0, this.#next)],
    };
  }
}

/** What was thrown before there was a run to look at. */
export function earlyFailure(thrown: unknown): Failure {
  return { ...said(thrown), actor: '', step: 0, timeNs: 0, events: [] };
}

function said(thrown: unknown): Pick<Failure, 'what' | 'stack'> {
  if (!(thrown instanceof Error)) return { what: String(thrown), stack: '' };
  const { name, message, stack = '' } = thrown;
  return { what: name === 'Error' ? message : `${name}: ${message}`, stack };
}
