import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import { textReport } from '../../../scenarios/report/text.ts';
import { formatOf } from '../../../store/format/model/index.ts';
import { broken, headline } from '../../support/headline.ts';

function through(name: string): RunResult {
  const lab = formatOf(name);
  if (lab === undefined) throw new Error(`assertion: no format ${name}`);
  return headline({ lab, set: { requests: 1_000, updates: 2 } });
}

function lost(result: RunResult): string[] {
  return [...new Set(result.updates.flatMap(({ lossCounts }) => lossCounts.map(([kind]) => kind)))];
}

describe('live updates through files of a format', () => {
  it.each(['G4.1', 'G3.2'])('%s carries what guests can see', (name) => {
    const result = through(name);
    expect(result.updates.map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
    expect(lost(result)).toContain('node generation');
  });

  it.each([
    ['D1', 'consumed but unprocessed input', ['replies', 'final-tree']],
    // Nobody tells the successor the ports: the rings are cut off with what is in them.
    ['G2', 'event channel port', ['ring-octets', 'replies', 'watch-events', 'final-tree']],
    ['C-4.17', 'open transaction id', ['replies', 'transactions', 'final-tree']],
    ['C-4.22', 'open transaction id', ['transactions']],
    ['Ox-c', 'undelivered output', ['replies', 'transactions', 'final-tree']],
  ])('%s loses the %s, and the checkers say so', (name, row, invariants) => {
    const result = through(name);
    expect(lost(result)).toContain(row);
    expect(broken(result)).toEqual(invariants);
    expect(result.outcome).toBe('violation');
  });

  it('the report counts the losses of each update', () => {
    expect(textReport(through('G4.1'), { colour: false })).toMatch(
      /^ {2}#2 lost: node generation \d+, port of VIRQ_DOM_EXC 1/m,
    );
  });
});
