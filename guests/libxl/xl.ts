import { type Actor, SHUTDOWN_REASONS } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import type { BuiltDomain } from './build.ts';
import { Call } from './call.ts';
import { type Created, type CreateHooks, domainCreate } from './create.ts';
import { DomainDeaths } from './deaths.ts';
import { domainDestroy } from './destroy.ts';
import type { DomainPlan } from './domain-config.ts';
import { preserve } from './domain-tree.ts';
import type { Libxl } from './process.ts';
import { domainSoftReset } from './soft-reset.ts';

/** What xl does with a domain that has shut down. Source: libxl_action_on_shutdown in tools/libs/light/libxl_types.idl. */
export type ShutdownAction = 'destroy' | 'restart' | 'rename-restart' | 'preserve' | 'soft-reset';

/** Why a domain shuts down, but for a suspend: that one waits to be resumed. */
export type EndReason = Exclude<(typeof SHUTDOWN_REASONS)[number], 'suspend'>;

export interface XlPlan {
  readonly domain: DomainPlan;
  readonly hooks?: Pick<CreateHooks, 'boot' | 'beforeIntroduce'>;
  /** Where it differs from xl's: restart after a reboot, soft-reset after a soft reset, destroy after all else. */
  readonly on?: Partial<Record<EndReason, ShutdownAction>>;
  /** Pause before it is made again, ns; left out: xl's. Others that use libxl do not wait. */
  readonly pauseNs?: number;
  /** Lives of the domain before xl lets it rest; left out: no end. */
  readonly livesMax?: number;
}

const ON: Readonly<Record<EndReason, ShutdownAction>> = {
  poweroff: 'destroy',
  reboot: 'restart',
  crash: 'destroy',
  watchdog: 'destroy',
  soft_reset: 'soft-reset',
};

/** Pause before a domain is made again. Source: create_domain in tools/xl/xl_vmcontrol.c. */
const RESTART_PAUSE_NS = 2_000_000_000;

/** How xl's own process came to its end. */
export interface XlEnd {
  readonly why: 'destroyed' | 'died elsewhere' | 'preserved' | 'not created';
  readonly lives: readonly Created[];
  /** What xl did with each shutdown. */
  readonly actions: readonly ShutdownAction[];
}

/**
 * `xl create`, and the process that stays for as long as the domain lives (TS-15): it waits for the domain's end and acts on
 * it. Source: create_domain, handle_domain_death, preserve_domain in tools/xl/xl_vmcontrol.c.
 */
export function* xlCreate(me: Thread, xl: Libxl, plan: XlPlan): Actor<XlEnd> {
  const call = new Call(xl, me);
  const lives: Created[] = [];
  const actions: ShutdownAction[] = [];
  const end = (why: XlEnd['why']): XlEnd => ({ why, lives, actions });
  let config = plan.domain;
  let softReset: BuiltDomain | undefined;
  for (;;) {
    const made = yield* call.locked(() =>
      softReset === undefined
        ? domainCreate(call, config, plan.hooks)
        : domainSoftReset(call, softReset, config, plan.hooks),
    );
    lives.push(made);
    const { built, uuid } = made;
    if (made.rc !== 0 || built === undefined || uuid === undefined) return end('not created');
    config = { ...config, uuid }; // it is the same one when it starts again
    const { domid } = built.domain;
    const action = yield* untilEnd(call, domid, plan);
    if (action === 'died elsewhere') return end('died elsewhere');
    actions.push(action);
    softReset = undefined;
    switch (action) {
      case 'preserve':
        return end('preserved');
      case 'destroy':
        yield* call.locked(() => domainDestroy(call, domid));
        return end('destroyed');
      case 'restart':
        yield* call.locked(() => domainDestroy(call, domid));
        break;
      case 'rename-restart': {
        const preserved = `${config.name}-${Math.floor(call.nowNs / 60_000_000_000)}`;
        const names = { old: config.name, preserved, uuid: newUuid(me), handle: xl.shared.handleOf(built.domain) };
        if ((yield* call.locked(() => preserve(call, domid, names))) !== 0) return end('preserved');
        break;
      }
      case 'soft-reset':
        softReset = built;
        break;
    }
    if (lives.length === plan.livesMax) return end('destroyed');
    yield plan.pauseNs ?? RESTART_PAUSE_NS;
  }
}

/** Wait until the domain has shut down for good; what is to be done then. */
function* untilEnd(call: Call, domid: number, plan: XlPlan): Actor<ShutdownAction | 'died elsewhere'> {
  const deaths = new DomainDeaths(call);
  yield* deaths.add(domid);
  for (;;) {
    const event = yield* deaths.next();
    if (event.kind === 'death') {
      yield* deaths.drop(domid);
      return 'died elsewhere';
    }
    const reason = SHUTDOWN_REASONS[event.code];
    if (reason === 'suspend') {
      deaths.renew(domid);
      continue;
    }
    yield* deaths.drop(domid);
    return reason === undefined ? 'destroy' : (plan.on?.[reason] ?? ON[reason]);
  }
}

/** Random, as libxl_uuid_generate's. */
function newUuid(me: Thread): string {
  const hex = [0, 1, 2, 3].map(() => me.draws.bits().toString(16).padStart(8, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}
