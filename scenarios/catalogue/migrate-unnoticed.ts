import { type Thread, Traffic, Xs } from '../../guests/index.ts';
import { createDomain, initDom0 } from '../../guests/libxl/index.ts';
import { type Actor, decodePlatform, type PortsImage } from '../../sim/index.ts';
import { formatOf, type LabFormat } from '../../store/format/model/index.ts';
import { reportMigrations } from '../engine/migration-report.ts';
import { Migrations } from '../engine/migrations.ts';
import { mayGoOn, openRuns, runAllAndJudge, startOperator } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, word } from '../engine/settings.ts';
import { type ToolProcess, toolsOf } from '../engine/tool-process.ts';
import { devicesOverHosts } from '../judge/invariants/devices-over-hosts.ts';
import { migrationOwners } from '../judge/invariants/migration-owners.ts';
import { unnoticedMessages } from '../judge/invariants/unnoticed-messages.ts';
import { unnoticedOctets } from '../judge/invariants/unnoticed-octets.ts';
import { unnoticedPlatform } from '../judge/invariants/unnoticed-platform.ts';
import { unnoticedRights } from '../judge/invariants/unnoticed-rights.ts';
import { type FinalDisk, joinDevices } from '../judge/joined-disks.ts';
import { type MoveWitness, SessionRecorder } from '../judge/sessions.ts';
import { Diarist } from './migration/diarist.ts';
import { LINKS } from './migration/links.ts';
import { Site } from './migration/site.ts';

const HORIZON_NS = 120_000_000_000;
/** Between two migrations of one of those who ask for them, ns. */
const PAUSE_NS = [500_000, 8_000_000] as const;
/** What cannot be held is finished first within this time. */
const FINISH_NS = 20_000_000;
/** Steps of the source at which a link is cut: from the first page to the last octet of the stream (NF1 to NF8). */
const CUT_STEPS = ['SO6', 'SO7', 'SO9', 'SO12'] as const;
/** Of the only disk that each has. */
const XVDA = 202 << 8;
/** Where no other format is asked for: the first that carries all that a guest could miss. */
const FORMAT = 'G3.1';

const SETTINGS = {
  domains: count(6, { min: 1, max: 40 }, 'guest domains, on the hosts by turns at first'),
  hosts: count(2, { min: 2, max: 4 }, 'hosts, with a store each'),
  requests: count(10_000, { min: 0, max: 200_000 }, 'requests to the stores of everybody, after which guests stop'),
  migrations: count(12, { min: 0, max: 500 }, 'migrations, each of a guest that is not on its way already'),
  cuts: count(3, { min: 0, max: 500 }, 'how many of them on average lose their link before the handover'),
  abreast: count(2, { min: 1, max: 20 }, 'migrations at the same time'),
  updates: count(2, { min: 0, max: 100 }, 'live updates of each store, spread over the traffic'),
  writers: count(2, { min: 1, max: 8 }, 'programs in each guest that use xenstore'),
  devices: word(
    'on',
    ['on', 'off'],
    'whether each guest has a disk and an interface, whose rings are in use when it is moved',
  ),
  block: count(600, { min: 0, max: 200_000 }, 'block requests after which no disk is used any more'),
  net: count(600, { min: 0, max: 200_000 }, 'packets, data and acknowledgements, after which no data is sent'),
  loss: word(
    'refuse',
    ['refuse', 'silent'],
    'what becomes of a guest whose state the format cannot hold: it stays, or loses it',
  ),
  link: word('lan', ['lan', 'wan'], 'what lies between two hosts: 1 Gbit/s and 0.2 ms, or 100 Mbit/s and 20 ms'),
  faults: FAULTS_SETTING,
};

export const migrateUnnoticed: Scenario = scenario({
  name: 'migrate-unnoticed',
  story:
    'Guests are moved between two hosts in the middle of requests, replies and transactions, and are not asked: memory, ports and grants go in the stream, and their part of the store in an image of any format. Each has one session with xenstore all its life, and notices nothing.',
  worry: 'Can a guest move without being asked, and which image format carries what it needs for that?',
  settings: SETTINGS,
  oursAlone: 'gives out what it holds of one guest',
  does: () => [],
  marks: ({ migrations, updates, cuts }) =>
    marks({
      run: { migration: migrations > 0 },
      sweep: {
        'migration-failed': cuts > 0 && migrations > 0,
        update: updates > 0,
        'update-in-migration': updates > 0 && migrations > 0,
      },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings, lab } = request;
  const names = ['alpha', 'beta', 'gamma', 'delta'].slice(0, settings.hosts);
  const opened = openRuns(
    request,
    names.map((name) => ({ name, requestsMax: settings.requests })),
  );
  const { runs, universe } = opened;
  const sessions = new SessionRecorder();
  if (request.checks) universe.journal.observe((event) => sessions.see(event));
  const moves: MoveWitness[] = [];
  const site = settings.devices === 'on' ? new Site(opened) : undefined;
  const tools = site?.places.map(({ process }) => process) ?? runs.map(({ host }) => toolsOf(host));
  const migrations = new Migrations(
    opened,
    tools,
    site?.places.map(({ backends }) => backends.moves),
  );
  const first = runs[0] as (typeof runs)[number];
  const { machine, traffic } = first.host;
  const plan = machine.streams.for('scenario');
  const diarists: Diarist[] = [];
  const writers: Thread[] = [];
  const isOpen = () => diarists.length >= settings.domains && diarists.every(({ isOnline }) => isOnline);
  const [block, net] = [settings.block, settings.net].map((wanted) => new Traffic(site === undefined ? 0 : wanted)) as [
    Traffic,
    Traffic,
  ];
  const devicesOf = (at: number, slot: number) => {
    const backends = site?.places[at]?.backends;
    const peers = [1, 2].map((d) => (slot + d) % settings.domains).filter((peer) => peer !== slot);
    return backends === undefined ? {} : { devices: { backends, use: { block, net, isOpen, peers } } };
  };

  for (const [at, { host }] of runs.entries()) {
    const slots = Array.from({ length: settings.domains }, (_, slot) => slot).filter((s) => s % runs.length === at);
    writers.push(
      host.dom0.os.start('xl', function* (me): Actor {
        yield* host.initStore(me);
        yield* initDom0(me, host.dom0.client);
        yield* new Xs(host.dom0.client, me).write('/shared', '');
        for (const slot of slots) {
          const { xl, exit } = (tools[at] as ToolProcess)(`xl-create-${slot}`);
          // Ids differ on all hosts: one that is kept must be free wherever the guest goes (NC-1).
          const created = yield* createDomain(
            me,
            xl,
            { ...Diarist.plan(slot, site !== undefined), domid: 10 + slot },
            {
              boot: (built) => {
                sessions.follow(built.domain.domid, Diarist.plan(slot, false).name, at);
                const uuid = xl.shared.handleOf(built.domain);
                const plan = { slot, writers: settings.writers, traffic, ...devicesOf(at, slot) };
                diarists.push(new Diarist(host, built, uuid, plan));
              },
            },
          );
          exit();
          if (created.rc !== 0) traffic.refused(`${created.rc} in ${created.failedIn}`);
        }
      }),
    );
    const share = Math.floor((settings.requests * 6) / 10 / Math.max(1, settings.updates));
    const from = Math.floor((settings.requests * 3) / 10);
    const atRequests = Array.from(
      { length: settings.updates },
      (_, i) => from + i * share + plan.below(Math.max(1, share)),
    );
    writers.push(startOperator(runs[at] as (typeof runs)[number], { atRequests, link: () => host.dom0.client }).me);
  }

  const format = (lab ?? formatOf(FORMAT)) as LabFormat;
  const choices = [...(lab === undefined ? [`format=${FORMAT}`] : []), `loss=${settings.loss}`];
  let asked = 0;
  const wanderers = Array.from({ length: settings.abreast }, (_, i) =>
    first.host.dom0.os.start(`wanderer-${i}`, function* (me): Actor {
      while (!isOpen()) yield 200_000;
      while (asked < settings.migrations) {
        asked++;
        yield me.draws.between(...PAUSE_NS);
        const resting = diarists.filter(({ guest }) => isAtRest(migrations, guest));
        if (resting.length === 0) {
          asked--;
          continue;
        }
        const { guest, name, uuid } = me.draws.pick(resting);
        const from = migrations.placeOf(guest);
        const to = (from + 1 + me.draws.below(runs.length - 1)) % runs.length;
        const cutAt = me.draws.below(settings.migrations) < settings.cuts ? me.draws.pick(CUT_STEPS) : undefined;
        const seen = request.checks ? { seen: witness(format, runs[to]?.host, moves) } : {};
        const migration = migrations.start(
          guest,
          to,
          { guest: name, uuid },
          {
            link: LINKS[settings.link],
            told: (news, { link }) => {
              if (news.what === 'step' && news.step === cutAt) link?.cut();
            },
            unnoticed: { choices, finishNs: FINISH_NS, ...seen },
          },
        );
        while (!migrations.isOver(migration)) yield 100_000;
      }
    }),
  );

  return runAllAndJudge(runs, {
    scenario: migrateUnnoticed.name,
    horizonNs: HORIZON_NS,
    isJoint: true,
    isBusy: () => {
      if (writers.some(mayGoOn) || wanderers.some(mayGoOn)) return true;
      if (site !== undefined && [block, net].some(({ stopping, requestsMax }) => !stopping && requestsMax > 0))
        return true;
      traffic.stopping = true;
      const isWorking = ({ programs, isSending }: Diarist) => programs.some(mayGoOn) || isSending;
      return diarists.some(isWorking) || runs.some(({ host }) => host.inFlight > 0);
    },
    created: () => diarists.length,
    migrations: () =>
      reportMigrations(
        migrations.all,
        migrations.history(),
        runs.map(({ host }) => host.recorder?.history()),
      ),
    joined: (histories) => [
      migrationOwners(migrations.history(), histories, { toolstack: 'xl' }),
      unnoticedOctets(sessions.sessions),
      unnoticedMessages(sessions.sessions, { firesWatches: format.name === 'G1' }),
      unnoticedPlatform(moves),
      unnoticedRights(moves),
      ...(site === undefined
        ? []
        : [devicesOverHosts(joinDevices(histories, migrations.history(), finalDisks(site, diarists)))]),
    ],
    ...(site === undefined
      ? {}
      : {
          devices: () => [['block requests', block.requests] as const, ['packets', net.requests] as const],
        }),
  });
}

/** What is on each guest's disk when all is over. */
function finalDisks({ san }: Site, diarists: readonly Diarist[]): FinalDisk[] {
  return san.sums().flatMap(([lun, sums]) => {
    const uuid = diarists.find(({ slot }) => slot === lun)?.uuid;
    return uuid === undefined ? [] : [{ uuid, devid: XVDA, sums }];
  });
}

/** Whether nothing moves the guest, and it runs. */
function isAtRest(migrations: Migrations, guest: Diarist['guest']): boolean {
  const { domid } = guest.os.domain;
  return guest.os.domain.isRunning && !migrations.all.some((each) => each.domid === domid && !migrations.isOver(each));
}

/** Compares what left with what came, before it runs. */
function witness(
  format: LabFormat,
  to: ReturnType<typeof openRuns>['runs'][number]['host'] | undefined,
  moves: MoveWitness[],
) {
  let left: { readonly dumped: string; readonly ports: PortsImage } | undefined;
  return (what: 'out' | 'again', domid: number, image: Uint8Array, platform: Uint8Array): void => {
    if (what === 'out') {
      left = { dumped: format.show(image), ports: decodePlatform(platform).ports };
      return;
    }
    if (left === undefined || to === undefined) return;
    const came = to.dom0.os.hyper.domctl.getPorts(domid);
    const after = came.ok ? came.value : undefined;
    const isPendingNow = new Map(after?.ports.map(({ port, pending }) => [port, pending]));
    moves.push({
      domid,
      timeNs: to.machine.nowNs,
      dumped: left.dumped,
      again: image.length === 0 ? undefined : format.show(image),
      portsBefore: kindsOf(left.ports),
      portsAfter: after === undefined ? undefined : kindsOf(after),
      pending: left.ports.ports
        .filter(({ pending }) => pending)
        .map(({ port }) => ({ port, isPending: isPendingNow.get(port) === true })),
    });
  };
}

function kindsOf({ ports }: PortsImage): ReadonlyMap<number, string> {
  return new Map(
    ports.map(({ port, channel }) => {
      const peer = 'remoteDomid' in channel ? ` ${channel.remoteDomid}` : 'virq' in channel ? ` ${channel.virq}` : '';
      return [port, `${channel.kind}${peer}`];
    }),
  );
}
