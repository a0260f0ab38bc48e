import { type Me, Xenconsoled } from '../../guests/index.ts';
import { createDomain, initDom0, vbd, vif } from '../../guests/libxl/index.ts';
import { type Actor, Devpts } from '../../sim/index.ts';
import { STORE_SETTING } from '../engine/host.ts';
import { isWorking } from '../engine/run.ts';
import type { RunRequest, RunResult, Scenario } from '../engine/scenario.ts';
import { FAULTS_SETTING } from '../faults/plan.ts';
import { Backends } from './storms/backends.ts';
import { Dom0Tools, startXenopsd } from './storms/dom0.ts';
import { macOf, StormGuest } from './storms/guest.ts';
import { openStorm, runStorm, spread, startStormOperator } from './storms/run.ts';

/** What one domain's boot is worth in requests, to spread the updates over it (guests.md 4.2). */
const REQUESTS_A_BOOT = 500;
/** Between two domains of one builder (guests.md 4.2), ns. */
const PAUSE_NS = [100_000_000, 400_000_000] as const;

export const bootStorm: Scenario = {
  name: 'boot-storm',
  story:
    'A host starts all its domains at once, each with a disk, a network interface and a console, while xenstored live-updates itself; every device gets connected and works.',
  settings: {
    domains: { default: 64, meaning: 'domains to start' },
    builders: { default: 8, meaning: 'domains under construction at the same time' },
    updates: { default: 6, meaning: 'live updates, spread over the storm' },
    io: { default: 6, meaning: 'block requests and packets of each guest, when all are connected' },
    monitor: { default: 'none', meaning: 'who watches all domains beside the daemons', words: ['none', 'xenopsd'] },
    store: STORE_SETTING,
    faults: FAULTS_SETTING,
  },
  run,
};

function run(request: RunRequest): RunResult {
  const { settings } = request;
  const number = (name: string) => Number(settings[name]);
  const domains = number('domains');
  const builders: Me[] = [];
  const isStorming = () => builders.length === 0 || builders.some(isWorking);
  const run = openStorm(request, isStorming);
  const { host, faults } = run;
  const { machine, traffic, dom0 } = host;
  const backends = new Backends(host);
  const tools = new Dom0Tools(host);
  new Xenconsoled(dom0.os, host.connect('xenconsoled'), new Devpts()).start();
  if (settings.monitor === 'xenopsd') startXenopsd(host);

  const booted: StormGuest[] = [];
  let next = 0;
  let isReady = false;
  const running = () => booted.filter((guest) => guest.isRunning);
  const guestPlan = {
    host,
    backends,
    faults,
    io: number('io'),
    isReady: () => isReady,
    peer: (of: StormGuest) => booted[(booted.indexOf(of) + 1) % booted.length],
  };

  dom0.os.start('init', function* (me): Actor {
    yield* host.initStore(me);
    yield* initDom0(me, dom0.client);
    for (let i = 0; i < number('builders'); i++) builders.push(dom0.os.start(`xl-${i}`, builder));
  });
  function* builder(me: Me): Actor {
    for (let slot = next++; slot < domains; slot = next++) {
      yield me.draws.between(...PAUSE_NS);
      const disks = [vbd()];
      const nics = [vif({ mac: macOf(slot) })];
      const plan = { name: `domU${slot}`, vcpus: 1 + (slot % 2), disks, nics, console: 'attended' } as const;
      const created = yield* createDomain(me, tools.process(`xl-create-${slot}`), plan, {
        dies: () => faults.toolstackDies(),
        beforeIntroduce: (made) => faults.beforeIntroduce(made),
        boot: (built) => booted.push(new StormGuest(guestPlan, built)),
      });
      traffic.commits += created.commits;
      traffic.conflicts += created.conflicts;
      if (created.rc !== 0) traffic.refused(`${created.rc} in ${created.failedIn}`);
    }
  }

  const at = spread(number('updates'), domains * REQUESTS_A_BOOT, machine.streams.for('scenario'));
  return runStorm(run, {
    scenario: bootStorm.name,
    backends,
    operator: startStormOperator(run, at),
    isStorming,
    created: () => booted.length,
    isBusy: () => {
      if (running().some((guest) => guest.connected < 2)) return true;
      isReady = true;
      return running().some((guest) => guest.isUsing);
    },
    expected: () =>
      running().flatMap(({ domid }) => [
        { domid, kind: 'vbd', devid: vbd().devid },
        { domid, kind: 'vif', devid: 0 },
      ]),
  });
}
