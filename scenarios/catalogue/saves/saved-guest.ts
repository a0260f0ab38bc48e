import {
  type ClientHabits,
  DirtyMemory,
  type DirtyPlan,
  LINUX_HABITS,
  monitor,
  suspender,
  type Thread,
  type Traffic,
  worker,
} from '../../../guests/index.ts';
import type { BuiltDomain, DomainPlan, DomainType } from '../../../guests/libxl/index.ts';
import type { Stream } from '../../../sim/index.ts';
import type { Guest, Host } from '../../engine/host.ts';

/** Kinds of domains by slot. */
const TYPES: readonly DomainType[] = ['pvh', 'pv', 'hvm', 'pvh'];

export function nameOf(slot: number): string {
  return `domU${slot}`;
}

export function typeOf(slot: number): DomainType {
  return TYPES[slot % TYPES.length] as DomainType;
}

export function configOf(slot: number): DomainPlan {
  return { name: nameOf(slot), type: typeOf(slot), vcpus: 1 + (slot % 2), console: 'nodes' };
}

/** As 4.3 draws it for a simulator. */
export function drawDirtying(draws: Stream, pagesMax: number): DirtyPlan {
  const pages = draws.between(Math.min(8, pagesMax), pagesMax);
  return {
    pages,
    hot: draws.below(Math.min(pages, 120)),
    hotPeriodNs: draws.between(5_000_000, 50_000_000),
    background: draws.below(2_000),
    burstsOf100: draws.below(20),
  };
}

/** A Linux that uses xenstore and its memory, and suspends itself when it is asked. */
export class SavedGuest {
  readonly slot: number;
  readonly guest: Guest;
  readonly memory: DirtyMemory;
  /** Those who make traffic. */
  readonly workers: Thread[] = [];

  constructor(
    host: Host,
    built: BuiltDomain,
    plan: {
      readonly slot: number;
      readonly dirtying: DirtyPlan;
      readonly traffic: Traffic;
      readonly hasDepth: boolean;
    },
  ) {
    const { slot, traffic, hasDepth } = plan;
    this.slot = slot;
    const habits: ClientHabits = { ...LINUX_HABITS, tornOneIn: 4, tornNsMax: 20_000 };
    this.guest = host.boot(built, habits);
    const { os, client } = this.guest;
    this.memory = DirtyMemory.create(os, plan.dirtying);
    os.start('suspend', (me) => suspender(me, os, client, { hasChannel: slot % 4 === 3 }));
    os.start('memory', (me) => this.memory.run(me, () => traffic.stopping));
    this.workers.push(
      os.start('worker', (me) =>
        worker(me, client, traffic, {
          get domid() {
            return os.domain.domid;
          },
          get peers() {
            const { domid } = os.domain;
            return [Math.max(0, domid - 1), domid + 1];
          },
          sharedNodes: 3,
          thinkNsMax: 100_000,
          txThinkNsMax: 40_000,
          hasDepth,
          sparesKernel: true,
        }),
      ),
    );
    os.start('agent', (me) =>
      monitor(me, client, traffic, {
        watches: [{ path: 'data' }, { path: '/shared' }, { path: 'memory/target' }],
        readsEvents: true,
        perEventNsMax: 20_000,
      }),
    );
  }
}
