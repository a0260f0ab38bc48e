import { type BuiltDomain, LINUX_HABITS, sharedNodes } from '../../../guests/index.ts';
import { xlCreate } from '../../../guests/libxl/index.ts';
import type { Actor } from '../../../sim/index.ts';
import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { count } from '../../engine/settings.ts';
import { toolsOf } from '../../engine/tool-process.ts';
import { ordinary } from './ordinary.ts';
import { framed, type Makings, playDoes, playSettings, startPrograms } from './play.ts';

/** From a kernel's first step until it starts another one, ns: from its first requests on. */
const LIFE_NS = [100_000, 3_000_000] as const;
/** How often it is looked whether a slot's last kernel is there, ns. */
const LOOK_NS = 200_000;

export const softReset: Scenario = scenario({
  name: 'soft-reset',
  story:
    'Guests start another kernel in their place, in the middle of requests, replies and transactions of the one before. The toolstack resets each: same domain and same ring page, but a connection, a port and a home that are new, while the store updates itself.',
  worry:
    'A guest goes into its crash kernel: does that one meet watches, transactions or half a message of the one before?',
  settings: {
    ...playSettings(6, 5_000, 3),
    kernels: count(
      3,
      { min: 0, max: 100 },
      'kernels that each guest starts over its first one, as long as there is traffic',
    ),
  },
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates, kernels }) =>
    marks({
      run: { update: updates > 0, 'ring-again': kernels > 0 },
      sweep: { 'transaction-carried': updates > 0, event: true },
    }),
  run: (request) =>
    framed(request, { scenario: softReset.name }, function* (makings, me) {
      yield* sharedNodes(me, makings.host.dom0.client);
      const { domains, kernels } = request.settings;
      for (let slot = 0; slot < domains && !makings.host.traffic.stopping; slot++) {
        const guest = startGuest(makings, slot, kernels);
        while (guest.isBeingMade()) yield LOOK_NS;
      }
    }),
});

/** The kernels of a guest, one after the other in the same domain. */
interface Kernels {
  readonly slot: number;
  /** Started over the first one. */
  readonly max: number;
  booted: number;
  domain: BuiltDomain['domain'] | undefined;
  /** One has stopped, or none has begun, and the next one is not there yet. */
  isBetween: boolean;
}

/** `xl create`, whose process stays with the domain, and somebody who waits until the last of its kernels runs. */
function startGuest(makings: Makings, slot: number, kernels: number): { readonly isBeingMade: () => boolean } {
  const { host, workers } = makings;
  const { dom0, traffic } = host;
  const { xl } = toolsOf(host)(`xl-${slot}`);
  const own: Kernels = { slot, max: kernels, booted: 0, domain: undefined, isBetween: true };
  const create = dom0.os.start(`xl-${slot}`, function* (me): Actor {
    const end = yield* xlCreate(me, xl, {
      domain: { name: `guest${slot}`, memoryKb: 65_536 },
      pauseNs: 0,
      hooks: {
        beforeIntroduce: ({ domain }) => {
          own.domain = domain;
        },
        boot: (built) => {
          makings.booted();
          bootKernel(makings, built, own);
        },
      },
    });
    for (const { rc, failedIn } of end.lives) if (rc !== 0) traffic.refused(`${rc} in ${failedIn}`);
  });
  workers.push(
    dom0.os.start(`kernels-${slot}`, function* (): Actor {
      const isDue = () =>
        own.isBetween
          ? // The store did not take it, libxl does not look, and lets it go: no kernel is there.
            own.domain?.isRunning !== true
          : own.booted <= kernels && !traffic.stopping;
      while (create.task?.state !== 'done' && isDue()) yield LOOK_NS;
    }),
  );
  return {
    isBeingMade: () => create.task?.state !== 'done' && own.booted === 0 && own.domain?.isRunning !== true,
  };
}

/** One kernel of a guest: it lets go of what the store may know of the one before (LX-15), works, and starts the next one. */
function bootKernel({ host, workers }: Makings, built: BuiltDomain, kernels: Kernels): void {
  const cast = ordinary(kernels.slot);
  const guest = host.boot(built, { ...LINUX_HABITS, ...cast.habits }, kernels.booted++);
  kernels.isBetween = false;
  const { os, client } = guest;
  const init = os.start('init', function* (me) {
    yield* client.resetWatches(me);
    startPrograms({ host, workers }, guest, cast);
  });
  workers.push(init);
  if (kernels.booted > kernels.max) return;
  os.start('kexec', function* (me) {
    yield me.draws.between(...LIFE_NS);
    if (host.traffic.stopping) return;
    kernels.isBetween = true;
    client.powerOff();
    yield* os.kexec(me);
  });
}
