import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Violation } from '../../../scenarios/judge/history.ts';
import { alike, causedAt, causeOf, shapeOf } from '../../../scenarios/report/cause.ts';
import { replayLine, textReport } from '../../../scenarios/report/text.ts';

const violation = (seq: number, detail: string): Violation => ({
  invariant: 'replies',
  seq,
  timeNs: seq * 1_000,
  actor: '',
  request: '',
  detail,
});

/** A run of which nothing matters but what is given. */
const run = (given: Partial<RunResult>): RunResult => ({
  outcome: 'violation',
  reason: '',
  scenario: 'crowd',
  seed: '7',
  format: 'v2',
  settings: { guests: 3 },
  digest: '',
  virtualNs: 0,
  steps: 0,
  traceEvents: 0,
  requests: 0,
  replies: 0,
  watchEvents: 0,
  domainsCreated: 0,
  domainsDestroyed: 0,
  commits: 0,
  conflicts: 0,
  refusals: [],
  updates: [],
  attempts: [],
  verdicts: [],
  history: undefined,
  ...given,
});

const verdict = (invariant: string, violations: readonly Violation[]) => ({
  invariant,
  claim: '',
  source: '',
  checked: [],
  violations,
});

describe('the shape of a message', () => {
  it.each([
    ['numbers', 'domain 12: dead since seq 4,512', 'domain 9: dead since seq 77'],
    ['words with numbers', 'domU3/worker1 waits', 'domU12/worker0 waits'],
    ['what is quoted', 'expected "a\\"b\\0", came "c"', 'expected "", came "xyz"'],
    ['paths', 'value of /local/domain/3/data: expected', 'value of /vm/x: expected'],
    ['hex', 'assertion: d2 gref 73: pins 0x100, handles 0x0', 'assertion: d11 gref 8: pins 0x1ff, handles 0x1'],
  ])('has no %s', (_, a, b) => {
    expect(shapeOf(a)).toBe(shapeOf(b));
  });

  it('tells two messages apart', () => {
    expect(shapeOf('no reply to READ 1')).not.toBe(shapeOf('no reply to WRITE 1'));
  });
});

describe('violations of one kind', () => {
  it('are one, with their number', () => {
    const found = alike([
      violation(1, 'no reply to 1'),
      violation(2, 'event "a" never came'),
      violation(3, 'no reply to 2'),
    ]);
    expect(found.map(({ first, count }) => [first.seq, count])).toEqual([
      [1, 2],
      [2, 1],
    ]);
  });

  it('were caused where their message says, not behind where they were noticed', () => {
    expect(causedAt(violation(90, 'never came; caused by x at seq 20; see seq 10'))).toBe(10);
    expect(causedAt(violation(90, 'the reply (seq 95) came'))).toBeUndefined();
    expect(causedAt(violation(90, 'nothing'))).toBeUndefined();
  });
});

describe('the cause of a run', () => {
  it('is the first violation of all families', () => {
    const verdicts = [verdict('replies', [violation(9, 'late 9')]), verdict('lives', [violation(3, 'early 3')])];
    expect(causeOf(run({ verdicts }))).toEqual({ key: 'violation replies: early #', text: 'replies: early 3' });
  });

  it('is what was thrown, and where', () => {
    const failure = { what: 'assertion: gref 5', actor: 'dom0/xenstored', step: 1, timeNs: 2, events: [], stack: '' };
    expect(causeOf(run({ outcome: 'error', failure }))?.text).toBe('dom0/xenstored: assertion: gref 5');
  });

  it('is who waits first', () => {
    const waits = [{ who: 'vif/6/0 (domU2)', what: 'netback', sinceNs: 5 }];
    expect(causeOf(run({ outcome: 'stuck', waits }))).toEqual({
      key: 'stuck vif/… (domU#) waits for netback',
      text: 'vif/6/0 (domU2) waits for netback',
    });
  });

  it('is none of a pass', () => {
    expect(causeOf(run({ outcome: 'pass' }))).toBeUndefined();
  });
});

describe('a report', () => {
  it('tells a cause once, and no live update where nothing is known of one', () => {
    const violations = [violation(1, 'no reply to 1'), violation(1, 'no reply to 2')];
    const text = textReport(run({ verdicts: [verdict('replies', violations)] }), { colour: false });
    expect(text.match(/no reply to/g)).toHaveLength(1);
    expect(text).toContain('and 1 more of this kind');
    expect(text).not.toContain('live update #');
  });

  it('ends with a line that a shell takes as it is', () => {
    expect(replayLine(run({ format: "it's mine.ts" }), 'npm start --')).toBe(
      "npm start -- run crowd --seed 7 --format 'it'\\''s mine.ts' --set guests=3",
    );
    expect(replayLine(run({ settings: { faults: 'all,-INJ-G5' } }))).toBe(
      'xenarium run crowd --seed 7 --format v2 --set faults=all,-INJ-G5',
    );
  });
});
