import type { Result } from '../../../sim/index.ts';
import type { Host } from '../../engine/host.ts';
import type { Verdict } from '../../judge/history.ts';
import { Findings } from '../../judge/invariants/index.ts';

const CLAIM = 'Calls of the hypervisor answer as its ABI says, and each event that is due to a kernel reaches it once';
const SOURCE = 'event-channels.md; grants.md; xen/common/event_channel.c, event_fifo.c, grant_table.c';

/** What kernels found when they tried the hypervisor's calls: what was due, and what came instead. */
export class Trials {
  readonly #findings = new Findings('trials');
  readonly #kinds = new Set<string>();
  #hasFaults = false;

  constructor() {
    for (const what of ['as due', 'kinds']) this.#findings.count(what, 0);
  }

  /** Something was tried. @param what names the rule and the call */
  check(
    { machine, faults }: Host,
    actor: string,
    what: string,
    got: string | number | boolean,
    due: string | number | boolean,
  ): void {
    this.#hasFaults = faults.faults.length > 0;
    if (got !== due) {
      this.#findings.add({ seq: 0, timeNs: machine.nowNs }, actor, '', `${what}: ${due} was due, came ${got}`);
      return;
    }
    this.#findings.count('as due');
    if (!this.#kinds.has(what)) this.#findings.count('kinds');
    this.#kinds.add(what);
  }

  /** What came of them; none where faults make events and calls fail that are tried here. */
  get verdicts(): readonly Verdict[] {
    return this.#hasFaults ? [] : [this.#findings.verdict(CLAIM, SOURCE)];
  }
}

/** The errno of a call; `OK`: it has none. */
export function answerOf(result: Result<unknown>): string {
  return result.ok ? 'OK' : result.errno;
}
