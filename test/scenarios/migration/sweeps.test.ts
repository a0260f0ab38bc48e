import { describe, expect, it } from 'vitest';
import { allBreaks, type Break, breakOnce } from '../../../scenarios/lab/migration-breaks.ts';

/*
 * `xenarium matrix --breaks` tries all of them, under both handovers. Here is every one that is a row of its own, and of the cuts, of
 * which neighbours end alike, each kind's first, its last and every seventh.
 */
const all = allBreaks();
const sampled = all.filter(({ kind }, i) => {
  const isEdge = all[i - 1]?.kind !== kind || all[i + 1]?.kind !== kind;
  return kind === 'killed' || isEdge || i % 7 === 0;
});

/** How often each kind ends how. */
function endsOf(
  breaks: readonly Break[],
  toolstack: 'xl' | 'handoverLog',
): Readonly<Record<string, readonly string[]>> {
  const ends: Record<string, Set<string>> = {};
  for (const each of breaks) {
    const { kind, where, end, wrong } = breakOnce(each, toolstack);
    expect(wrong, `${kind}, ${where}`).toEqual([]);
    ends[kind] ??= new Set();
    ends[kind].add(end);
  }
  return Object.fromEntries(Object.entries(ends).map(([kind, of]) => [kind, [...of].sort()]));
}

describe('each way in which a migration can break (INJ-M1, INJ-M2, INJ-M11)', () => {
  it('is counted: so many cuts of the stream, of the banner, of the 162 octets of the handover, so many kills', () => {
    const counts: Record<string, number> = {};
    for (const { kind } of all) counts[kind] = (counts[kind] ?? 0) + 1;
    expect(counts).toEqual({ stream: 60, banner: 54, ready: 34, go: 44, report: 40, 'go back': 44, killed: 29 });
  });

  it('ends under xl in the row that 3.4 predicts', () => {
    const { killed = [], ...cuts } = endsOf(sampled, 'xl');
    expect(cuts).toEqual({
      stream: ['failed_badly, left paused: alpha parked, beta paused (FP-13)', 'failed_resume, refused: alpha running'],
      banner: ['preparation, refused: alpha running'],
      // FP-17: at R's end the transport ends both ways at once: it can neither be told nor tell.
      ready: ['failed_resume, left paused: alpha running, beta paused'],
      go: ['failed_badly, left paused: alpha parked, beta paused (FP-13)'],
      report: ['failed_badly, running: alpha parked, beta running'],
      'go back': ['failed_badly, granted back: alpha parked (FP-16)'],
    });
    // One runs, or nobody, in a hole of which each name is known.
    for (const end of killed) expect(end).toMatch(/: (?:[^:]*running[^:]*|.*\(FP-(?:13|20|23)\))$/);
  }, 120_000);

  it('ends with one copy that runs where a log is kept', () => {
    for (const end of Object.values(endsOf(sampled, 'handoverLog')).flat())
      expect(end).toMatch(/: (?:alpha|beta) running$/);
  }, 120_000);
});
