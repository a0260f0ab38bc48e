import { XS } from '../../guests/index.ts';
import type { RunResult } from '../engine/scenario.ts';
import type { Violation } from '../judge/history.ts';
import { causeOf, shapeOf, violationsOf } from '../report/cause.ts';
import { historiesOf } from '../report/histories.ts';

/** What failed, whoever it befell: two runs with one key show one mistake in one way. */
export interface Signature {
  readonly key: string;
  /** Of ways in which one mistake may show: what is lost or doubled on its way through a ring or a socket is found as octets, or as a
   *  reply that never came, or that nobody waits for. A smaller run is held to this. */
  readonly kin: string;
  /** Of this run. */
  readonly text: string;
}

const OPERATIONS = new RegExp(`\\b(?:${Object.keys(XS).join('|')})\\b`, 'g');

/**
 * The kind of thing that a message is about: without names, operations, numbers, octets, and what was expected and came.
 * @param names what domains of the run are called, as `namesIn`.
 */
function kindOf(message: string, names: RegExp): string {
  return shapeOf(message.replace(/"(?:[^"\\]|\\.)*"/g, '"…"'))
    .replace(OPERATIONS, 'OP')
    .replace(names, 'dom')
    .replace(/ \(# octets\)/g, '')
    .replace(/expected .*?, came (?:success )?(?:"…"|\w+)/g, 'expected …, came …')
    .replace(/[^:,]+ was due, came .*/, ' … was due, came …');
}

/**
 * Finds domains by their names, as shapes: a scenario names guests by what they run, and a smaller run has others. Of those that keep to
 * the rules alone: a hostile one's name may be what it does.
 */
function namesIn(result: RunResult): RegExp {
  const epochs = historiesOf(result).flatMap(({ history }) => history.epochs);
  const guests = epochs.filter(({ domid, isHostile }) => domid !== 0 && isHostile !== true);
  // The longest first: one may begin as another does.
  const called = [...new Set(guests.map(({ name }) => shapeOf(name)))].sort(
    (a, b) => b.length - a.length || (a < b ? -1 : 1),
  );
  const names = ['dom#', 'domU#', 'Xenstore', ...called].map((name) => name.replace(/[^\w#]/g, '\\$&'));
  return new RegExp(`\\b(?:${names.join('|')})(?:\\.#)?(?:/[\\w#/.-]+)?`, 'g');
}

/** Everything that failed in a run, what came first at first; none of one that has passed. */
export function signaturesOf(result: RunResult): Signature[] {
  const { outcome, failure, waits = [] } = result;
  if (outcome === 'pass') return [];
  const names = namesIn(result);
  if (outcome === 'violation') return distinct(violationsOf(result).map((each) => ofViolation(each, names)));
  const cause = causeOf(result);
  const text = cause?.text ?? outcome;
  if (outcome === 'error') return [alone(`error: ${kindOf(failure?.what ?? text, names)}`, text)];
  const wait = outcome === 'stuck' ? waits[0] : undefined;
  const what = wait === undefined ? text : `somebody waits for ${turnOf(wait.what)}`;
  return [alone(`${outcome}: ${kindOf(what, names)}`, text)];
}

/** The first thing that failed. */
export function signatureOf(result: RunResult): Signature | undefined {
  return signaturesOf(result)[0];
}

/** A failure that shows in one way only. */
function alone(key: string, text: string): Signature {
  return { key, kin: key, text };
}

/** Families that look at one stream of octets from two sides. */
const OF_STREAMS: readonly string[] = ['ring-octets', 'replies'];

function ofViolation({ invariant, actor, detail }: Violation, names: RegExp): Signature {
  const key = `${invariant}: ${kindOf(detail, names)}`;
  const kin = OF_STREAMS.includes(invariant) ? `octets or replies of ${linkOf(actor)}` : key;
  return { key, kin, text: `${invariant}: ${detail}` };
}

/** What kind of connection somebody has. */
function linkOf(actor: string): string {
  if (!actor.startsWith('dom0')) return "a guest's ring";
  return actor === 'dom0' ? "dom0's ring" : 'a program of dom0';
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
