import type { Result } from '../../../sim/index.ts';
import type { Host } from '../../engine/host.ts';
import type { Verdict, Violation } from '../../judge/history.ts';

const KEPT_MAX = 20;

/** What kernels found when they tried the hypervisor's calls: what was due, and what came instead. */
export class Findings {
  readonly #violations: Violation[] = [];
  readonly #asDue = new Map<string, number>();
  #host: Host | undefined;

  /** Something was tried. @param what names the rule and the call */
  check(host: Host, actor: string, what: string, got: string | number | boolean, due: string | number | boolean): void {
    this.#host = host;
    if (got === due) {
      this.#asDue.set(what, (this.#asDue.get(what) ?? 0) + 1);
      return;
    }
    if (this.#violations.length >= KEPT_MAX) return;
    const detail = `${what}: ${due} was due, came ${got}`;
    this.#violations.push({ invariant: 'trials', seq: 0, timeNs: host.machine.nowNs, actor, request: '', detail });
  }

  /** What came of them; none where faults make events and calls fail that are tried here. */
  get verdicts(): readonly Verdict[] {
    if (this.#host !== undefined && this.#host.faults.faults.length > 0) return [];
    return [
      {
        invariant: 'trials',
        claim: 'Calls of the hypervisor answer as its ABI says, and each event that is due to a kernel reaches it once',
        source: 'event-channels.md; grants.md; xen/common/event_channel.c, event_fifo.c, grant_table.c',
        checked: [
          ['as due', [...this.#asDue.values()].reduce((sum, n) => sum + n, 0)],
          ['kinds', this.#asDue.size],
        ],
        violations: this.#violations,
      },
    ];
  }
}

/** The errno of a call; `OK`: it has none. */
export function answerOf(result: Result<unknown>): string {
  return result.ok ? 'OK' : result.errno;
}
