import type { Unnoticed } from './unnoticed.ts';

/** What a domain is called before, during and after its handover. */
export interface HandoverNames {
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
  readonly #sent = new Map<string, Handover>();
  /** Oldest first; of one guest there may be several, of attempts that came to nothing. */
  #received: Handover[] = [];

  /** Handovers that this host gives, and those that it gets. */
  get sent(): readonly Handover[] {
    return [...this.#sent.values()];
  }

  get received(): readonly Handover[] {
    return [...this.#received];
  }

  /** S: before the guest is asked. */
  sends(domid: number, names: HandoverNames, peer: string, unnoticed?: Unnoticed): Handover {
    const entry: Handover = { domid, names, peer, unnoticed, state: 'sending', isLeft: false };
    this.#sent.set(names.uuid, entry);
    return entry;
  }

  /** R: the domain is there, paused. What was decided of an attempt before stands for that one. */
  incoming(domid: number, names: HandoverNames, unnoticed?: Unnoticed): Handover {
    const entry: Handover = { domid, names, peer: '', unnoticed, state: 'incoming', isLeft: false };
    this.#received.push(entry);
    return entry;
  }

  /** The destination's word, asked by whoever has to know: what was not decided is refused by that. */
  decide(uuid: string): 'accepted' | 'refused' | 'running' {
    const entry = this.#received.findLast(({ names }) => names.uuid === uuid);
    if (entry === undefined) return 'refused';
    if (entry.state === 'incoming') entry.state = 'refused';
    return entry.state === 'accepted' || entry.state === 'running' ? entry.state : 'refused';
  }

  /** R has read a go. @returns whether it counts. */
  static accept(entry: Handover): boolean {
    if (entry.state === 'incoming') entry.state = 'accepted';
    return entry.state === 'accepted';
  }

  forgetSent(uuid: string): void {
    this.#sent.delete(uuid);
  }

  forgetReceived(entry: Handover): void {
    this.#received = this.#received.filter((each) => each !== entry);
  }
}
