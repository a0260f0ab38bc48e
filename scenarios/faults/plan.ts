import type { BuiltDomain, ClientHabits } from '../../guests/index.ts';
import type { Mishaps } from '../../guests/libxl/index.ts';
import {
  type Actor,
  type Domain,
  type EdgeVerdict,
  GNTTAB_RESERVED_XENSTORE,
  type Machine,
  type Port,
} from '../../sim/index.ts';
import type { StorePolicy } from '../../store/index.ts';
import { COMMON_RULES, FAULT_RULES } from './catalogue.ts';
import { CHOICES, hasSwarm, isChosen } from './choice.ts';
import { type Doing, EVERYTHING, lacking } from './doings.ts';
import type { FaultHost, FaultRule, Hooks, PlannedFault } from './rule.ts';
import type { Trip } from './trip.ts';

/**
 * So long faults of a moment come at their rate, ns; from then on ever more rarely, at half the rate at twice the time. A run that
 * takes longer waits for time-outs of its programs, and would be told of nothing but its faults.
 */
const FULL_RATE_NS = 2_000_000_000;

/** What can be asked for: nothing, a random subset for each seed, everything, or single rules. */
export const FAULT_WORDS: readonly string[] = [...CHOICES, ...FAULT_RULES.map((r) => r.id)];

interface Chosen {
  readonly rule: FaultRule;
  readonly oneIn: number;
  injected: number;
}

/** The faults of one run: drawn when it is made, from a stream of their own, so that it can be printed before the run. */
export class FaultPlan implements Mishaps {
  /** Those that were asked for, and all. */
  readonly #planned: readonly Chosen[];
  readonly #chosen: readonly Chosen[];
  readonly #hooks: Hooks[] = [];

  /**
   * @param which some of FAULT_WORDS, as isChosen() reads them. @param own rules of the scenario: they are in every plan, and draw
   * last. @param does what the run does: of rules that need more than that only the draws are made.
   */
  constructor(machine: Machine, which: string, own: readonly FaultRule[] = [], does: readonly Doing[] = EVERYTHING) {
    const draws = machine.streams.for('faults');
    const drawn = FAULT_RULES.map((rule) => ({
      isIn: draws.oneIn(swarmsOf(rule)),
      chosen: { rule, oneIn: draws.between(rule.oneIn[0], rule.oneIn[1]), injected: 0 },
      isOffered: lacking(rule.needs, does).length === 0,
    }));
    const among = (isIn: (isDrawn: boolean) => boolean) =>
      drawn.flatMap((d) => (d.isOffered && isChosen(which, d.chosen.rule.id, isIn(d.isIn)) ? [d.chosen] : []));
    const ofScenario = own.map((rule) => ({ rule, oneIn: draws.between(...rule.oneIn), injected: 0 }));
    let planned: readonly Chosen[] = among((isDrawn) => isDrawn);
    // A swarm without a rule would try nothing, where few are offered.
    const all = among(() => true);
    if (planned.length === 0 && all.length > 0) planned = [all[draws.below(all.length)]!];
    if (hasSwarm(which)) planned = sureToTry(planned, all);
    this.#planned = planned;
    this.#chosen = [...planned, ...ofScenario];
  }

  /** What is planned, with the injections so far. */
  get faults(): readonly PlannedFault[] {
    return this.#chosen.map(told);
  }

  /** Those among them that were asked for: not the scenario's own. */
  get asked(): readonly PlannedFault[] {
    return this.#planned.map(told);
  }

  /** Let the rules come in from now on. Nothing at all changes in a run without rules. `isOver`: traffic is coming to its end. */
  arm(host: FaultHost, isOver: () => boolean): void {
    const { machine } = host;
    for (const chosen of this.#chosen) {
      const { rule, oneIn } = chosen;
      const draws = machine.streams.for(`faults/${rule.id}`);
      const hooks = rule.arm({
        host,
        draws,
        strikes: () => draws.oneIn(oneIn),
        isOver,
        injected: (detail) => machine.trace.mark('faults', rule.id, ++chosen.injected, detail),
        over: () => machine.trace.mark('faults over', rule.id, chosen.injected),
      });
      this.#hooks.push(hooks);
      const { now } = hooks;
      if (now === undefined) continue;
      const [min, max] = now.everyNs;
      function* body(): Actor {
        for (;;) {
          yield draws.between(min, max) * Math.max(1, Math.floor(machine.nowNs / FULL_RATE_NS));
          if (isOver()) return;
          now?.act();
        }
      }
      machine.start(`faults/${rule.id}`, undefined, body());
    }
    const edges = this.#having('edge');
    const virqs = this.#having('virqContended');
    if (edges.length === 0 && virqs.length === 0) return;
    machine.events.faults = {
      ...(edges.length === 0 ? {} : { edge: (domain: Domain, port: Port) => firstVerdict(edges, domain, port) }),
      ...(virqs.length === 0 ? {} : { virqContended: () => virqs.some((rule) => rule()) }),
    };
  }

  habits(habits: ClientHabits): ClientHabits {
    return this.#having('habits').reduce((h, rule) => rule(h), habits);
  }

  beforeIntroduce(built: BuiltDomain): void {
    // Where its ring is in use, nothing is mapped: the mishap would meet the next image, which has done nothing to deserve it.
    if (built.domain.grants.active(GNTTAB_RESERVED_XENSTORE) !== undefined) return;
    for (const rule of this.#having('beforeIntroduce')) rule(built);
  }

  beforeDestroy(domain: Domain): void {
    for (const rule of this.#having('beforeDestroy')) rule(domain);
  }

  toolstackDies(): boolean {
    return this.#having('toolstackDies').some((rule) => rule());
  }

  reusesDomid(): ((domid: number) => void) | undefined {
    for (const rule of this.#having('reusesDomid')) {
      const used = rule();
      if (used !== undefined) return used;
    }
    return undefined;
  }

  passImage(image: Uint8Array): Uint8Array {
    return this.#having('passImage').reduce((i, rule) => rule(i), image);
  }

  /** Under policy `daemon` never: it would be deaf to deaths from then on, and rightly be found out (XSR-16). */
  execFails(policy: StorePolicy): boolean {
    return policy === 'carry' && this.#having('execFails').some((rule) => rule());
  }

  storeMovesInSteps(): boolean {
    return this.#having('storeMovesInSteps').some((rule) => rule());
  }

  /** A migration is about to begin. */
  trip(trip: Trip): void {
    for (const rule of this.#having('trip')) rule(trip);
  }

  updates(moments: readonly number[]): readonly number[] {
    return this.#having('updates').reduce((at, rule) => rule(at), moments);
  }

  #having<K extends keyof Hooks>(name: K): NonNullable<Hooks[K]>[] {
    return this.#hooks.flatMap((hooks) => hooks[name] ?? []) as NonNullable<Hooks[K]>[];
  }
}

function told({ rule, oneIn, injected }: Chosen): PlannedFault {
  const { id, what, mustHold } = rule;
  return { id, what, mustHold, oneIn, injected };
}

/** So many rules that are rare make up for none that is sure. */
const RARE_RULES_ENOUGH = 3;

/**
 * A swarm that strikes. Where no rule of it is sure to, as in one of eleven, a short run would often meet none, and have tried nothing
 * of what it was asked for: then each has its highest rate, and a few of them have a sure one beside. `all`: those that are offered.
 */
function sureToTry(planned: readonly Chosen[], all: readonly Chosen[]): readonly Chosen[] {
  if (planned.some(isSure)) return planned;
  const often = planned.map((chosen) => ({ ...chosen, oneIn: chosen.rule.oneIn[0] }));
  const sure = all.find(isSure);
  return planned.length >= RARE_RULES_ENOUGH || sure === undefined ? often : [...often, sure];
}

function isSure({ rule }: Chosen): boolean {
  return rule.isSure === true;
}

/** One in so many swarms has the rule: of the common ones there are half of all in each, of the others a handful. */
export function swarmsOf(rule: FaultRule): 2 | 4 {
  return COMMON_RULES.includes(rule) ? 2 : 4;
}

type EdgeRule = NonNullable<Hooks['edge']>;

/** Rules are asked in order; the first verdict wins. */
function firstVerdict(rules: readonly EdgeRule[], domain: Domain, port: Port): EdgeVerdict {
  for (const rule of rules) {
    const verdict = rule(domain, port);
    if (verdict !== undefined) return verdict;
  }
  return { kind: 'pass' };
}
