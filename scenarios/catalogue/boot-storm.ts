import { type Blkfront, blkLoad, type Netfront, netLoad } from '../../guests/devices/index.ts';
import { GuestConsole, GuestControl, LINUX_HABITS, type Me, octets, Xenconsoled } from '../../guests/index.ts';
import { type BuiltDomain, createDomain, initDom0, vbd, vif } from '../../guests/libxl/index.ts';
import { LIFE, steadyState } from '../../guests/monitors/index.ts';
import { type Actor, Devpts } from '../../sim/index.ts';
import { FAULTS_SETTING, FaultPlan } from '../faults/plan.ts';
import { convergence, type ExpectedDevice } from '../invariants/convergence.ts';
import type { RunRequest, RunResult, Scenario } from '../scenario.ts';
import { Backends } from '../storms/backends.ts';
import { Dom0Tools } from '../storms/dom0.ts';
import { isWorking, runStorm, startOperator } from '../storms/run.ts';
import { type Guest, LIFELIKE, World } from '../world.ts';

const HORIZON_NS = 600_000_000_000;
const CHECK_EVERY_STEPS = 50_000;
/** What one domain's boot is worth in requests, to spread the updates over it (guests.md 4.2). */
const REQUESTS_A_BOOT = 400;
/** First sector of xvda, and xvda's number. */
const XVDA = 51_712;
/** How often a program looks whether all devices are there, ns. */
const POLL_NS = 20_000_000;
const BLK_LOAD = { first: 0, sectors: 256, inFlightMax: 3, thinkNsMax: 20_000, asked: () => {} } as const;
const NET_LOAD = { windowMax: 2, thinkNsMax: 50_000, asked: () => {} } as const;
/** Between two domains of one builder: user, scheduler, disk (guests.md 4.2), ns. */
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
    faults: FAULTS_SETTING,
  },
  run,
};

/** A guest that was started. */
interface Booted {
  readonly guest: Guest;
  disk: Blkfront | undefined;
  nic: Netfront | undefined;
  fio: Me | undefined;
  isTalkedOut: boolean;
}

function run(request: RunRequest): RunResult {
  const { settings, seed } = request;
  const number = (name: string) => Number(settings[name]);
  const domains = number('domains');
  const world = new World({
    seed,
    jitter: LIFELIKE,
    requestsMax: Number.POSITIVE_INFINITY,
    policy: 'carry',
    compat: '4.22',
    records: request.checks,
    ...(request.checks ? { checkEverySteps: CHECK_EVERY_STEPS } : {}),
    limitsWrites: false,
    lab: request.lab,
    passImage: (image, n) => faults.passImage(request.passImage?.(image, n) ?? image),
  });
  const { machine, traffic, dom0 } = world;
  if (request.traceLine !== undefined) world.traceTo(request.traceLine);
  const faults = new FaultPlan(machine, String(settings.faults ?? 'off'));
  if (faults.faults.length > 0) request.planned?.(faults.faults);
  const plan = machine.streams.for('scenario');

  const backends = new Backends(world, request.checks);
  const tools = new Dom0Tools(world);
  const devpts = new Devpts();
  new Xenconsoled(dom0.os, world.connect('xenconsoled'), devpts).start();
  if (settings.monitor === 'xenopsd') {
    const pace = { ...LIFE, speedup: 1 };
    let sessions = 0;
    const connect = () => {
      const link = world.connect(`xenopsd-${++sessions}`);
      return { link, isOpen: () => link.isOpen };
    };
    steadyState({ os: dom0.os, traffic, pace, connect }, { kind: 'host', xenopsd: true });
  }

  const booted: Booted[] = [];
  const builders: Me[] = [];
  let next = 0;
  let isReady = false;
  /** Whether a builder has ended with all that it had to do. */
  const isStorming = () => builders.some(isWorking);

  const boot = (made: BuiltDomain) => {
    const { domid } = made.domain;
    const guest = world.boot(
      made,
      faults.habits({ ...LINUX_HABITS, notify: domid % 4 === 3 ? 'always' : 'edge', tornOneIn: 16 }),
    );
    const entry: Booted = { guest, disk: undefined, nic: undefined, fio: undefined, isTalkedOut: false };
    booted.push(entry);
    const { os, client } = guest;
    const { console } = made;
    if (console !== undefined) {
      const hvc = new GuestConsole(os, console);
      hvc.start();
      hvc.write(octets(`Linux version 6.12, domain ${domid}\n`));
    }
    new GuestControl(os, client).start();
    backends.plug(guest, {
      disk: (disk) => {
        entry.disk = disk;
        entry.fio = os.start('fio', function* (me): Actor {
          while (!isReady) yield POLL_NS;
          yield* blkLoad(me, disk, { ...BLK_LOAD, requests: number('io') });
        });
      },
      nic: (nic) => {
        entry.nic = nic;
        os.start('iperf', function* (me): Actor {
          while (!isReady) yield POLL_NS;
          const neighbour = booted[(booted.indexOf(entry) + 1) % booted.length];
          yield* netLoad(me, nic, () => machine.nowNs, {
            ...NET_LOAD,
            peers: [neighbour?.nic?.address ?? ''],
            packets: number('io'),
            finished: () => {
              entry.isTalkedOut = true;
            },
          });
        });
      },
    });
  };

  dom0.os.start('init', function* (me): Actor {
    yield* initDom0(me, dom0.client);
    for (let i = 0; i < number('builders'); i++) builders.push(dom0.os.start(`xl-${i}`, builder));
  });
  function* builder(me: Me): Actor {
    for (let slot = next++; slot < domains; slot = next++) {
      yield me.draws.between(...PAUSE_NS);
      const xl = tools.process(`xl-create-${slot}`);
      const created = yield* createDomain(
        me,
        xl,
        {
          name: `domU${slot}`,
          vcpus: 1 + (slot % 2),
          disks: [vbd()],
          nics: [vif({ mac: macOf(slot) })],
          console: 'attended',
        },
        {
          dies: () => faults.toolstackDies(),
          beforeIntroduce: (domain) => faults.beforeIntroduce(domain),
          boot,
        },
      );
      traffic.commits += created.commits;
      traffic.conflicts += created.conflicts;
      if (created.rc !== 0) traffic.refused(`${created.rc} in ${created.failedIn}`);
    }
  }
  faults.arm(world, () => !isStorming() && next > domains);

  const isConnected = ({ disk, nic }: Booted) => disk !== undefined && nic?.hasCarrier === true;
  const running = () => booted.filter(({ guest }) => guest.os.domain.isRunning);
  const expected = (): ExpectedDevice[] =>
    running().flatMap(({ guest }) => {
      const { domid } = guest.os.domain;
      return [
        { domid, kind: 'vbd', devid: XVDA },
        { domid, kind: 'vif', devid: 0 },
      ];
    });
  const share = Math.floor((domains * REQUESTS_A_BOOT * 9) / 10 / Math.max(1, number('updates')));
  const at = Array.from({ length: number('updates') }, (_, i) => i * share + plan.between(1, Math.max(1, share)));
  const operators = startOperator({ world, request }, faults.updates(at));

  return runStorm(
    {
      scenario: bootStorm.name,
      world,
      faults,
      request,
      horizonNs: HORIZON_NS,
      created: () => booted.length,
      isBusy: () => {
        if (builders.length === 0 || isStorming()) return true;
        if (!running().every(isConnected)) return true;
        isReady = true;
        return running().some(({ fio, isTalkedOut }) => (fio !== undefined && isWorking(fio)) || !isTalkedOut);
      },
      verdicts: (history) => [convergence(history, expected())],
    },
    operators,
  );
}

/** Address of the nic of the n-th domain, with Xen's vendor part. */
function macOf(n: number): string {
  const hex = (octet: number) => (octet & 0xff).toString(16).padStart(2, '0');
  return `00:16:3e:00:${hex(n >> 8)}:${hex(n)}`;
}
