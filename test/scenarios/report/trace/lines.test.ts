import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../../scenarios/catalogue/index.ts';
import type { RunResult } from '../../../../scenarios/engine/scenario.ts';
import { MessageLines } from '../../../../scenarios/report/trace/index.ts';

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, '../../../../docs/trace.schema.json'), 'utf8'));
const isValid = new Ajv({ strict: true, allErrors: true }).compile(SCHEMA);

type Line = Readonly<Record<string, unknown>>;

/** A run, with its lines as `--trace FILE.jsonl` writes them. */
function linesOf(name: string, settings: Record<string, number | string>, change = (result: RunResult) => result) {
  const texts: string[] = [];
  const messages = new MessageLines((line) => texts.push(line));
  const result = (SCENARIOS.find((each) => each.name === name) as (typeof SCENARIOS)[number]).run({
    seed: '1',
    format: 'v2',
    settings,
    checks: true,
    opened: (host) => messages.open(host),
    traceLine: (line) => {
      texts.push(line);
      messages.soFar();
    },
  });
  const changed = change(result);
  messages.end(changed);
  return { result: changed, texts, lines: texts.map((text) => JSON.parse(text) as Line) };
}

/** Lines that are not as the schema says, with what is wrong. */
function wrongIn(lines: readonly Line[]): unknown[] {
  return lines.flatMap((line) => (isValid(line) ? [] : [[line, isValid.errors]])).slice(0, 3);
}

const FINDING = { invariant: 'replies', seq: 500, timeNs: 9, actor: 'domU1/w', request: 'READ', detail: 'no reply' };

describe('lines of a run', () => {
  it('are as the schema says, with each request, reply and event once, in order of time', () => {
    const verdict = { invariant: 'replies', claim: '', source: '', checked: [], violations: [FINDING] };
    const { result, lines, texts } = linesOf(
      'live-update-mid-traffic',
      { requests: 200, updates: 2, domains: 3 },
      (r) => ({
        ...r,
        verdicts: [verdict],
      }),
    );
    expect(wrongIn(lines)).toEqual([]);
    const of = (kind: string) => lines.filter((line) => line.kind === kind);
    expect(of('request').length).toBe(result.requests);
    expect(of('reply').length).toBe(result.replies);
    expect(of('event').length).toBe(result.watchEvents);
    expect(of('finding')).toMatchObject([{ seq: 500, text: 'replies: domU1/w READ: no reply' }]);
    const times = lines.filter(({ kind }) => kind !== 'finding').map(({ timeNs }) => timeNs as number);
    expect(times.every((time, i) => i === 0 || (times[i - 1] as number) <= time)).toBe(true);
    const sent = result.history?.records.filter(({ kind }) => kind === 'sent').length;
    expect(sent).toBe(of('request').length);
    const again = linesOf('live-update-mid-traffic', { requests: 200, updates: 2, domains: 3 }, (r) => ({
      ...r,
      verdicts: [verdict],
    }));
    expect(again.texts).toEqual(texts);
  });

  it.each([
    ['hostile-guests', { requests: 400, faults: 'swarm' }],
    ['migrate-mid-traffic', { domains: 2, migrations: 1, requests: 300, block: 20, net: 20 }],
  ])('are as the schema says in %s', (name, settings) => {
    const { lines } = linesOf(name, settings);
    expect(wrongIn(lines)).toEqual([]);
    expect(lines.length).toBeGreaterThan(10_000);
  });

  it.each([
    ['of a kind that there is not', { kind: 'nothing', host: 0, timeNs: 0 }],
    ['without its time', { kind: 'mark', host: 0, actor: '', what: '', n: 0, detail: '' }],
    ['with a field more', { kind: 'migration', host: 0, timeNs: 0, text: '', more: 1 }],
    ['with a character that is no octet', { kind: 'cut', octets: '\u0100' }],
  ])('are refused by the schema %s', (_, line) => {
    expect(isValid(line)).toBe(false);
  });
});
