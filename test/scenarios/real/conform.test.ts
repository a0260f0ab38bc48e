import { describe, expect, it } from 'vitest';
import { parseLine } from '../../../scenarios/drive/parse.ts';
import { type Action, formatAction } from '../../../scenarios/drive/script.ts';
import { isSound } from '../../../scenarios/real/conform/conform.ts';
import { generateScript, KINDS } from '../../../scenarios/real/conform/generate.ts';
import { type ScriptPlan, ScriptState } from '../../../scenarios/real/conform/script/state.ts';
import { shrink } from '../../../scenarios/real/conform/shrink.ts';

const plan = (seed: string): ScriptPlan => ({ seed, count: 300, compat: '4.17', liveUpdates: true });
const SEEDS = Array.from({ length: 30 }, (_, i) => String(i + 1));
const actionsOf = (lines: readonly string[]) =>
  lines.map((line) => {
    const parsed = parseLine(line);
    if (!parsed.ok) throw new Error(parsed.reason);
    return parsed.action;
  });

describe('the script generator', () => {
  it('gives the same script for the same seed, and another one for another', () => {
    const text = (seed: string) => generateScript(plan(seed)).map(formatAction).join('\n');
    expect(text('7')).toBe(text('7'));
    expect(new Set(['1', '11', '111', '2'].map(text)).size).toBe(4);
  });

  it('gives as many actions as asked for, all of which a script can say', () => {
    for (const seed of SEEDS) {
      const actions = generateScript(plan(seed));
      expect(actions).toHaveLength(300);
      for (const line of actions.map(formatAction)) {
        const parsed = parseLine(line);
        expect(parsed.ok && formatAction(parsed.action)).toBe(line);
      }
    }
  });

  it.each(['4.17', '4.22'] as const)('finds somebody to act when nobody is left (%s)', (compat) => {
    for (let seed = 1; seed <= 40; seed++)
      for (const add of KINDS) {
        const script = new ScriptState({ seed: String(seed), count: 300, compat, liveUpdates: true, all: true });
        expect(() => add(script), `${add.name}, seed ${seed}`).not.toThrow();
      }
  });

  it.each([
    { compat: '4.17', liveUpdates: false, all: true },
    { compat: '4.22', liveUpdates: true, all: true },
    { compat: '4.22', liveUpdates: false, all: false },
  ] as const)('never throws, of a sample ($compat, updates $liveUpdates, all $all)', (options) => {
    for (let seed = 900; seed < 1000; seed++) generateScript({ seed: String(seed), count: 300, ...options });
  });

  it('keeps together what belongs together', () => {
    for (const seed of SEEDS) expect(isSound(generateScript(plan(seed))), `seed ${seed}`).toBe(true);
  });

  it('keeps out requests of one path that are malformed, which 4.17 answers with any error or by aborting', () => {
    const onePath = new Set<Action['kind'] | string | number>(['DIRECTORY', 'READ', 'GET_PERMS', 'MKDIR', 'RM']);
    for (const seed of SEEDS)
      for (const action of generateScript(plan(seed)))
        if (action.kind === 'message' && onePath.has(action.op))
          expect(action.payload.indexOf(0), formatAction(action)).toBe(action.payload.length - 1);
  });

  it('does not update live when told not to', () => {
    for (const seed of SEEDS) {
      const actions = generateScript({ ...plan(seed), liveUpdates: false });
      expect(actions.some((action) => action.kind === 'liveUpdate')).toBe(false);
    }
  });
});

describe('shrinking', () => {
  const items = Array.from({ length: 100 }, (_, i) => i);

  it.each([
    ['one culprit', [41]],
    ['two far apart', [3, 97]],
    ['the first and the last', [0, 99]],
    ['many', [10, 20, 21, 22, 60, 61]],
  ])('finds %s', async (_why, culprits) => {
    const fails = async (some: readonly number[]) => culprits.every((one) => some.includes(one));
    expect(await shrink(items, fails)).toEqual(culprits);
  });

  it('leaves nothing that could go on its own, even where that shows only after another has gone', async () => {
    // 5 is needed only as long as 6 is there.
    const fails = async (some: readonly number[]) => some.includes(1) && (!some.includes(6) || some.includes(5));
    expect(await shrink([1, 5, 6], fails)).toEqual([1]);
  });
});

describe('soundness of a shrunk script', () => {
  const half = '{"on": "a", "raw": "\\u0002\\u0000\\u0000\\u0000"}';
  it.each([
    ['a name opened twice', ['{"socket": "a"}', '{"socket": "a"}'], false],
    ['a name opened again after its end', ['{"socket": "a"}', '{"close": "a"}', '{"socket": "a"}'], true],
    ['a domain created twice', ['{"domain": 1}', '{"domain": 1}'], false],
    ['a message in the middle of another', ['{"socket": "a"}', half, '{"on": "a", "op": "READ"}'], false],
    ['half a message and nothing after it', ['{"socket": "a"}', half], true],
  ])('%s', (_why, lines, sound) => {
    expect(isSound(actionsOf(lines))).toBe(sound);
  });
});
