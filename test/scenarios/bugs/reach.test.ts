import { describe, expect, it } from 'vitest';
import { type Bug, placeOf } from '../../../scenarios/bugs/index.ts';
import { SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import { portfolioRuns } from '../../../scenarios/cli/bugs/portfolio.ts';
import { Reaching } from '../../../scenarios/cli/bugs/reach.ts';

/** What of a text a change makes a difference to. */
function differs(text: string, from: string, to: string): string | undefined {
  const place = placeOf(text, { file: 'f.ts', from, to });
  return place && text.slice(place.from, place.to);
}

describe('the place of a change', () => {
  const text = 'if (x)\n  a(y);\nelse b();\nc();c();';

  it('is what differs, with a character on either side', () => {
    expect(differs(text, 'a(y); else b();', 'a(y); else d();')).toBe('e b(');
    expect(differs(text, 'if(x)a(y);', '')).toBe('if (x)\n  a(y);\ne');
  });

  it('of what is only put in is where it is put in', () => {
    expect(differs(text, 'a(y);', 'a(y); e();')).toBe(';\ne');
    expect(differs(text, 'else b();', 'else { b(); }')).toBe('e b();\nc');
  });

  it('is not known if the piece is not there once', () => {
    expect(differs(text, 'c();', '')).toBeUndefined();
    expect(differs(text, 'd();', '')).toBeUndefined();
  });
});

describe('the runs of a hunt', () => {
  it('are of every scenario, with each seed', () => {
    for (const runs of portfolioRuns(2)) {
      const names = new Set(runs.map(({ scenario }) => scenario));
      expect(SCENARIOS.filter(({ name }) => !names.has(name))).toEqual([]);
    }
  });
});

describe('what a run reaches of a bug', () => {
  const text = 'const n = 1;\nfunction f(x) {\n  if (x) g();\n  h();\n}\n';
  const [start, end] = [text.indexOf('function'), text.lastIndexOf('}') + 1];
  const call = { startOffset: text.indexOf('g()'), endOffset: text.indexOf('g()') + 4 };
  const bug = (from: string, to: string): Bug => {
    return {
      id: 'S999',
      family: 'ring',
      title: '',
      source: '',
      observable: 'full',
      changes: [{ file: 'f.ts', from, to }],
    };
  };
  const bugs = [
    bug('g();', 'k();'),
    bug('if (x) g();', ''),
    bug('h();', 'h(); k();'),
    bug('const n = 1;', 'const n = 2;'),
  ];

  /** Of a run in which `f` was called so often, and so often went into its branch. */
  function reached(calls: number, branch: number): readonly string[] {
    const reaching = new Reaching(bugs, () => ({ url: 'f', text }));
    const all = { startOffset: 0, endOffset: text.length, count: 1 };
    reaching.loaded(new Map([['f', [all, { startOffset: start, endOffset: end, count: 0 }]]]));
    const f = { startOffset: start, endOffset: end, count: calls };
    return reaching.ran(new Map(calls === 0 ? [] : [['f', [f, { ...call, count: branch }]]]));
  }

  it('is nothing where nobody called it, but for what is executed when the module is loaded', () => {
    expect(reached(0, 0)).toEqual(['nothing', 'nothing', 'nothing', 'all']);
  });

  it('is a part where a branch of it was not taken', () => {
    expect(reached(3, 0)).toEqual(['part', 'part', 'all', 'all']);
    expect(reached(3, 2)).toEqual(['all', 'all', 'all', 'all']);
  });

  it('is never nothing where it is not known', () => {
    const reaching = new Reaching([bug('is not there', ''), bug('case 1: g();', '')], () => ({ url: 'f', text }));
    expect(reaching.ran(new Map())).toEqual(['part', 'part']);
  });
});
