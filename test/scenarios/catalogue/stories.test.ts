import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import type { RunRequest, RunResult, Scenario } from '../../../scenarios/engine/scenario.ts';
import type { StateRecord } from '../../../store/format/index.ts';
import { broken, tamper } from '../../support/headline.ts';

/*
 * A worry is covered when a store that has it was seen to be found out. Each row breaks the store in the way that the story is about,
 * by handing the successor another state than the predecessor had, and says which check must bark.
 */

const NOTHING = new Uint8Array(0);

type Change = (record: StateRecord) => StateRecord | undefined;
type Of<K extends StateRecord['kind']> = Extract<StateRecord, { readonly kind: K }>;

/** Of one kind of record. */
function of<K extends StateRecord['kind']>(kind: K, change: (record: Of<K>) => StateRecord | undefined): Change {
  return (record) => (record.kind === kind ? change(record as Of<K>) : record);
}

const losesWatches = of('WATCH_DATA', () => undefined);
const losesInput = of('CONNECTION_DATA', (it) => ({ ...it, inData: NOTHING }));

const losesOutput = of('CONNECTION_DATA', (it) => ({ ...it, outRespLen: 0, outData: NOTHING }));

const PLANTED: readonly (readonly [name: string, why: string, bites: string, change: Change])[] = [
  ['checkpointed-agents', 'loses answers that were not read', 'replies', losesOutput],
  ['windows-guests', 'loses half a request', 'replies', losesInput],
  ['move-the-watcher', 'loses watches', 'watch-events', losesWatches],
];

const found = (name: string) => SCENARIOS.find((each) => each.name === name) as Scenario;

function run(name: string, more: Partial<RunRequest> = {}): RunResult {
  return found(name).run({ seed: '1', format: 'v2', settings: {}, checks: true, ...more });
}

describe('a story of the catalogue', () => {
  it.each(PLANTED)(
    '%s passes, and finds a store that %s',
    (name, _, bites, change) => {
      const sound = run(name);
      expect([sound.outcome, sound.reason, broken(sound)]).toEqual(['pass', '', []]);
      const passImage = tamper(change);
      const seeds = ['1', '2', '3'];
      const seen = seeds.flatMap((seed) => {
        const result = run(name, { seed, passImage });
        return [result.outcome, ...broken(result)];
      });
      expect(seen).toContain(bites);
    },
    240_000,
  );
});
