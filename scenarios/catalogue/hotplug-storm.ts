import { octets, resumeGuest, suspendGuest, type Thread, Xenconsoled, Xs } from '../../guests/index.ts';
import {
  addDevice,
  createDomain,
  type Device,
  destroyDomain,
  devicePaths,
  type Force,
  initDom0,
  type Libxl,
  removeDevice,
  type ScriptFate,
  vbd,
  vif,
} from '../../guests/libxl/index.ts';
import { type Actor, Devpts, type Stream } from '../../sim/index.ts';
import { isWorking } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, STORE_SETTING, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import { Backends } from './storms/backends.ts';
import { Dom0Tools, startXenopsd } from './storms/dom0.ts';
import { macOf, StormGuest } from './storms/guest.ts';
import { openStorm, runStorm, spread, startStormOperator } from './storms/run.ts';

/** What a device that comes and goes is worth in requests, and what a domain is (guests.md 4.2, 4.4). */
const REQUESTS_A_DEVICE = 260;
const REQUESTS_A_BOOT = 500;
/** Between two operations of one administrator, and for how long a device is left attached, ns. */
const PAUSE_NS_MAX = 20_000_000;
const STAY_NS_MAX = 80_000_000;
/** An administrator looks so often whether a new device works, and so many times, before it is taken away by force. */
const LOOK_NS = 10_000_000;
const LOOKS_MAX = 200;
/** How long a backend's module may take to load while udev runs the script of its device, ns. */
const LOAD_NS_MAX = 60_000_000;
/** How long a domain stands still for a checkpoint, ns. */
const CHECKPOINT_NS_MAX = 30_000_000;
/** A domain lives so long before it is restarted, ns. */
const LIFE_NS = [200_000_000, 900_000_000] as const;

const SETTINGS = {
  domains: count(6, { min: 1, max: 100 }, 'domains, each with a disk and an interface that stay'),
  administrators: count(4, { min: 1, max: 64 }, 'who attach and detach at the same time'),
  devices: count(48, { min: 0, max: 2_000 }, 'devices that are attached in all'),
  restarts: count(2, { min: 0, max: 1_000 }, 'domains that are destroyed and made anew meanwhile'),
  checkpoints: count(
    6,
    { min: 0, max: 1_000 },
    'suspends amid the storm, after each of which the domain goes on where it was',
  ),
  updates: count(6, { min: 0, max: 1_000 }, 'live updates, spread over the storm'),
  io: count(4, { min: 0, max: 10_000 }, 'block requests or packets of each device'),
  scripts: word(
    'work',
    ['work', 'flaky', 'udev'],
    'hotplug scripts: all work; some of what is attached fail, say nothing or hang; or udev runs them, while backends are still loaded',
  ),
  monitor: word('none', ['none', 'xenopsd'], 'who watches all domains beside the daemons'),
  store: STORE_SETTING,
  faults: FAULTS_SETTING,
};

export const hotplugStorm: Scenario = scenario({
  name: 'hotplug-storm',
  story:
    'Administrators attach and detach disks and network interfaces of running domains, several at a time, while domains are restarted and xenstored live-updates itself; what stays works, and of what went nothing is left.',
  worry: 'Devices are attached and unplugged while guests hold them: what is left behind, and what hangs?',
  settings: SETTINGS,
  does: ({ domains, restarts, updates, store }) =>
    doings({
      creates: true,
      builds: true,
      destroys: restarts > 0,
      remakes: restarts > 0,
      spares: domains > 4,
      updates: updates > 0,
      sockets: store === 'dom0',
    }),
  marks: ({ updates, io, devices, restarts, checkpoints }) =>
    marks({
      run: {
        update: updates > 0,
        connect: true,
        block: io > 0,
        attach: true,
        detach: devices > 0,
      },
      sweep: {
        'handshake-over-update': updates > 0,
        'transaction-carried': updates > 0,
        'domain-gone': restarts > 0,
        resume: checkpoints > 0,
      },
    }),
  run,
});

/** A domain and what is attached to it, as its administrators know. */
interface Slot {
  readonly number: number;
  domid: number;
  guest: StormGuest | undefined;
  /** Being made, or unmade: nobody may touch its devices. */
  isMoving: boolean;
  /** Operations on it that are under way. */
  operations: number;
  readonly devices: Device[];
  nextDevid: number;
}

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const workers: Thread[] = [];
  const isStorming = () => workers.length === 0 || workers.some(isWorking);
  const run = openStorm(request, isStorming);
  const { host } = run;
  const { machine, traffic, dom0 } = host;
  const backends = new Backends(host, settings.scripts === 'udev' ? { loadNsMax: LOAD_NS_MAX } : {});
  const scripts = machine.streams.for('scenario/scripts');
  const tools = new Dom0Tools(host, backends.bridge, {
    ...(settings.scripts === 'flaky' ? { fate: ({ devid }) => drawFate(scripts, devid) } : {}),
    byUdev: settings.scripts === 'udev',
  });
  new Xenconsoled(dom0.os, host.connect('xenconsoled'), new Devpts()).start();
  if (settings.monitor === 'xenopsd') startXenopsd(host);

  const slots: Slot[] = [];
  let created = 0;
  let attached = 0;
  let interfaces = 0;
  const running = () => slots.filter(({ guest }) => guest?.isRunning === true);
  const there = () => slots.filter(({ guest }) => guest?.isThere === true);
  const guestPlan = {
    host,
    backends,
    io: settings.io,
    isReady: () => true,
    peer: (of: StormGuest) => running().find(({ guest }) => guest !== of && guest?.address !== undefined)?.guest,
  };

  /** `xl create` of a slot's domain; whether it runs. */
  function* create(me: Thread, xl: Libxl, slot: Slot): Actor<boolean> {
    const devices = { disks: [vbd()], nics: [vif({ mac: macOf(++interfaces) })] };
    slot.devices.splice(0, slot.devices.length, ...devices.disks, ...devices.nics);
    const made = yield* createDomain(
      me,
      xl,
      { name: `domU${slot.number}-${++created}`, ...devices, console: 'attended' },
      {
        boot: (built) => {
          slot.domid = built.domain.domid;
          slot.guest = new StormGuest(guestPlan, built);
        },
      },
    );
    traffic.conflicts += made.conflicts;
    if (made.rc !== 0) traffic.refused(`${made.rc} in ${made.failedIn}`);
    return made.rc === 0 && slot.guest?.isRunning === true;
  }

  dom0.os.start('init', function* (me): Actor {
    yield* host.initStore(me);
    yield* initDom0(me, dom0.client);
    const xl = tools.process('xl-create');
    for (let place = 0; place < settings.domains; place++) {
      const slot: Slot = {
        number: place,
        domid: 0,
        guest: undefined,
        isMoving: false,
        operations: 0,
        devices: [],
        nextDevid: 1,
      };
      if (yield* create(me, xl, slot)) slots.push(slot);
    }
    for (let i = 0; i < settings.administrators; i++)
      workers.push(dom0.os.start(`admin-${i}`, (own) => administrator(own, tools.process(`xl-attach-${i}`))));
    workers.push(dom0.os.start('checkpointer', checkpointer));
    workers.push(dom0.os.start('restarter', (own) => restarter(own, tools.process('xl-restart'))));
  });

  function* administrator(me: Thread, xl: Libxl): Actor {
    while (attached < settings.devices) {
      yield me.draws.below(PAUSE_NS_MAX);
      const free = running().filter(({ isMoving }) => !isMoving);
      if (free.length === 0) {
        if (running().length === 0) return;
        continue;
      }
      const slot = me.draws.pick(free);
      attached++;
      slot.operations++;
      yield* comeAndGo(me, xl, slot);
      slot.operations--;
    }
  }

  /** Attach a device, see that it works, and, mostly, detach it again. */
  function* comeAndGo(me: Thread, xl: Libxl, slot: Slot): Actor {
    const { draws } = me;
    const n = slot.nextDevid++;
    const device = draws.oneIn(2) ? vif({ devid: n, mac: macOf(++interfaces) }) : vbd({ devid: (202 << 8) | (n << 4) });
    const { domid } = slot;
    const added = yield* addDevice(me, xl, domid, device);
    traffic.conflicts += added.conflicts;
    if (added.rc !== 0) traffic.refused(`${added.rc} at attach`);
    const works = added.rc === 0 && (yield* isConnected(me, xl, domid, device));
    if (works) {
      yield draws.below(STAY_NS_MAX);
      if (draws.oneIn(4)) {
        slot.devices.push(device); // it stays
        return;
      }
    }
    const force: Force = works ? draws.pick(['auto', 'auto', 'on']) : 'on';
    const removed = yield* removeDevice(me, xl, domid, device, force);
    if (removed.rc !== 0) traffic.refused(`${removed.rc} at detach`);
  }

  /** `xl destroy` and `xl create` of a domain, again and again. */
  function* restarter(me: Thread, xl: Libxl): Actor {
    for (let i = 0; i < settings.restarts; i++) {
      yield me.draws.between(...LIFE_NS);
      const live = running();
      if (live.length === 0) return;
      const slot = me.draws.pick(live);
      slot.isMoving = true;
      while (slot.operations > 0) yield PAUSE_NS_MAX;
      yield* destroyDomain(me, xl, slot.domid);
      slot.nextDevid = 1;
      yield* create(me, xl, slot);
      slot.isMoving = false;
    }
  }

  /** A checkpoint now and then: a domain suspends in the middle of everything, and goes on (SUS-5). */
  function* checkpointer(me: Thread): Actor {
    const xs = new Xs(tools.process('xl-checkpoint').link, me);
    for (let i = 0; i < settings.checkpoints && attached < settings.devices; i++) {
      yield me.draws.between(...LIFE_NS);
      const free = running().filter(({ isMoving }) => !isMoving);
      if (free.length === 0) {
        if (!slots.some(({ isMoving }) => isMoving)) return; // and nobody will be there again
        continue;
      }
      const slot = me.draws.pick(free);
      const { domid } = slot;
      slot.operations++;
      const outcome = yield* suspendGuest(xs, dom0.os, { domid });
      if (outcome.kind === 'suspended') yield me.draws.below(CHECKPOINT_NS_MAX);
      else traffic.refused(`${outcome.kind} at suspend`);
      // As xl does, also where it has failed: the guest may have parked all the same.
      yield* resumeGuest(xs, dom0.os, { domid, how: 'fast' });
      slot.operations--;
    }
  }

  const total = settings.devices * REQUESTS_A_DEVICE + (settings.domains + settings.restarts) * REQUESTS_A_BOOT;
  const at = spread(settings.updates, total, machine.streams.for('scenario'));
  return runStorm(run, {
    scenario: hotplugStorm.name,
    backends,
    operator: startStormOperator(run, at),
    isStorming,
    created: () => created,
    isConnecting: () =>
      there().some(({ guest, devices }) => !devices.every((device) => guest?.isSettled(device) === true)),
    isUsing: () => there().some(({ guest }) => guest?.isUsing === true),
    expected: () => there().flatMap(({ domid, devices }) => devices.map(({ kind, devid }) => ({ domid, kind, devid }))),
  });
}

/** Whether the backend says within two seconds that it is connected. */
function* isConnected(me: Thread, xl: Libxl, domid: number, device: Device): Actor<boolean> {
  const xs = new Xs(xl.link, me);
  const { backend } = devicePaths(domid, device);
  for (let look = 0; look < LOOKS_MAX; look++) {
    const state = yield* xs.read(`${backend}/state`);
    if (state.error !== undefined) return false;
    if (octets('4').every((octet, i) => octet === state.payload[i])) return true;
    yield LOOK_NS;
  }
  return false;
}

/** One script in four does not do what it should; those of a domain's first devices do, or it would not start. */
function drawFate(draws: Stream, devid: number): ScriptFate {
  const isFirst = devid === 0 || devid === vbd().devid;
  return !isFirst && draws.oneIn(4) ? draws.pick(['error', 'busy', 'silent', 'hangs'] as const) : 'works';
}
