import {
  GuestConsole,
  GuestControl,
  HVC_HABITS,
  LINUX_HABITS,
  type Thread,
  Xenconsoled,
  Xs,
} from '../../guests/index.ts';
import { controlDomain, setDomainVcpus, sysrqDomain, vbd, vif } from '../../guests/libxl/index.ts';
import {
  consoleClient,
  consoleUser,
  type Dom0Mix,
  drawGuestMix,
  type MonitorPlace,
  type Pace,
  paced,
  steadyState,
  typist,
} from '../../guests/monitors/index.ts';
import { type Actor, Devpts, type Domid, type Pty } from '../../sim/index.ts';
import type { Host } from '../engine/host.ts';
import { mayGoOn, openRun, runAndJudge, startOperator } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, STORE_SETTING, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import { ConsoleRecorder } from '../judge/console-recorder.ts';
import { consoleIntegrity } from '../judge/invariants/console.ts';
import { type ControlRecord, controlOnce } from '../judge/invariants/control.ts';

/** How often the operator looks whether it is time for an update, ns. */
const LOOK_NS = [100_000, 100_000] as const;
/** A disk of every guest. */
const DISK = 51_712;

const SETTINGS = {
  domains: count(5, { min: 0, max: 100 }, 'guest domains'),
  minutes: count(2, { min: 1, max: 60 }, 'minutes of the host, from the first creation on'),
  speedup: count(80, { min: 1, max: 1_000 }, 'seconds of the host in one virtual second'),
  aligned: count(50, { min: 0, max: 100 }, '0 to 100: how far agents of one period beat together, in percent'),
  updates: count(4, { min: 0, max: 1_000 }, 'live updates, spread over the time'),
  faults: FAULTS_SETTING,
  store: STORE_SETTING,
  overflow: word('discard', ['discard', 'keep'], 'console output beyond the limit'),
};

export const steadyStateScenario: Scenario = scenario({
  name: 'steady-state',
  story:
    'A host at rest: agents report, monitors read, consoles print, someone types and asks a guest to go; the store updates itself under them.',
  worry: 'What do monitors, agents and consoles of an ordinary host see of an update?',
  settings: SETTINGS,
  does: ({ domains, updates, store }) =>
    doings({
      creates: domains > 0,
      builds: domains > 0,
      destroys: domains > 1,
      remakes: domains > 1,
      bare: domains > 0,
      spares: domains > 4,
      updates: updates > 0,
      sockets: store === 'dom0',
    }),
  marks: ({ domains, updates }) =>
    marks({
      run: {
        update: updates > 0,
        commit: true,
        event: true,
        console: domains > 0,
      },
      sweep: {
        control: domains > 0,
        'domain-gone': domains > 1,
        conflict: domains > 0,
      },
    }),
  run,
});

/** A guest as the scenario holds it. */
interface SteadyGuest {
  readonly domid: Domid;
  readonly name: string;
  /** Whether the toolstack makes another one in its place when it is gone. */
  readonly isMortal: boolean;
  readonly console: GuestConsole;
  readonly isAlive: () => boolean;
  tty: Pty | undefined;
}

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const { overflow } = settings;
  const pace: Pace = { speedup: settings.speedup, alignedPercent: settings.aligned };
  const run = openRun(request, {
    limitsWrites: true,
  });
  const { host } = run;
  const { machine, traffic, dom0 } = host;
  const endNs = paced(pace, 60 * settings.minutes);
  machine.scheduler.at(endNs, () => {
    traffic.stopping = true;
  });

  let connections = 0;
  const monitors: MonitorPlace = {
    os: dom0.os,
    traffic,
    pace,
    connect: (program) => {
      const link = host.connect(`${program}-${connections++}`);
      return { link, isOpen: () => link.isOpen, close: () => link.close() };
    },
  };
  const plan = machine.streams.for('scenario');
  const devpts = new Devpts();
  const consoles = new ConsoleRecorder(machine, overflow, () => host.recorder?.length ?? 0);
  const daemon = new Xenconsoled(dom0.os, host.connect('xenconsoled'), devpts, {
    overflow,
    observer: consoles.observer,
  });
  daemon.start();

  const guests: SteadyGuest[] = [];
  const controls: ControlRecord[] = [];
  const note = (guest: Pick<SteadyGuest, 'domid' | 'name'>, what: ControlRecord['what'], command: string) =>
    controls.push({
      seq: host.recorder?.length ?? 0,
      timeNs: machine.nowNs,
      domid: guest.domid,
      name: guest.name,
      what,
      command,
    });
  /** Those who change something: the run is at rest when they have ended. */
  const writers: Thread[] = [];
  const lifeNs = Math.min(2_000_000_000, Math.floor(endNs / 3));
  writers.push(
    dom0.os.start('xl', function* (me): Actor {
      yield* host.initStore(me);
      yield* host.toolstack(me, host.connect('xl'), {
        domains: settings.domains,
        lifeNsMin: lifeNs,
        lifeNsMax: 2 * lifeNs,
        livesForEver: (slot) => !isMortal(slot),
        domain: (slot) => ({
          disks: [vbd()],
          nics: [vif()],
          console: 'attended',
          vcpus: 1 + (slot % 3),
          xsdata: [['unique-domain-id', `${slot}-${plan.bits()}`]],
        }),
        boot: (built, slot) => {
          const { domid, name } = built.domain;
          const { os, client } = host.boot(built, { ...LINUX_HABITS, notify: slot % 3 === 2 ? 'always' : 'edge' });
          const page = built.console;
          if (page === undefined) throw new Error('assertion: a domain without a console');
          const console = new GuestConsole(os, page, {
            ...HVC_HABITS,
            disconnected: (['waits', 'drops', 'writes'] as const)[slot % 3] ?? 'waits',
          });
          console.start();
          const guest: SteadyGuest = {
            domid,
            name,
            isMortal: isMortal(slot),
            console,
            isAlive: () => built.domain.isRunning,
            tty: undefined,
          };
          guests.push(guest);
          new GuestControl(os, client, { acts: (command) => note(guest, 'acted', command) }).start();
          os.start('getty', (me) => consoleUser(me, os, console, traffic, { pace, seconds: 20 }));
          const mix = drawGuestMix(machine.streams.for(`${name}/mix`), { vifs: [0], vbds: [DISK] });
          writers.push(
            os.start('init', function* (me): Actor {
              yield me.draws.between(1_000_000, 3_000_000); // the kernel boots; the other flavours' nodes come to be
              writers.push(...steadyState({ os, link: client, traffic, pace }, mix));
            }),
          );
          writers.push(dom0.os.start(`${name}/nodes`, (me) => otherFlavours(me, monitors, domid)));
          dom0.os.start(`${name}/xl-console`, (me) =>
            consoleClient(me, monitors, devpts, domid, (tty) => {
              guest.tty = tty;
            }),
          );
          dom0.os.start(`${name}/typist`, (me) => typist(me, monitors, () => guest.tty, 40));
        },
      });
    }),
  );
  writers.push(...steadyState(monitors, HOST_MIX));
  writers.push(
    dom0.os.start('admin', (me) => admin(me, host, monitors, guests, (who, command) => note(who, 'asked', command))),
  );

  const { updates } = settings;
  const atNs = Array.from({ length: updates }, (_, i) =>
    Math.floor(
      ((i + 1) * endNs) / (updates + 1) + 1_000 * plan.below(1 + Math.floor(endNs / (2_000 * updates + 2_000))),
    ),
  );
  writers.push(startOperator(run, { atNs, lookNs: LOOK_NS }).me);

  return runAndJudge(run, {
    scenario: steadyStateScenario.name,
    isBusy: () =>
      writers.some(mayGoOn) ||
      host.inFlight > 0 ||
      !daemon.isIdle ||
      guests.some((guest) => guest.isAlive() && !guest.console.isIdle),
    *before() {
      yield paced({ ...pace, speedup: 1 }, 0.3); // a period of every console goes by: none is silenced
    },
    created: () => guests.length,
    verdicts: (_, isFinished) => [
      consoleIntegrity(consoles.history(), isFinished),
      controlOnce({
        records: controls,
        known: new Set(['poweroff', 'reboot']),
        listening: new Set(guests.filter((guest) => guest.isAlive()).map((guest) => guest.domid)),
      }),
    ],
  });
}

/** Domains that are destroyed and made anew. */
function isMortal(slot: number): boolean {
  return slot % 3 === 1;
}

const HOST_MIX: Dom0Mix = {
  kind: 'dom0',
  xenopsd: true,
  squeezed: true,
  rrdd: true,
  qmemmand: true,
  polls: [
    { seconds: 10, requestsMax: 20, isOneTransaction: false },
    { seconds: 45, requestsMax: 40, isOneTransaction: true },
  ],
  watchAll: { perEventNsMax: 5_000 },
};

/** What XenServer's and Qubes' toolstacks add to libxl's tree: nodes that their agents write and their monitors read. */
function* otherFlavours(me: Thread, host: MonitorPlace, domid: Domid): Actor {
  const xs = new Xs(host.connect('flavours').link, me);
  const home = `/local/domain/${domid}`;
  for (const path of ['control/feature-balloon', 'memory/meminfo']) {
    yield* xs.write(`${home}/${path}`, '');
    yield* xs.setPerms(`${home}/${path}`, [`n${domid}`]);
  }
  yield* xs.write(`${home}/memory/dynamic-min`, '65536');
  yield* xs.write(`${home}/memory/dynamic-max`, '131072');
}

/** A person with `xl`: presses keys, changes vCPUs, and sends the mortal ones away. */
function* admin(
  me: Thread,
  host: Host,
  monitors: MonitorPlace,
  guests: readonly SteadyGuest[],
  asked: (who: SteadyGuest, command: string) => void,
): Actor {
  const { link } = monitors.connect('admin');
  const xl = host.libxl(link); // makes and removes nothing
  const sent = new Set<SteadyGuest>();
  while (!host.traffic.stopping) {
    yield paced(monitors.pace, me.draws.between(2, 20));
    const there = guests.filter((guest) => guest.isAlive() && !sent.has(guest));
    if (there.length === 0) continue;
    const who = me.draws.pick(there);
    if (who.isMortal && me.draws.oneIn(2)) {
      sent.add(who);
      const command = me.draws.pick(['poweroff', 'reboot'] as const);
      asked(who, command);
      yield* controlDomain(me, xl, who.domid, command);
      continue;
    }
    const what = me.draws.below(4);
    if (what < 2) yield* sysrqDomain(me, xl, who.domid, 'h');
    else if (what < 3) yield* setDomainVcpus(me, xl, who.domid, me.draws.between(1, 2));
    else {
      asked(who, 's5'); // no guest knows it: it stays where it is
      yield* new Xs(link, me).write(`/local/domain/${who.domid}/control/shutdown`, 's5');
    }
  }
}
