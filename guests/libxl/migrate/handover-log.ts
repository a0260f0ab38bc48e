import type { Unnoticed } from './unnoticed.ts';

/** What a domain is called before, during and after its handover. */
export interface HandoverNames {
  /** Of this attempt, told to the destination in the first text: the same guest may have come and gone before. */
  readonly attempt: number;
  readonly uuid: string;
  readonly here: string;
  /** At the source from before the go, at the destination until after it. */
  readonly passing: string;
}

/** How far a handover has come by one host's own knowledge. */
export type HandoverState =
  /** Source: the guest is to be parked, and no go was written. */
  | 'sending'
  /** Source: the go may have arrived. */
  | 'go written'
  /** Destination: it came, and no go was read. */
  | 'incoming'
  /** Destination: the go counts: the guest is to run here. */
  | 'accepted'
  /** Destination: no go counts any more, whenever it comes. */
  | 'refused'
  /** It runs at the destination, and both know it or need not ask. */
  | 'running';

export interface Handover {
  readonly domid: number;
  readonly names: HandoverNames;
  /** The other host. */
  readonly peer: string;
  /** How a guest moves that is not asked; absent: it is. */
  readonly unnoticed?: Unnoticed | undefined;
  state: HandoverState;
  /** Whether the process that keeps the entry has ended. */
  isLeft: boolean;
}

/**
 * What a host remembers of handovers in a place that outlives its processes (`handoverLog`) [sim]. xl has nothing like it: each
 * side acts on what it has read, and there is a window in which the source cannot know (XM-5). Here the destination alone decides:
 * its entry goes from `incoming` to `accepted` or to `refused`, once, and whoever comes later finds it decided.
 */
export class HandoverLog {
  /** By attempt. */
  readonly #sent = new Map<number, Handover>();
  readonly #received = new Map<number, Handover>();

  /** Handovers that this host gives, and those that it gets. */
  get sent(): readonly Handover[] {
    return [...this.#sent.values()];
  }

  get received(): readonly Handover[] {
    return [...this.#received.values()];
  }

  /**
   * S: before the guest is asked. An attempt before that had not come to its go is over: 1. S dies, and its entry waits for a guest that
   * parks late. 2. The guest does not, and goes on. 3. Another S asks it to park. 4. It parks for that one: who took it back now would
   * take it out of the hands of the second.
   */
  sends(domid: number, names: HandoverNames, peer: string, unnoticed?: Unnoticed): Handover {
    for (const before of this.sent) if (before.domid === domid && before.state === 'sending') this.forgetSent(before);
    const entry: Handover = { domid, names, peer, unnoticed, state: 'sending', isLeft: false };
    this.#sent.set(names.attempt, entry);
    return entry;
  }

  /** R: the domain is there, paused. What was decided of an attempt before stands for that one. */
  incoming(domid: number, names: HandoverNames, unnoticed?: Unnoticed): Handover {
    const entry: Handover = { domid, names, peer: '', unnoticed, state: 'incoming', isLeft: false };
    this.#received.set(names.attempt, entry);
    return entry;
  }

  /** The destination's word, asked by whoever has to know: what was not decided is refused by that. */
  decide(attempt: number): 'accepted' | 'refused' | 'running' {
    const entry = this.#received.get(attempt);
    if (entry === undefined) return 'refused';
    if (entry.state === 'incoming') entry.state = 'refused';
    return entry.state === 'accepted' || entry.state === 'running' ? entry.state : 'refused';
  }

  /** R has read a go. @returns whether it counts. */
  static accept(entry: Handover): boolean {
    if (entry.state === 'incoming') entry.state = 'accepted';
    return entry.state === 'accepted';
  }

  forgetSent({ names }: Handover): void {
    this.#sent.delete(names.attempt);
  }

  forgetReceived({ names }: Handover): void {
    this.#received.delete(names.attempt);
  }
}
