import { XS } from '../../guests/index.ts';
import type { RunResult } from '../engine/scenario.ts';
import type { Violation } from '../judge/history.ts';
import { causeOf, shapeOf } from '../report/cause.ts';

/** What failed, whoever it befell: two runs with one key show one mistake. */
export interface Signature {
  readonly key: string;
  /** Of this run. */
  readonly text: string;
}

const OPERATIONS = new RegExp(`\\b(?:${Object.keys(XS).join('|')})\\b`, 'g');

/** The kind of thing that a message is about: without names, operations, numbers, octets, and what was expected and came. */
export function kindOf(message: string): string {
  return shapeOf(message.replace(/"(?:[^"\\]|\\.)*"/g, '"…"'))
    .replace(OPERATIONS, 'OP')
    .replace(/\b(?:dom#|domU#|Xenstore)(?:\.#)?(?:\/[\w#/.-]+)?/g, 'dom')
    .replace(/ \(# octets\)/g, '')
    .replace(/expected .*?, came (?:success )?(?:"…"|\w+)/g, 'expected …, came …');
}

/** Everything that failed in a run, what came first at first; none of one that has passed. */
export function signaturesOf(result: RunResult): Signature[] {
  const { outcome, verdicts, failure, waits = [] } = result;
  if (outcome === 'pass') return [];
  if (outcome === 'violation')
    return distinct(
      verdicts
        .flatMap(({ violations }) => violations)
        .sort(bySeq)
        .map(ofViolation),
    );
  const cause = causeOf(result);
  const text = cause?.text ?? outcome;
  if (outcome === 'error') return [{ key: `error: ${kindOf(failure?.what ?? text)}`, text }];
  const wait = outcome === 'stuck' ? waits[0] : undefined;
  const what = wait === undefined ? text : `somebody waits for ${turnOf(wait.what)}`;
  return [{ key: `${outcome}: ${kindOf(what)}`, text }];
}

/** The first thing that failed. */
export function signatureOf(result: RunResult): Signature | undefined {
  return signaturesOf(result)[0];
}

function ofViolation({ invariant, detail }: Violation): Signature {
  return { key: `${invariant}: ${kindOf(detail)}`, text: `${invariant}: ${detail}` };
}

function bySeq(a: Violation, b: Violation): number {
  return a.seq - b.seq;
}

function distinct(all: readonly Signature[]): Signature[] {
  const byKey = new Map<string, Signature>();
  for (const each of all) if (!byKey.has(each.key)) byKey.set(each.key, each);
  return [...byKey.values()];
}

/** Of what a request waits for, whose turn it is; not what it asks for, which may be any octets. */
function turnOf(what: string): string {
  return what.replace(
    /^the answer to (\w+) .*?: (?=the store|dom|Xenstore|port|behind|its handle)/s,
    'the answer to $1: ',
  );
}
