import { readFileSync } from 'node:fs';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, it } from 'vitest';
import { applyChanges, BUGS, CANARIES, changesOf, FAMILIES } from '../../../scenarios/bugs/index.ts';
import { built } from '../../support/build.ts';
import { xenarium } from '../../support/cli.ts';

/** A module as it is loaded. */
function moduleOf(file: string): string {
  return readFileSync(built(file.replace(/\.ts$/, '.js')), 'utf8');
}

describe('a bug', () => {
  it.each(BUGS.map((bug) => [bug.id, bug] as const))(
    '%s fits the code of today, which with it is another',
    (_, bug) => {
      for (const [file, changes] of changesOf([bug])) {
        const before = moduleOf(file);
        const after = applyChanges(before, changes);
        if (!after.ok) throw new Error(after.reason);
        expect(after.text.replace(/\s/g, '')).not.toBe(before.replace(/\s/g, ''));
        expect(() => parseAst(after.text)).not.toThrow();
      }
    },
  );

  it('has an id of its own, in a family that there is', () => {
    const ids = BUGS.map(({ id }) => id);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i || !/^[BS][0-9]{3}$/.test(id))).toEqual([]);
    expect(BUGS.filter(({ family }) => !FAMILIES.includes(family))).toEqual([]);
    expect(CANARIES.filter((id) => !ids.includes(id))).toEqual([]);
  });
});

describe('a change', () => {
  const change = (from: string, to = 'b()') =>
    applyChanges('if (x)\n  a( y );\nc();c();', [{ file: 'f.ts', from, to }]);

  it('is put where its piece stands, whatever white space there is', () => {
    expect(change('if(x) a(y);')).toEqual({ ok: true, text: 'b()\nc();c();' });
  });

  it('is refused if its piece is not there, or more than once', () => {
    expect(change('d();')).toEqual({ ok: false, reason: 'f.ts: the piece is there 0 times: d();' });
    expect(change('c();')).toEqual({ ok: false, reason: 'f.ts: the piece is there 2 times: c();' });
    expect(change(' ').ok).toBe(false);
  });
});

/** A run in which an update meets requests that were put aside. */
const RUN = ['--format', 'v1', '--set', 'policy=daemon', '--set', 'domains=4', '--set', 'requests=2000'];
const ASIDE = [...RUN, '--set', 'updates=3'];

describe('--bug', () => {
  it('is on in a run, and in the threads of a sweep, and is part of the line that replays it', () => {
    const run = xenarium('--bug', 'B081', 'run', ...ASIDE);
    expect(run.code).toBe(1);
    expect(run.out).toMatch(/^ {2}replay: .*--bug B081 run /m);
    expect(xenarium('run', ...ASIDE).code).toBe(0);
    expect(xenarium('sweep', '--bug', 'B081', '--seeds', '1..1', ...ASIDE).out).toMatch(/^ {2}.*--bug B081 run /m);
  });

  it('says what is wrong with an id that is none', () => {
    const { code, err } = xenarium('run', '--bug', 'B018x');
    expect([code, err]).toEqual([2, expect.stringMatching(/no bug 'B018x'.*bugs list/)]);
  });
});

describe('bugs', () => {
  it('hunt finds one by the stock checks', () => {
    const { code, out } = xenarium('bugs', 'hunt', 'B081', '--seeds', '1', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out).hunted).toMatchObject([{ id: 'B081', found: { outcome: 'violation', check: 'replies' } }]);
  });

  it('show tells what one changes', () => {
    expect(xenarium('bugs', 'show', 'B081').out).toMatch(/restore.ts\n {2}- for[\s\S]* {2}\+ /);
  });
});

describe('a canary', () => {
  const sweep = (...more: readonly string[]) => xenarium('sweep', '--seeds', '1..2', '--canary', 'B081', ...more);

  it('is found by a campaign that sees', () => {
    const { code, out } = sweep(...ASIDE);
    expect([code, out]).toEqual([0, expect.stringMatching(/^canary B081 found in run 1 of its own: replies: /m)]);
  });

  it('that nobody names is one that shows in any traffic', () => {
    const { code, out } = xenarium(
      'sweep',
      '--seeds',
      '1..1',
      '--canary',
      '--set',
      'requests=1000',
      '--set',
      'domains=2',
    );
    expect([code, out]).toEqual([0, expect.stringMatching(/^canary \w+ found in run 1 of its own: /m)]);
  });

  it('makes a campaign that does not find it end as a blind one', () => {
    const { code, out } = sweep('--set', 'requests=1000', '--set', 'updates=1', '--set', 'domains=2');
    expect([code, out]).toEqual([5, expect.stringMatching(/^this campaign is blind: with B081 on .* 2 of its runs/m)]);
  });
});
