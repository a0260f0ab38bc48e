import { describe, expect, it } from 'vitest';
import { octets, Xs } from '../../../guests/index.ts';
import type { History, HistoryRecord } from '../../../scenarios/judge/history.ts';
import { thirdParties } from '../../../scenarios/judge/invariants/third-parties.ts';
import { Bench, type BenchPlan } from '../../../scenarios/lab/migration-bench.ts';
import type { Actor } from '../../../sim/index.ts';
import { XS } from '../../../store/protocol/wire.ts';

const MS = 1_000_000;
const STAYING = ['near', 'far'] as const;

/** A guest at either host, with watches and transactions of its own, while another one goes there and back, or stays. */
function run(isMoved: boolean, plan: BenchPlan = {}): readonly History[] {
  const bench = new Bench(plan);
  for (const [host, name] of STAYING.entries())
    bench.make(name, host, ({ os, client }) => {
      os.start('writer', function* (me): Actor {
        const xs = new Xs(client, me);
        yield* xs.watch('data/own', 'own');
        for (let n = 0; ; n++) {
          yield me.draws.below(MS);
          yield* xs.write(`data/own/${n % 5}`, octets(String(n)));
          yield* xs.read(`data/own/${(n + 3) % 5}`);
          yield* xs.nextEvent();
          if (n % 4 !== 0) continue;
          yield* xs.transaction(function* (tx) {
            yield* xs.read(`data/own/${n % 5}`, tx);
            yield* xs.write('data/sum', octets(String(n)), tx);
            return true;
          }, 100);
        }
      });
    });
  if (isMoved) for (let i = 0; i < 2; i++) expect(bench.migrate().source).toBe('success');
  else bench.pass(1_500 * MS);
  return bench.runs.runs.flatMap(({ host }) => host.recorder?.history() ?? []);
}

describe('INV-M8: guests that are not moved', () => {
  const twin = run(false);

  it('have the session of a run without migrations', () => {
    const { violations, checked } = thirdParties(run(true), twin, STAYING);
    expect(violations).toEqual([]);
    expect(new Map(checked).get('lines compared')).toBeGreaterThan(2_000);
  });

  it('are seen where an answer is another, or where they say nothing', () => {
    const moved = run(true);
    const conn = moved[0]?.epochs.find(({ name }) => name === STAYING[0])?.conn;
    const records = [...(moved[0]?.records ?? [])];
    const at = records.findIndex((r) => r.kind === 'got' && r.conn === conn && r.type === XS.READ);
    records[at] = { ...records[at], type: XS.ERROR, payload: octets('ENOENT\0') } as HistoryRecord;
    const changed = [{ ...(moved[0] as History), records }, moved[1] as History];
    const details = thirdParties(changed, twin, STAYING).violations.map(({ detail }) => detail);
    expect(details).toEqual([expect.stringMatching(/^INV-M8: ERROR: ENOENT {2}instead of READ/)]);
    expect(thirdParties(moved, twin, ['nobody']).violations).toHaveLength(1);
  });
});
