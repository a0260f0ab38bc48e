import {
  type Actor,
  type DomainConfig,
  Hypercalls,
  loneMachine,
  type Machine,
  type Result,
} from '../../../sim/index.ts';

/** dom0 and two domains, all running; a table of hypercalls for each. */
export function host(config: DomainConfig = {}) {
  const m = loneMachine({ seed: '1' });
  const [dom0, d1, d2] = [m.createDomain(0, 'dom0'), m.createDomain(1, 'd1', config), m.createDomain(2, 'd2')];
  for (const d of [dom0, d1, d2]) m.unpause(d);
  const [h0, h1, h2] = [new Hypercalls(m, dom0), new Hypercalls(m, d1), new Hypercalls(m, d2)];
  /** Let the hypervisor's own work go on until it is done. */
  const settle = () => m.scheduler.run(m.nowNs + 10_000_000);
  return { m, dom0, d1, d2, h0, h1, h2, settle };
}

export function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.errno);
  return result.value;
}

export const refused = (errno: string) => ({ ok: false, errno });

/** Run an action of several steps at once; `between` is called after each but the last. */
export function drain<T>(actor: Actor<T>, between: (step: number) => void = () => {}): T {
  for (let step = 1; ; step++) {
    const { done, value: result } = actor.next();
    if (done === true) return result;
    between(step);
  }
}

/** A domain that counts its own steps, one every microsecond. */
export function counting(m: Machine, domid: number): { steps: number } {
  const seen = { steps: 0 };
  const domain = m.domain(domid);
  m.start(
    `count-${domid}-${m.nowNs}`,
    domain,
    (function* (): Actor {
      for (;;) {
        seen.steps++;
        yield 1_000;
      }
    })(),
  );
  return seen;
}
