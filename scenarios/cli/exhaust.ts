import type { CompatName, StorePolicy } from '../../store/index.ts';
import { type Exhausted, exhaust, KINDS, type Kind } from '../drive/exhaust/exhaust.ts';
import { parseScript } from '../drive/parse.ts';
import type { Action } from '../drive/script.ts';
import { readText, STDIN } from './drive.ts';
import { labOf } from './lab-of.ts';
import { complain, print, printJson } from './terminal/output.ts';

export interface ExhaustOptions {
  readonly compat: CompatName;
  readonly policy: StorePolicy;
  readonly format?: string;
  readonly seed: string;
  readonly what: readonly Kind[];
  readonly json?: true;
}

export const EXHAUST_KINDS = Object.keys(KINDS) as readonly Kind[];

/** Of a script in which a place changes what clients see, and of one that has no place for anything that is asked for. */
const EXIT_BROKEN = 1;
const EXIT_UNTRIED = 3;

/** One thing at every place of a script. Exit codes: 1 where one of them changes what clients see, 3 where there was nothing to try. */
export async function exhaustCommand(file: string, options: ExhaustOptions): Promise<number> {
  const text = readText(file);
  const name = file === STDIN ? 'standard input' : file;
  if ('reason' in text) return complain(`${name}: ${text.reason}`);
  const script: Action[] = [];
  for (const parsed of parseScript(text.text)) {
    if (!parsed.ok) return complain(`${name}:${parsed.line}: ${parsed.reason}`);
    script.push(parsed.action);
  }
  if (script.length === 0) return complain(`${name}: there is no line in it`);
  const { compat, policy, seed } = options;
  const format = options.format ?? (compat === '4.17' ? 'v1' : 'v2');
  const lab = await labOf(format);
  const drive = { compat, policy, seed, liveUpdateEvery: 0, format, lab };
  if (options.json !== true) print(`exhaust ${name}  format ${format}  policy ${policy}  ${script.length} lines\n\n`);
  const results: Exhausted[] = [];
  for (const kind of options.what) {
    const result = exhaust(drive, script, kind);
    results.push(result);
    if (options.json !== true) print(told(result));
  }
  if (options.json === true) printJson({ script: name, format, policy, compat, seed, results });
  if (results.some(({ failure }) => failure !== undefined)) return EXIT_BROKEN;
  return results.every(({ held }) => held === 0) ? EXIT_UNTRIED : 0;
}

const WORDS: Readonly<Record<Kind, string>> = {
  updates: 'an update right before each step',
  splits: 'each message stopped after each octet, and an update there',
  deaths: 'the end of each domain right before each step',
  races: 'two neighbours at once, one from each step of the other on',
  orders: 'the last messages in every order, and an update between any two',
};

function told({ kind, placements, held, refused, again, orders, failure }: Exhausted): string {
  const count =
    failure !== undefined
      ? `${held} held, the next did not`
      : held === 0
        ? 'nothing to try'
        : `${held} of ${placements} held`;
  const more = [
    ...(refused === 0 ? [] : [`${refused} updates refused`]),
    ...(again === 0 ? [] : [`${again} open transactions ended in EAGAIN`]),
    ...(orders === undefined ? [] : [`standing for ${orders} orders`]),
  ].join(', ');
  const head = `  ${kind.padEnd(8)} ${count.padEnd(24)} ${WORDS[kind]}${more === '' ? '' : `; ${more}`}\n`;
  if (failure === undefined) return head;
  const { place, difference, shortest } = failure;
  const lines = [place, difference, '', 'the shortest script in which one of these does not hold:'];
  const script = [...shortest.script, '', shortest.place, shortest.difference];
  return `${head}${[...lines, ...script.map((line) => `  ${line}`)].map((line) => `    ${line}`.trimEnd()).join('\n')}\n`;
}
