import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { built } from './support/build.ts';
import { otherNodes } from './support/needs.ts';

/*
 * A run is a function of its request: neither the version of Node, nor the locale, nor the time zone of the host may show. Compared
 * are whole reports, octet by octet; the digest of the trace is in them.
 */

const CLI = built('scenarios/cli.js');

/** Runs that between them have updates of both images, faults, and two hosts with devices. */
const RUNS: readonly (readonly string[])[] = [
  ['live-update-mid-traffic', '--seed', '7', '--set', 'requests=1200', '--set', 'faults=swarm'],
  ['live-update-mid-traffic', '--seed', '8', '--set', 'requests=800', '--format', 'v1', '--set', 'policy=daemon'],
  ['migrate-mid-traffic', '--seed', '2', '--set', 'domains=2', '--set', 'migrations=1', '--set', 'requests=800'],
];

/** Reports of all runs. `node`: path of the program. */
function reports(node: string, env: NodeJS.ProcessEnv = {}): string[] {
  return RUNS.map((run) =>
    execFileSync(node, [CLI, 'run', ...run, '--json'], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, ...env },
    }),
  );
}

const digests = (texts: readonly string[]) => texts.map((text) => /"digest": "[0-9a-f]{16}"/.exec(text)?.[0]);

describe('the same run', () => {
  const own = reports(process.execPath);

  it('has a digest', () => {
    expect(digests(own)).not.toContain(undefined);
    expect(new Set(digests(own)).size).toBe(RUNS.length);
  });

  const others = otherNodes('one digest on every Node');
  it.skipIf(others.length === 0).each(others)('on %s', (node) => {
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    expect(version).not.toBe(process.version);
    const there = reports(node);
    expect(digests(there)).toEqual(digests(own));
    expect(there).toEqual(own);
  });

  /** Turkish has another i, Arabic other digits; Lord Howe has half an hour of summer time, Kiritimati is 14 hours ahead. */
  const PLACES: readonly (readonly [locale: string, zone: string])[] = [
    ['tr_TR.UTF-8', 'Australia/Lord_Howe'],
    ['ar_EG.UTF-8', 'Pacific/Kiritimati'],
  ];
  it.each(PLACES)('in locale %s and time zone %s', (locale, zone) => {
    const place = { LC_ALL: locale, LANG: locale, TZ: zone };
    const told = execFileSync(
      process.execPath,
      ['-p', 'const { locale, timeZone } = Intl.DateTimeFormat().resolvedOptions(); locale + timeZone'],
      { encoding: 'utf8', env: { ...process.env, ...place } },
    );
    expect(told).toContain(zone); // Node has taken it
    expect(reports(process.execPath, place)).toEqual(own);
  });
});
