import { describe, expect, it } from 'vitest';
import { LINUX_HABITS } from '../../../guests/index.ts';
import { createDomain, type MigrationStep } from '../../../guests/libxl/index.ts';
import type { Migration, Moving } from '../../../scenarios/engine/migrations.ts';
import type { Verdict } from '../../../scenarios/judge/history.ts';
import { at, Bench, type BenchPlan } from '../../../scenarios/lab/migration-bench.ts';
import { LAN } from '../../../sim/index.ts';

/** What a migration comes to under xl, and under a handover that keeps a log. */
interface Row {
  readonly fp: string;
  readonly what: string;
  readonly plan?: BenchPlan;
  /** What is arranged before, and how the guest is moved. */
  readonly how: (bench: Bench) => Moving;
  /** What happens after both processes have ended. */
  readonly after?: (bench: Bench) => void;
  readonly xl: {
    readonly source: Migration['source'];
    readonly target?: Migration['target'];
    readonly copies: string;
    /** The row in which nobody runs, as it is named by INV-M2. */
    readonly hole?: string;
  };
  /** Where exactly one copy runs with a log; '' where it is not asked. */
  readonly log: 'alpha' | 'beta' | '';
  /** Hosts that are down at the end. */
  readonly down?: readonly number[];
}

const MS = 1_000_000;
const S = 1_000 * MS;
/** A transport that gives up a link of which nothing is heard. */
const KEPT_ALIVE = { ...LAN, keepAliveNs: 500 * MS };
const PATIENCE = { source: { patienceNs: 20 * MS } };

function kill(process: 'S' | 'V' | 'R' | 'W', step: MigrationStep): Moving {
  const dies = (who: string, where: MigrationStep) => who === process && where === step;
  return process === 'S' || process === 'V' ? { source: { dies } } : { target: { dies } };
}

/** Somebody has the name already, on that host. */
function takeName(bench: Bench, host: number, name: string): void {
  const place = bench.site.places[host];
  bench.does(host, function* (me) {
    const { xl, exit } = (place as NonNullable<typeof place>).process(`taker-${name}-${host}`);
    yield* createDomain(me, xl, { name }, { boot: (built) => void bench.host(host).boot(built, LINUX_HABITS) });
    exit();
  });
}

const forthAfter = (n: number) => (m: Migration) => m.link?.forth.cutAfter((m.link?.forth.taken ?? 0) + n);
const backAfter = (n: number) => (m: Migration) => m.link?.back.cutAfter((m.link?.back.taken ?? 0) + n);

const ROWS: readonly Row[] = [
  {
    fp: 'FP-1',
    what: 'the other host is not to be reached',
    how: () => ({ linked: (link) => link.cut() }),
    xl: { source: 'preparation', copies: 'alpha running' },
    log: 'alpha',
  },
  {
    fp: 'FP-2',
    what: 'the link breaks in the header',
    how: () => ({ linked: (link) => link.forth.cutAfter(20) }),
    xl: { source: 'failed_resume', target: 'refused', copies: 'alpha running' },
    log: 'alpha',
  },
  {
    fp: 'FP-3',
    what: 'NAME--incoming is there already',
    how: (bench) => {
      takeName(bench, 1, 'guest--incoming');
      return {};
    },
    xl: { source: 'failed_resume', target: 'refused', copies: 'alpha running' },
    log: 'alpha',
  },
  {
    fp: 'FP-4',
    what: 'the link breaks in a live pass',
    how: () => ({ linked: (link) => link.forth.cutAfter(40_000) }),
    xl: { source: 'failed_resume', target: 'refused', copies: 'alpha running' },
    log: 'alpha',
  },
  {
    fp: 'FP-6',
    what: 'the guest never acknowledges',
    plan: { asked: 'deaf' },
    how: () => PATIENCE,
    xl: { source: 'failed_suspend', target: 'refused', copies: 'alpha running' },
    log: 'alpha',
  },
  {
    fp: 'FP-7',
    what: 'the guest acknowledges, and parks when nobody waits any more',
    plan: { asked: 'late' },
    how: () => PATIENCE,
    after: (bench) => {
      bench.park();
      bench.pass(2 * S);
    },
    xl: { source: 'failed_suspend', target: 'refused', copies: 'alpha parked', hole: 'FP-7' },
    log: 'alpha',
  },
  {
    fp: 'FP-8',
    what: 'the guest powers off instead',
    plan: { asked: 'poweroff' },
    how: () => PATIENCE,
    xl: { source: 'failed_resume', target: 'refused', copies: 'alpha ended' },
    log: '',
  },
  {
    fp: 'FP-9',
    what: 'the link breaks in the last pass, way C',
    how: () => at('V', 'SO9', (m) => m.link?.cut()),
    xl: { source: 'failed_resume', target: 'refused', copies: 'alpha running' },
    log: 'alpha',
  },
  {
    fp: 'FP-10',
    what: 'the link stalls for ever in the last pass',
    how: () => at('V', 'SO9', (m) => m.link?.stall(Number.POSITIVE_INFINITY)),
    xl: { source: undefined, copies: 'alpha parked, beta paused', hole: 'FP-10' },
    log: 'alpha',
  },
  {
    fp: 'FP-13',
    what: 'the go is lost, both directions dead',
    how: () => at('S', 'SO15', forthAfter(10)),
    xl: { source: 'failed_badly', target: 'left paused', copies: 'alpha parked, beta paused', hole: 'FP-13' },
    log: 'alpha',
  },
  {
    fp: 'FP-13',
    what: 'the go is lost, the way back is alive',
    how: () => ({ ...at('S', 'SO15', forthAfter(10)), isHalved: true }),
    xl: { source: 'target reported', target: 'granted back', copies: 'alpha running' },
    log: 'alpha',
  },
  {
    fp: 'FP-14',
    what: 'the report is lost',
    how: () => at('R', 'DE19', backAfter(5)),
    xl: { source: 'failed_badly', target: 'running', copies: 'alpha parked, beta running' },
    log: 'beta',
  },
  {
    fp: 'FP-15',
    what: 'the rename at the destination fails',
    how: (bench) => {
      takeName(bench, 1, 'guest');
      return {};
    },
    xl: { source: 'target reported', target: 'granted back', copies: 'alpha running' },
    log: 'alpha',
  },
  {
    fp: 'FP-16',
    what: 'the rename at the destination fails, and the go back is lost',
    how: (bench) => {
      takeName(bench, 1, 'guest');
      return at('R', 'DE20', backAfter(3));
    },
    xl: { source: 'failed_badly', target: 'granted back', copies: 'alpha parked', hole: 'FP-16' },
    log: 'alpha',
  },
  {
    fp: 'FP-17',
    what: 'the link is dead when ready is written',
    how: () => at('R', 'DE14', (m) => m.link?.cut()),
    xl: { source: 'failed_resume', target: 'left paused', copies: 'alpha running, beta paused' },
    log: 'alpha',
  },
  {
    fp: 'FP-18',
    what: 'ready arrives, and the link dies before the go is written',
    how: () => at('S', 'SO14', (m) => m.link?.cut()),
    xl: { source: 'failed_badly', target: 'left paused', copies: 'alpha parked, beta paused', hole: 'FP-13' },
    log: 'alpha',
  },
  {
    fp: 'FP-19',
    what: 'the rename at the source fails',
    how: (bench) => {
      takeName(bench, 0, 'guest--migratedaway');
      return {};
    },
    xl: { source: 'failed_resume', target: 'granted back', copies: 'alpha running' },
    log: 'alpha',
  },
  ...(['SO2', 'SO4', 'SO5', 'SO6'] as const).map(
    (step): Row => ({
      fp: 'FP-20',
      what: `S is killed at ${step}, the guest runs`,
      how: () => kill('S', step),
      xl: { source: 'killed', copies: 'alpha running' },
      log: 'alpha',
    }),
  ),
  ...(['SO13', 'SO14', 'SO15'] as const).map(
    (step): Row => ({
      fp: 'FP-20',
      what: `S is killed at ${step}, the guest is parked`,
      how: () => kill('S', step),
      // Nobody hears a ready that is written when S is gone, and R leaves its copy; one who waits for the go destroys it.
      xl: {
        source: 'killed',
        copies: step === 'SO13' ? 'alpha parked, beta paused' : 'alpha parked',
        hole: 'FP-20',
      },
      log: 'alpha',
    }),
  ),
  ...(['SO16', 'SO17'] as const).map(
    (step): Row => ({
      fp: 'FP-21',
      what: `S is killed at ${step}: the source stays beside its heir (INJ-T13)`,
      how: () => kill('S', step),
      xl: { source: 'killed', copies: 'alpha parked, beta running' },
      log: 'beta',
    }),
  ),
  ...(['DE1', 'DE3', 'DE4', 'DE6', 'DE7', 'DE11', 'DE12', 'DE14', 'DE15'] as const).map(
    (step): Row => ({
      fp: 'FP-22',
      what: `R is killed at ${step}`,
      how: () => kill('R', step),
      xl: {
        source: step === 'DE1' ? 'preparation' : 'failed_resume',
        target: 'killed',
        // A domain that has no tree yet is nobody's copy.
        copies: ['DE1', 'DE3', 'DE4'].includes(step) ? 'alpha running' : 'alpha running, beta paused',
      },
      log: 'alpha',
    }),
  ),
  {
    fp: 'FP-22',
    what: 'R is killed at DE16, when ready is written: as FP-18',
    how: () => kill('R', 'DE16'),
    xl: { source: 'failed_badly', target: 'killed', copies: 'alpha parked, beta paused', hole: 'FP-13' },
    log: 'alpha',
  },
  {
    fp: 'FP-22',
    what: 'W is killed',
    how: () => kill('W', 'DE7'),
    xl: { source: 'failed_resume', target: 'refused', copies: 'alpha running' },
    log: 'alpha',
  },
  ...(['DE17', 'DE18'] as const).map(
    (step): Row => ({
      fp: 'FP-23',
      what: `R is killed at ${step}`,
      how: () => kill('R', step),
      xl: { source: 'failed_badly', target: 'killed', copies: 'alpha parked, beta paused', hole: 'FP-23' },
      log: 'beta',
    }),
  ),
  {
    fp: 'FP-23',
    what: 'R is killed when the guest runs',
    how: () => kill('R', 'DE19'),
    xl: { source: 'failed_badly', target: 'killed', copies: 'alpha parked, beta running' },
    log: 'beta',
  },
  ...(['SO6', 'SO7', 'SO9'] as const).map(
    (step): Row => ({
      fp: step === 'SO9' ? 'FP-9' : 'FP-4',
      what: `V is killed at ${step}`,
      how: () => kill('V', step),
      xl: { source: 'failed_resume', target: 'refused', copies: 'alpha running' },
      log: 'alpha',
    }),
  ),
];

function known({ known: defects = [] }: Verdict): string[] {
  return defects.map(({ label }) => label);
}

describe('what xl makes of each failure point (3.4)', () => {
  it.each(ROWS)('$fp: $what', ({ plan = {}, how, after, xl, down }) => {
    const bench = new Bench(plan);
    const migration = bench.migrate(how(bench), 20 * S);
    after?.(bench);
    expect({ source: migration.source, copies: bench.copies }).toEqual({ source: xl.source, copies: xl.copies });
    if (xl.target !== undefined) expect(migration.target).toBe(xl.target);
    const owners = bench.owners(down);
    expect(owners.violations).toEqual([]);
    expect(known(owners)).toEqual(xl.hole === undefined ? [] : [xl.hole]);
    if (xl.copies.includes('running')) expect(bench.isServed).toBe(true);
  });
});

describe('handoverLog: exactly one copy runs in the end', () => {
  it.each(ROWS.filter(({ log }) => log !== ''))('$fp: $what', ({ plan = {}, how, after, log, down }) => {
    const bench = new Bench({ ...plan, keepsLogs: true });
    bench.migrate({ ...how(bench), link: KEPT_ALIVE }, 20 * S);
    after?.(bench);
    expect(bench.copies).toBe(`${log} running`);
    expect(bench.owners(down).violations).toEqual([]);
    expect(bench.isServed).toBe(true);
  });
});
