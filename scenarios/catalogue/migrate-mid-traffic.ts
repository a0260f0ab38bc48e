import { type Thread, Traffic, Xs } from '../../guests/index.ts';
import { createDomain, initDom0 } from '../../guests/libxl/index.ts';
import type { Actor } from '../../sim/index.ts';
import { reportMigrations } from '../engine/migration-report.ts';
import { Migrations } from '../engine/migrations.ts';
import { keepsDepth, mayGoOn, openRuns, runAllAndJudge, startOperator } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, word } from '../engine/settings.ts';
import { devices } from '../judge/invariants/devices.ts';
import { disksOverHosts } from '../judge/invariants/disks-over-hosts.ts';
import { migrationOwners } from '../judge/invariants/migration-owners.ts';
import { type FinalDisk, joinDisks } from '../judge/joined-disks.ts';
import { LINKS } from './migration/links.ts';
import { Site } from './migration/site.ts';
import { Traveller } from './migration/traveller.ts';

const HORIZON_NS = 120_000_000_000;
/** Between two migrations of one of those who ask for them, ns. */
const PAUSE_NS = [1_000_000, 20_000_000] as const;
/** Of the only disk that each has. */
const XVDA = 202 << 8;
/** Traffic of devices begins when all guests are there, or so late. */
const GATE_NS = 2_000_000_000;

const SETTINGS = {
  domains: count(12, { min: 1, max: 60 }, 'guest domains, on the hosts by turns at first'),
  hosts: count(2, { min: 2, max: 4 }, 'hosts, with a store each'),
  requests: count(26_000, { min: 0, max: 200_000 }, 'requests to the stores of everybody, after which agents stop'),
  block: count(6_000, { min: 0, max: 200_000 }, 'block requests after which no disk is used any more'),
  net: count(6_000, { min: 0, max: 200_000 }, 'packets, data and acknowledgements, after which no data is sent'),
  migrations: count(12, { min: 0, max: 500 }, 'migrations, each of a guest that is not on its way already'),
  abreast: count(3, { min: 1, max: 20 }, 'migrations at the same time'),
  updates: count(3, { min: 0, max: 100 }, 'live updates of each store, spread over the traffic'),
  workers: count(1, { min: 0, max: 16 }, 'agents in each guest that use xenstore'),
  link: word('lan', ['lan', 'wan'], 'what lies between two hosts: 1 Gbit/s and 0.2 ms, or 100 Mbit/s and 20 ms'),
  faults: FAULTS_SETTING,
};

export const migrateMidTraffic: Scenario = scenario({
  name: 'migrate-mid-traffic',
  story:
    'A dozen guests with disks, interfaces and consoles wander between two hosts in the middle of their traffic, while both hosts live-update their stores; each runs in one place at a time, and nothing that was promised to it is lost.',
  settings: SETTINGS,
  does: () => [],
  marks: ({ migrations, updates, block, net }) =>
    marks({
      run: {
        migration: migrations > 0,
        update: updates > 0,
        connect: true,
        block: block > 0,
        packet: net > 0,
        event: true,
      },
      sweep: { 'update-in-migration': updates > 0 && migrations > 0 },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const names = ['alpha', 'beta', 'gamma', 'delta'].slice(0, settings.hosts);
  const opened = openRuns(
    request,
    names.map((name) => ({ name, requestsMax: settings.requests })),
  );
  const { runs } = opened;
  const site = new Site(opened);
  const migrations = new Migrations(
    opened,
    site.places.map(({ process }) => process),
  );
  const first = runs[0] as (typeof runs)[number];
  const { machine, traffic } = first.host;
  const block = new Traffic(settings.block);
  const net = new Traffic(settings.net);
  const plan = machine.streams.for('scenario');
  const hasDepth = keepsDepth(request);
  const travellers: Traveller[] = [];
  const writers: Thread[] = [];
  const isOpen = () => travellers.length >= settings.domains || machine.nowNs > GATE_NS;

  for (const [at, place] of site.places.entries()) {
    const { host } = place.run;
    const slots = Array.from({ length: settings.domains }, (_, slot) => slot).filter(
      (slot) => slot % runs.length === at,
    );
    writers.push(
      host.dom0.os.start('xl', function* (me): Actor {
        yield* host.initStore(me);
        yield* initDom0(me, host.dom0.client);
        const xs = new Xs(host.dom0.client, me);
        yield* xs.write('/shared', '');
        yield* xs.setPerms('/shared', ['b0']);
        for (const slot of slots) {
          const { xl, exit } = place.process(`xl-create-${slot}`);
          const created = yield* createDomain(me, xl, Traveller.plan(slot), {
            boot: (built) => {
              const uuid = xl.shared.handleOf(built.domain);
              const peers = [1, 2].map((d) => (slot + d) % settings.domains).filter((peer) => peer !== slot);
              const { workers } = settings;
              travellers.push(
                new Traveller(place, built, uuid, { slot, workers, hasDepth, traffic, block, net, isOpen, peers }),
              );
            },
          });
          exit();
          traffic.commits += created.commits;
          traffic.conflicts += created.conflicts;
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
    writers.push(startOperator(place.run, { atRequests, link: () => host.dom0.client }).me);
  }

  let asked = 0;
  const wanderers = Array.from({ length: settings.abreast }, (_, i) =>
    first.host.dom0.os.start(`wanderer-${i}`, function* (me): Actor {
      while (!isOpen()) yield 1_000_000;
      while (asked < settings.migrations) {
        asked++;
        yield me.draws.between(...PAUSE_NS);
        const resting = travellers.filter(({ guest }) => isAtRest(migrations, guest));
        if (resting.length === 0) {
          asked--;
          continue;
        }
        const { guest, name, uuid } = me.draws.pick(resting);
        const from = migrations.placeOf(guest);
        const to = (from + 1 + me.draws.below(runs.length - 1)) % runs.length;
        const migration = migrations.start(guest, to, { guest: name, uuid }, { link: LINKS[settings.link] });
        while (!migrations.isOver(migration)) yield 100_000;
      }
    }),
  );

  return runAllAndJudge(runs, {
    scenario: migrateMidTraffic.name,
    horizonNs: HORIZON_NS,
    isBusy: () => {
      if (writers.some(mayGoOn) || wanderers.some(mayGoOn)) return true;
      if (!block.stopping && settings.block > 0) return true;
      if (!net.stopping && settings.net > 0) return true;
      traffic.stopping = true;
      const isWorking = ({ programs, isSending }: Traveller) => programs.some(mayGoOn) || isSending;
      return travellers.some(isWorking) || runs.some(({ host }) => host.inFlight > 0);
    },
    created: () => travellers.length,
    migrations: () =>
      reportMigrations(
        migrations.all,
        migrations.history(),
        runs.map(({ host }) => host.recorder?.history()),
      ),
    joined: (histories) => {
      const history = migrations.history();
      return [
        migrationOwners(history, histories, { toolstack: 'xl' }),
        disksOverHosts(joinDisks(histories, history, finalDisks(site.san, travellers))),
      ];
    },
    verdicts: (history) => [devices(history, 'one host of several')],
    devices: () => [
      ['block requests', block.requests],
      ['packets', net.requests],
    ],
  });
}

/** What is on each guest's disk when all is over. */
function finalDisks(san: Site['san'], travellers: readonly Traveller[]): FinalDisk[] {
  return san.sums().flatMap(([lun, sums]) => {
    const uuid = travellers.find(({ slot }) => slot === lun)?.uuid;
    return uuid === undefined ? [] : [{ uuid, devid: XVDA, sums }];
  });
}

/** Whether nothing moves the guest, and it runs. */
function isAtRest(migrations: Migrations, guest: Traveller['guest']): boolean {
  const { domid } = guest.os.domain;
  const at = migrations.placeOf(guest);
  const isOnItsWay = migrations.all.some(
    (each) => each.domid === domid && each.from === at && !migrations.isOver(each),
  );
  return guest.os.domain.isRunning && !isOnItsWay;
}
