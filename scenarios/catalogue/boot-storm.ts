import { type Thread, Xenconsoled } from '../../guests/index.ts';
import { createDomain, initDom0, vbd, vif } from '../../guests/libxl/index.ts';
import { type Actor, Devpts } from '../../sim/index.ts';
import { isWorking } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, STORE_SETTING, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import { Backends } from './storms/backends.ts';
import { Dom0Tools, startXenopsd } from './storms/dom0.ts';
import { macOf, StormGuest } from './storms/guest.ts';
import { openStorm, runStorm, spread, startStormOperator } from './storms/run.ts';

/** What one domain's boot is worth in requests, to spread the updates over it (guests.md 4.2). */
const REQUESTS_A_BOOT = 500;
/** Between two domains of one builder (guests.md 4.2), ns. */
const PAUSE_NS = [100_000_000, 400_000_000] as const;

/** What each domain has. */
const DEVICES = [vbd(), vif()];

const SETTINGS = {
  domains: count(64, { min: 2, max: 250 }, 'domains to start'),
  builders: count(8, { min: 1, max: 64 }, 'domains under construction at the same time'),
  updates: count(6, { min: 0, max: 1_000 }, 'live updates, spread over the storm'),
  io: count(6, { min: 0, max: 10_000 }, 'block requests and packets of each guest, when all are connected'),
  monitor: word('none', ['none', 'xenopsd'], 'who watches all domains beside the daemons'),
  store: STORE_SETTING,
  faults: FAULTS_SETTING,
};

export const bootStorm: Scenario = scenario({
  name: 'boot-storm',
  story:
    'A host starts all its domains at once, each with a disk, a network interface and a console, while xenstored live-updates itself; every device gets connected and works.',
  worry: 'A host comes back after a power cut and starts everything at once: does every device get connected?',
  settings: SETTINGS,
  does: ({ domains, updates, store }) =>
    doings({
      creates: true,
      builds: true,
      spares: domains > 4,
      updates: updates > 0,
      sockets: store === 'dom0',
    }),
  marks: ({ updates, io }) =>
    marks({
      run: {
        update: updates > 0,
        'domain-made': true,
        connect: true,
        block: io > 0,
        packet: io > 0,
      },
      sweep: {
        'handshake-over-update': updates > 0,
        'transaction-carried': updates > 0,
      },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const { domains } = settings;
  const builders: Thread[] = [];
  const isStorming = () => builders.length === 0 || builders.some(isWorking);
  const run = openStorm(request, isStorming);
  const { host } = run;
  const { machine, traffic, dom0 } = host;
  const backends = new Backends(host);
  const tools = new Dom0Tools(host, backends.bridge);
  new Xenconsoled(dom0.os, host.connect('xenconsoled'), new Devpts()).start();
  if (settings.monitor === 'xenopsd') startXenopsd(host);

  const booted: StormGuest[] = [];
  let next = 0;
  let isReady = false;
  const there = () => booted.filter((guest) => guest.isThere);
  const guestPlan = {
    host,
    backends,
    io: settings.io,
    isReady: () => isReady,
    peer: (of: StormGuest) => [booted[(booted.indexOf(of) + 1) % booted.length]].find((other) => other !== of),
  };

  dom0.os.start('init', function* (me): Actor {
    yield* host.initStore(me);
    yield* initDom0(me, dom0.client);
    for (let i = 0; i < settings.builders; i++) builders.push(dom0.os.start(`xl-${i}`, builder));
  });
  function* builder(me: Thread): Actor {
    for (let slot = next++; slot < domains; slot = next++) {
      yield me.draws.between(...PAUSE_NS);
      const disks = [vbd()];
      const nics = [vif({ mac: macOf(slot) })];
      const plan = { name: `domU${slot}`, vcpus: 1 + (slot % 2), disks, nics, console: 'attended' } as const;
      const created = yield* createDomain(me, tools.process(`xl-create-${slot}`), plan, {
        boot: (built) => booted.push(new StormGuest(guestPlan, built)),
      });
      traffic.conflicts += created.conflicts;
      if (created.rc !== 0) traffic.refused(`${created.rc} in ${created.failedIn}`);
    }
  }

  const at = spread(settings.updates, domains * REQUESTS_A_BOOT, machine.streams.for('scenario'));
  return runStorm(run, {
    scenario: bootStorm.name,
    backends,
    operator: startStormOperator(run, at),
    isStorming,
    created: () => booted.length,
    isConnecting: () => !isReady && there().some((guest) => !DEVICES.every((device) => guest.isSettled(device))),
    ready: () => {
      isReady = true;
    },
    isUsing: () => there().some((guest) => guest.isUsing),
    expected: () => there().flatMap(({ domid }) => DEVICES.map(({ kind, devid }) => ({ domid, kind, devid }))),
  });
}
