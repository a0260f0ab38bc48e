import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runOurs } from '../../../scenarios/cli/conform.ts';
import { parseLine } from '../../../scenarios/drive/parse.ts';
import type { Action } from '../../../scenarios/drive/script.ts';
import { conform } from '../../../scenarios/real/conform/conform.ts';
import { type Death, KNOWN_DEATHS, knownDeath } from '../../../scenarios/real/conform/deaths.ts';
import {
  C_DAEMONS,
  type Disagreement,
  knownDifference,
  OXENSTORED,
  OXENSTORED_BUSY,
} from '../../../scenarios/real/conform/known.ts';
import { lastWordsOf } from '../../../scenarios/real/conform/run-script.ts';
import { INSTALLED_DAEMONS } from '../../../scenarios/real/conform/standin.ts';
import { daemonIsMissing } from '../../support/needs.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/daemons.md'), 'utf8');

function action(line: string): Action {
  const parsed = parseLine(line);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.action;
}

const read = '{"on": "1", "op": "READ", "payload": "/tool/x\\u0000"}';
const update: Action = { kind: 'liveUpdate', format: 'v1' };
const made = '{"on": "1", "op": "WRITE", "payload": "a\\u0000v"}';
const written = '{"on": "1", "op": "WRITE", "reply": "WRITE", "payload": "OK\\u0000"}';
const busy = '{"liveUpdate": "failed", "reason": "BUSY"}';
const done = '{"liveUpdate": "ok"}';
const reply = (error: string) => `{"on": "1", "op": "READ", "reply": "ERROR", "payload": "${error}\\u0000"}`;

describe('known ends of a daemon', () => {
  const overwrite = action('{"on": "1", "op": "WRITE", "payload": "a\\u0000v"}');
  const malformed = action('{"on": "1", "op": "READ", "payload": "a"}');
  const depth = action('{"on": "1", "op": "WATCH", "payload": "a\\u0000t\\u00002\\u0000"}');
  const special = action('{"on": "a", "op": "SET_PERMS", "payload": "@releaseDomain\\u0000n1\\u0000"}');
  const target = action('{"on": "a", "op": "SET_TARGET", "payload": "3\\u00001\\u0000"}');
  const rawOverwrite = action(
    '{"on": "a", "raw": "\\u000b\\u0000\\u0000\\u0000\\u0007\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0004\\u0000\\u0000\\u0000/a\\u0000v"}',
  );
  const release = action('{"on": "a", "op": "RELEASE", "payload": "1\\u0000"}');
  const refused = ['{"on": "1", "op": "WRITE", "reply": "ERROR", "payload": "ENOMEM\\u0000"}'];
  const assertion = "xenstored: core.c: Assertion `conn->in == in' failed.\nSIGABRT\n";

  it('are those of the page', () => {
    const section = PAGE.split('## What the C daemon does not survive')[1]!.split('\n## ')[0]!;
    const classes = [...section.matchAll(/^\|[^|]*\|[^|]*\| ([a-z-]+) \|/gm)].map(([, name]) => name);
    expect(classes.filter((name) => name !== 'class').sort()).toEqual(KNOWN_DEATHS.map(({ name }) => name).sort());
  });

  it.each<[string, Omit<Death, 'before'> & { before?: readonly Action[] }, string | undefined]>([
    [
      'a record without its domain',
      { action: update, ours: [], lastWords: 'FATAL: referenced domain not found\nexit 1\n' },
      'not-introduced-in-image',
    ],
    ['a refused overwrite', { action: overwrite, ours: refused, lastWords: assertion }, 'refused-without-errno'],
    [
      'one in raw octets',
      { action: rawOverwrite, ours: ['{"on": "a", "taken": 20}', ...refused], lastWords: assertion },
      'refused-without-errno',
    ],
    ['an overwrite that was right', { action: overwrite, ours: ['{}'], lastWords: assertion }, undefined],
    ['no errno yet', { action: malformed, ours: [], lastWords: assertion }, 'no-errno-yet'],
    ['a sound request', { action: action(read), ours: [], lastWords: assertion }, undefined],
    [
      'a watch with a depth, and an update',
      { before: [depth], action: update, ours: [], lastWords: 'FATAL: Inconsistent state data\nexit 1\n' },
      'depth-over-update',
    ],
    [
      'a watch without one',
      { before: [], action: update, ours: [], lastWords: 'FATAL: Inconsistent state data\nexit 1\n' },
      undefined,
    ],
    [
      'the end of the owner of a special node',
      { before: [special], action: release, ours: [], lastWords: 'SIGSEGV\n' },
      'special-owner-gone',
    ],
    ['the end of somebody else', { before: [], action: release, ours: [], lastWords: 'SIGSEGV\n' }, undefined],
    [
      'the end of a target',
      { before: [target, release], action: action(read), ours: [], lastWords: 'SIGSEGV\n' },
      'target-gone',
    ],
    ['a signal', { action: malformed, ours: [], lastWords: 'SIGSEGV\n' }, undefined],
  ])('%s', (_why, death, name) => {
    expect(knownDeath({ before: [], ...death })?.name).toBe(name);
  });
});

describe('known differences of a C daemon', () => {
  const quota = action('{"on": "a", "op": "CONTROL", "payload": "quota\\u00001\\u0000"}');
  const told = (now: number, max: number) =>
    `{"on": "a", "op": "CONTROL", "reply": "CONTROL", "payload": "Domain 1:\\nnodes : 1 (max 1)\\noutstanding : ${now} (max ${max})\\nmemory : 9 (max 9)\\u0000"}`;
  const special = action('{"on": "1", "op": "SET_PERMS", "payload": "@releaseDomain\\u0000n0\\u0000"}');
  const empty = action('{"on": "1", "op": "READ", "payload": ""}');
  const depth = action('{"on": "1", "op": "WATCH", "payload": "a\\u0000t\\u00002\\u0000"}');

  it.each<[string, Disagreement, string | undefined]>([
    ['a maximum', { action: quota, daemon: [told(0, 2)], ours: [told(0, 1)] }, 'throttled-maximum'],
    ['what is outstanding now', { action: quota, daemon: [told(1, 2)], ours: [told(0, 2)] }, undefined],
    [
      'a refused special path',
      { action: special, daemon: [reply('ENOENT')], ours: [reply('EACCES')] },
      'left-over-errno',
    ],
    ['no path at all', { action: empty, daemon: [reply('ENOENT')], ours: [reply('EINVAL')] }, 'left-over-errno'],
    [
      'a watch with a depth that an update has lost',
      { action: action(read), daemon: [reply('EACCES')], ours: [reply('ENOENT')], before: [depth, update] },
      'depth-over-update',
    ],
    [
      'one that no update has seen',
      { action: action(read), daemon: [reply('EACCES')], ours: [reply('ENOENT')], before: [update, depth] },
      undefined,
    ],
  ])('%s', (_what, disagreement, name) => {
    expect(knownDifference(disagreement, C_DAEMONS)?.name).toBe(name);
  });
});

describe('known differences of oxenstored', () => {
  it('are those of the page', () => {
    const rows = [...PAGE.matchAll(/^\| `([a-z-]+)` \|.*\|( yes)? \|$/gm)].map(([, name, parts]) => [
      name,
      parts !== undefined,
    ]);
    const classes = new Map([...OXENSTORED, ...OXENSTORED_BUSY].map(({ name, parts }) => [name, parts]));
    expect(new Map(rows as [string, boolean][])).toEqual(classes);
  });

  it.each<[string, Disagreement, string | undefined]>([
    [
      'an errno that is known',
      { action: action(read), daemon: [reply('ENOENT')], ours: [reply('EACCES')] },
      'missing-shown',
    ],
    [
      'the same, the other way round',
      { action: action(read), daemon: [reply('EACCES')], ours: [reply('ENOENT')] },
      undefined,
    ],
    ['another errno', { action: action(read), daemon: [reply('EINVAL')], ours: [reply('EACCES')] }, undefined],
    [
      'an event that only ours fires',
      {
        action: action(read),
        daemon: [reply('ENOENT')],
        ours: [reply('ENOENT'), '{"on": "1", "event": "a\\u0000t\\u0000"}'],
      },
      undefined,
    ],
    [
      'an update that both refuse',
      { action: update, daemon: [busy], ours: ['{"liveUpdate": "failed", "reason": "Domains with"}'] },
      'update-busy',
    ],
    ['an update that is done here', { action: update, daemon: [busy], ours: [done] }, 'update-done-here'],
    ['an update that is done there', { action: update, daemon: [done], ours: [busy] }, undefined],
    [
      'a known errno, and a silent update that is refused',
      { action: action(read), daemon: [reply('ENOENT'), busy], ours: [reply('EACCES'), busy] },
      'missing-shown',
    ],
    [
      'an unknown errno, and a silent update that is refused',
      { action: action(read), daemon: [reply('EINVAL'), busy], ours: [reply('EACCES'), busy] },
      undefined,
    ],
    [
      'the end of a domain, told again behind an update',
      { action: update, daemon: [done], ours: [done, '{"on": "b", "event": "@releaseDomain\\u0000t\\u0000"}'] },
      'shutdown-told-again',
    ],
    [
      'an event of a node that its maker may not see there',
      { action: action(made), daemon: [written], ours: [written, '{"on": "1", "event": "a\\u0000t\\u0000"}'] },
      'inherited-owner',
    ],
    [
      'another event behind an update',
      { action: update, daemon: [done], ours: [done, '{"on": "b", "event": "/a\\u0000t\\u0000"}'] },
      undefined,
    ],
  ])('%s', (_what, disagreement, name) => {
    expect(knownDifference(disagreement)?.name).toBe(name);
  });
});

const isMissing = await daemonIsMissing('scripts on a real oxenstored', INSTALLED_DAEMONS.oxenstored);
describe.skipIf(isMissing)('a real oxenstored', () => {
  it.each([0, 10])('differs in known ways only, with an update after every %i', { timeout: 120_000 }, async (every) => {
    const outcomes = await conform({
      daemon: INSTALLED_DAEMONS.oxenstored,
      compat: '4.17',
      seeds: Array.from({ length: 12 }, (_, i) => String(i + 1)),
      count: 200,
      liveUpdates: false,
      liveUpdateEvery: every,
      known: OXENSTORED,
      runOurs: runOurs('4.17'),
    });
    expect(outcomes.filter(({ kind }) => kind !== 'same')).toEqual([]);
    const names = outcomes.flatMap((one) => (one.kind === 'same' ? [...(one.known?.keys() ?? [])] : []));
    expect(new Set(names).size).toBeGreaterThan(4);
  });
});

describe('the last words of a daemon', () => {
  it('are not its report of memory', () => {
    const report = "full talloc report on 'null_context' (total  9 bytes in  2 blocks)\n";
    const line = '    struct xs_permissions          contains     16 bytes in   1 blocks (ref 0)\n';
    expect(lastWordsOf(`write node error restoring node\n${report}${line.repeat(100)}exit 1\n`)).toBe(
      'write node error restoring node\nexit 1\n',
    );
  });
});
