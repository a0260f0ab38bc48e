import type { Actor } from '../../../sim/index.ts';
import type { Thread } from '../../kernel/index.ts';
import { Call } from '../call.ts';
import { domainUnpause } from '../create.ts';
import { domainDestroy } from '../destroy.ts';
import { domainRename } from '../domain-tree.ts';
import type { Libxl } from '../process.ts';
import { resumeGuest } from '../suspend.ts';
import type { Handover, HandoverLog } from './handover-log.ts';
import { resumeUnnoticed, serveAgain } from './unnoticed.ts';

/** How often it looks for handovers that nobody works on, ns. */
const LOOK_NS = 50_000_000;

export interface AgentPlan {
  readonly log: HandoverLog;
  /** Ask a destination's log; `undefined`: it is not to be reached now. */
  readonly ask: (host: string, attempt: number) => Actor<'accepted' | 'refused' | 'running' | undefined>;
  /** A destination has refused: what was given is the source's again. */
  readonly takenBack: (attempt: number, domid: number) => void;
  /** Whether there is nothing more to come. */
  readonly isOver: () => boolean;
}

/**
 * What looks after handovers whose process has ended, one on each host [sim]: a guest that was parked and not given away goes on, a
 * copy that will never be started goes, one whose go was accepted is started, a source whose guest runs elsewhere goes. What the
 * source cannot know it asks of the destination, as often as it takes (FP-36, without the administrator).
 */
export function* handoverAgent(me: Thread, xl: Libxl, plan: AgentPlan): Actor {
  const agent = new HandoverAgent(new Call(xl, me), plan);
  while (!plan.isOver()) {
    yield LOOK_NS;
    yield* agent.look();
  }
}

class HandoverAgent {
  readonly #call: Call;
  readonly #plan: AgentPlan;

  constructor(call: Call, plan: AgentPlan) {
    this.#call = call;
    this.#plan = plan;
  }

  *look(): Actor {
    const { log } = this.#plan;
    const call = this.#call;
    for (const entry of log.received) if (entry.isLeft) yield* call.locked(() => this.#received(entry));
    for (const entry of log.sent) if (entry.isLeft) yield* call.locked(() => this.#sent(entry));
  }

  /** The destination: what is decided is done, and what is not is refused. */
  *#received(entry: Handover): Actor {
    const call = this.#call;
    const { log } = this.#plan;
    const { domid, names } = entry;
    if (!this.#isThere(domid)) {
      // 1. A go is accepted here, and S dies. 2. The guest goes on to another host, or ends. 3. The agent of the source asks: a copy that
      // it took back now would be a second one, or one of the dead.
      if (entry.state === 'accepted' || entry.state === 'running') entry.state = 'running';
      else log.forgetReceived(entry);
      return;
    }
    if (entry.state === 'accepted') {
      if (entry.unnoticed === undefined)
        yield* domainRename(call, domid, { old: names.passing, new: names.here, uuid: names.uuid });
      if (call.xl.os.machine.domain(domid)?.isCreationFinished === false) yield* domainUnpause(call, domid);
      if (entry.unnoticed !== undefined) yield* serveAgain(call, domid, entry.unnoticed);
      entry.state = 'running';
    }
    if (entry.state === 'running') return; // kept: the source may still ask
    entry.state = 'refused';
    if ((yield* domainDestroy(call, domid)) === 0) log.forgetReceived(entry);
  }

  /** The source. */
  *#sent(entry: Handover): Actor {
    const call = this.#call;
    const { log, ask } = this.#plan;
    const { domid, names } = entry;
    if (!this.#isThere(domid)) {
      log.forgetSent(entry);
      return;
    }
    if (entry.state === 'sending') {
      // A guest that took the request may park long after anybody waits for it (SRC-7).
      if (call.xl.os.machine.domain(domid)?.shutdown === 'suspend') yield* this.#takeBack(entry);
      return;
    }
    call.leave();
    const word = yield* ask(entry.peer, names.attempt);
    yield* call.enter();
    if (word === 'refused') {
      this.#plan.takenBack(names.attempt, domid);
      yield* this.#takeBack(entry);
    } else if (word === 'running' && (yield* domainDestroy(call, domid)) === 0) log.forgetSent(entry);
  }

  *#takeBack(entry: Handover): Actor {
    const { domid, names, unnoticed } = entry;
    const call = this.#call;
    const { os } = call.xl;
    if (unnoticed !== undefined) {
      yield* resumeUnnoticed(call, domid, unnoticed);
      this.#plan.log.forgetSent(entry);
      return;
    }
    if ((yield* call.read(`/local/domain/${domid}/name`)) === names.passing)
      yield* domainRename(call, domid, { old: names.passing, new: names.here, uuid: names.uuid });
    yield* resumeGuest(call.xs, os, { domid, how: 'fast' });
    this.#plan.log.forgetSent(entry);
  }

  #isThere(domid: number): boolean {
    return this.#call.xl.os.machine.domain(domid)?.dying === 'alive';
  }
}
