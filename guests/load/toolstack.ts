import type { Actor } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import {
  type BuiltDomain,
  createDomain,
  type DomainPlan,
  DomidHistory,
  destroyDomain,
  initDom0,
  Libxl,
  type LibxlOptions,
  SharedFiles,
  unpauseDomain,
  vbd,
  vif,
} from '../libxl/index.ts';
import { strings, Xs, type XsLink } from '../xenstore/index.ts';
import type { Traffic } from './traffic.ts';

export interface ToolstackPlan {
  /** Domains that live at the same time. */
  readonly domains: number;
  /** Shortest and longest life of a domain, ns; then it is destroyed and another is made. Longest 0: they live for ever. */
  readonly lifeNsMin: number;
  readonly lifeNsMax: number;
  /** Whether the domain of this slot is never destroyed. */
  readonly livesForEver: (slot: number) => boolean;
  /** Left out: a disk and a nic, and no console. */
  readonly domain?: (slot: number) => Omit<DomainPlan, 'name' | 'domid'>;
  /** Left out: there are no backends to wait for, no scripts, and ids may be used again at once; nobody is told. */
  readonly libxl?: Partial<LibxlOptions>;
  /** Load the kernel: start the guest's actors. Called while the domain is paused, after INTRODUCE. */
  readonly boot: (built: BuiltDomain, slot: number) => void;
}

/** What has to be there before the first domain is: nodes that everybody shares, libxl's, dom0's own. */
export function* sharedNodes(me: Thread, link: XsLink): Actor {
  const xs = new Xs(link, me);
  for (const [path, perms] of [
    ['/shared', 'b0'],
    ['/libxl', 'n0'],
  ] as const) {
    yield* xs.write(path, '');
    yield* xs.setPerms(path, [perms]);
  }
  yield* initDom0(me, link);
}

/** dom0's hand: creates the shared directories, then one slot actor a domain; ends when they have ended. */
export function* toolstack(me: Thread, os: GuestOs, link: XsLink, traffic: Traffic, plan: ToolstackPlan): Actor {
  yield* sharedNodes(me, link);
  const slots: Thread[] = [];
  const gate: Gate = { building: 0 };
  const shared = new SharedFiles(new DomidHistory(0));
  for (let slot = 0; slot < plan.domains; slot++) {
    slots.push(os.start(`xl-${slot}`, (own) => slotActor(own, os, link, traffic, plan, slot, gate, shared)));
  }
  while (slots.some((slot) => slot.task?.state !== 'done')) yield 50_000;
}

/** How many domains are being built now. */
interface Gate {
  building: number;
}

/** Builders at the same time: more only make each other's transactions fail (TS-18, MT-2). */
const BUILDERS_MAX = 2;

/** A disk and a nic. */
const ORDINARY = { disks: [vbd()], nics: [vif()] };

/** A process that makes a domain, lets it live, and destroys it, again and again. */
function* slotActor(
  me: Thread,
  os: GuestOs,
  link: XsLink,
  traffic: Traffic,
  plan: ToolstackPlan,
  slot: number,
  gate: Gate,
  shared: SharedFiles,
): Actor {
  const xl = new Libxl(os, link, {
    tokenPrefix: `${me.name}:`,
    hasBackends: false,
    shared,
    ...plan.libxl,
  });
  for (let life = 0; !traffic.stopping; life++) {
    while (gate.building >= BUILDERS_MAX) yield 10_000 + me.draws.below(5_000);
    gate.building++;
    const config = { ...(plan.domain?.(slot) ?? ORDINARY), name: `domU${slot}${life === 0 ? '' : `.${life}`}` };
    const created = yield* createDomain(me, xl, config, { staysPaused: true });
    gate.building--;
    traffic.conflicts += created.conflicts;
    if (created.rc === 'died') return;
    const { built } = created;
    if (created.rc !== 0 || built === undefined) {
      traffic.refused(`${created.rc} in ${created.failedIn}`);
      if (built === undefined) return;
      continue;
    }
    const { domid: gone } = built.domain;
    const isServed = yield* isIntroduced(me, link, gone);
    if (!isServed) traffic.refused(`${created.introduced} at INTRODUCE`);
    else {
      plan.boot(built, slot);
      yield* unpauseDomain(me, xl, gone);
      if (plan.lifeNsMax === 0 || plan.livesForEver(slot)) return;
      yield me.draws.between(plan.lifeNsMin, plan.lifeNsMax);
      if (traffic.stopping) return;
    }
    const destroyed = yield* destroyDomain(me, xl, gone);
    traffic.conflicts += destroyed.conflicts;
  }
}

/** libxl does not look at the answer to INTRODUCE. Who starts a guest that needs the store had better ask. */
function* isIntroduced(me: Thread, link: XsLink, domid: number): Actor<boolean> {
  const reply = yield* new Xs(link, me).call(XS.IS_DOMAIN_INTRODUCED, strings(String(domid)));
  return reply.error === undefined && text(reply.payload) === 'T\0';
}
