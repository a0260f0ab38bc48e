import { type Thread, Xs } from '../../guests/index.ts';
import { createDomain, initDom0 } from '../../guests/libxl/index.ts';
import type { Actor } from '../../sim/index.ts';
import { keepsDepth, mayGoOn, moments, openRun, runAndJudge, startOperator } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf } from '../engine/settings.ts';
import type { Verdict, Violation } from '../judge/history.ts';
import { livesGoOn } from '../judge/invariants/lives.ts';
import { memoryMoved } from '../judge/invariants/memory.ts';
import { Keeper, SavesTally } from './saves/keeper.ts';
import { configOf, drawDirtying, SavedGuest } from './saves/saved-guest.ts';

const HORIZON_NS = 300_000_000_000;

const SETTINGS = {
  domains: count(6, { min: 1, max: 40 }, 'guest domains: PVH, PV, HVM, PVH in turn'),
  pages: count(128, { min: 8, max: 900 }, 'pages of memory that a guest works in, at most; each draws how many'),
  requests: count(5_000, { min: 0, max: 200_000 }, 'requests of everybody, after which the agents stop'),
  updates: count(2, { min: 0, max: 100 }, 'live updates, spread over the traffic'),
  keeps: count(30, { min: 0, max: 100 }, 'of 100 saves, those with -c or -p: the guest goes on where it is'),
  cuts: count(30, { min: 0, max: 100 }, 'of 100 restores, those before which a part of the file is tried'),
  full: count(15, { min: 0, max: 100 }, 'of 100 saves, those to a disk that gets full'),
  twice: count(25, { min: 0, max: 100 }, 'of 100 restores, those of which the file is restored once more'),
  faults: FAULTS_SETTING,
};

export const saveRestore: Scenario = scenario({
  name: 'save-restore',
  story:
    'Guests are saved into files in the middle of their traffic and go on in new domains out of them, or where they were; files are cut, disks are full, one file is restored twice; the store live-updates itself all the while.',
  worry: 'A guest is saved and restored, twice even and with one uuid, or its file is cut: what has it lost?',
  settings: SETTINGS,
  does: () => [],
  marks: ({ updates, keeps, cuts, full, twice }) =>
    marks({
      run: { save: true, update: updates > 0, event: true },
      sweep: {
        restore: keeps < 100,
        resume: keeps > 0,
        'file-cut': cuts > 0 && keeps < 100,
        'disk-full': full > 0,
        'restored-again': twice > 0 && keeps < 100,
      },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const run = openRun(request, { requestsMax: settings.requests });
  const { host } = run;
  const { machine, traffic, dom0, faults } = host;
  const hasFaults = faults.faults.length > 0;
  const plan = machine.streams.for('scenario');
  const share = Math.floor((settings.requests * 8) / 10 / Math.max(1, settings.updates));
  const atRequests = moments(settings.updates, Math.floor(settings.requests / 10), share, plan);
  const hasDepth = keepsDepth(request);
  const tally = new SavesTally();
  const guests: SavedGuest[] = [];
  const keepers: Keeper[] = [];
  const writers: Thread[] = [];
  const xl = host.libxl(dom0.client, { hasBackends: false });

  const keep = (saved: SavedGuest) => {
    const name = `xl-${saved.slot}`;
    const own = host.libxl(dom0.client, { hasBackends: false, tokenPrefix: `${name}:` });
    writers.push(
      dom0.os.start(name, (me) => {
        const keeper = new Keeper(me, saved, {
          host,
          xl: own,
          tally,
          keepsOf100: settings.keeps,
          cutsOf100: settings.cuts,
          fullOf100: settings.full,
          twiceOf100: settings.twice,
          hasFaults,
        });
        keepers.push(keeper);
        return keeper.run(() => traffic.stopping);
      }),
    );
  };

  const builder = dom0.os.start('xl', function* (me): Actor {
    const xs = new Xs(dom0.client, me);
    yield* xs.write('/shared', '');
    yield* xs.setPerms('/shared', ['b0']);
    yield* host.initStore(me);
    yield* initDom0(me, dom0.client);
    for (let slot = 0; slot < settings.domains; slot++) {
      const dirtying = drawDirtying(me.draws, settings.pages);
      const created = yield* createDomain(me, xl, configOf(slot), {
        boot: (built) => {
          guests.push(new SavedGuest(host, built, { slot, dirtying, traffic, hasDepth }));
        },
      });
      traffic.conflicts += created.conflicts;
      if (created.rc !== 0) traffic.refused(`${created.rc} in ${created.failedIn}`);
      const saved = guests.at(-1);
      if (created.rc === 0 && saved !== undefined) keep(saved);
    }
  });
  const { me: lu } = startOperator(run, { atRequests, link: () => dom0.client });
  writers.push(builder, lu);

  return runAndJudge(run, {
    scenario: saveRestore.name,
    isBusy: () => {
      // With nobody left to make traffic the moments of further updates never come.
      const isWorking = guests.some(({ workers }) => workers.some(mayGoOn));
      if (!mayGoOn(builder) && !isWorking) traffic.stopping = true;
      return writers.some(mayGoOn) || isWorking || host.inFlight > 0;
    },
    horizonNs: HORIZON_NS,
    created: () => guests.length + tally.restores + tally.again,
    finish: () => {
      for (const keeper of keepers) keeper.finish();
    },
    verdicts: (history) => [livesGoOn(history), memoryMoved(tally.moves, tally.findings), saves(tally)],
  });
}

function saves(tally: SavesTally): Verdict {
  return {
    invariant: 'saves',
    claim: 'Who saves and restores gets what xl would get, and no guest is lost',
    source: 'tools/xl/xl_saverestore.c, xl_vmcontrol.c; SV-1 to SV-3, SV-5, FP-31, FP-32',
    checked: [
      ['saves', tally.saves],
      ['after which it went on', tally.kept],
      ['after which it was paused', tally.paused],
      ['restores', tally.restores],
      ['restores once more', tally.again],
      ['refused by a name', tally.refused],
      ['files cut', tally.cut],
      ['disks full', tally.full],
    ],
    violations: tally.surprises.map(
      ({ timeNs, actor, detail }): Violation => ({ invariant: 'saves', seq: 0, timeNs, actor, request: '', detail }),
    ),
  };
}
