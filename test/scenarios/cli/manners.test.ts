import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ownCommand } from '../../../scenarios/cli/command.ts';
import { FAULT_RULES } from '../../../scenarios/faults/catalogue.ts';
import { start, xenarium } from '../../support/cli.ts';

const CLI = join(import.meta.dirname, '../../../dist/scenarios/cli.js');
const QUICK = ['--set', 'requests=800', '--set', 'updates=2'];
/** Nothing goes over but the tree: guests that were there notice. */
const LOSSY = ['--format', 'G1', ...QUICK];

describe('a full disk', () => {
  it('under stdout is exit 2 with a reason', () => {
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'run', ...QUICK], {
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([2, 'xenarium: the output cannot be written: no space left\n']);
  });

  it('under the trace, too', () => {
    const { code, err } = xenarium('run', '--trace', '/dev/full', ...QUICK);
    expect([code, err]).toEqual([2, 'xenarium: --trace /dev/full: no space left\n']);
  });
});

describe('what is nearly right', () => {
  it.each([
    [['run', 'boot-strom'], 'did you mean boot-storm?'],
    [['swep'], 'did you mean sweep?'],
    [['run', '--set', 'domans=3'], 'did you mean domains?'],
    [['run', '--set', 'policy=deamon'], 'did you mean daemon?'],
    [['run', '--set', 'faults=off,swram'], 'did you mean swarm?'],
    [['run', '--set', 'faults=all,-INJ-GG5'], 'INJ-G5'],
    [['run', '--format', 'G4.11'], 'did you mean G4.1'],
    [['sweep', 'watch-flood', 'steady-state', 'watch-flood'], 'watch-flood is named twice'],
    [['sweep', './mine.ts', './lib/../mine.ts'], './lib/../mine.ts is named twice'],
  ])('%j: %s', (args, expected) => {
    const { code, err } = xenarium(...args);
    expect(code).toBe(2);
    expect(err).toContain(expected);
    expect(err).not.toContain('    at ');
  });
});

describe('faults', () => {
  it('that a scenario has no occasion for are bad usage, and those that have one are named', () => {
    const { code, err } = xenarium('run', 'boot-storm', '--set', 'faults=INJ-E1,INJ-D4');
    expect(code).toBe(2);
    expect(err).toMatch(/INJ-D4 never strikes in boot-storm .* made after others were destroyed; .*hotplug-storm/);
  });

  it('are told with a meaning each', () => {
    const lines = xenarium('list', '--faults').out.trimEnd().split('\n');
    expect(lines).toHaveLength(FAULT_RULES.length);
    for (const [i, { id, what }] of FAULT_RULES.entries()) expect(lines[i]).toContain(`${id.padEnd(8)} ${what}`);
  });

  it('are planned as they were listed', () => {
    const { faults } = JSON.parse(xenarium('run', '--json', '--set', 'faults=INJ-T5,INJ-G4', ...QUICK).out);
    expect(faults.map(({ id }: { id: string }) => id).sort()).toEqual(['INJ-G4', 'INJ-T5']);
  });
});

describe('how the program was called', () => {
  it.each([
    [{ npm_lifecycle_event: 'start' }, '/x/dist/scenarios/cli.js', 'npm start --'],
    [{ npm_command: 'exec' }, '/x/node_modules/.bin/xenarium', 'npx xenarium'],
    [{}, '/usr/bin/xenarium', 'xenarium'],
    [{}, join(process.cwd(), 'dist/scenarios/cli.js'), 'node dist/scenarios/cli.js'],
  ])('%j %s: %s', (env, script, expected) => {
    expect(ownCommand(env, ['node', script])).toBe(expected);
  });

  it('is how the line that replays calls it', () => {
    const first = xenarium('run', ...LOSSY);
    expect(first.code).toBe(1);
    const line = /replay: node (\S+) (.*)\n/.exec(first.out);
    expect(line?.[1]).toBe('dist/bin/xenarium.js');
    expect(xenarium(...(line?.[2] ?? '').split(' ')).out).toBe(first.out);
  });
});

describe('a sweep', () => {
  it('tells each cause once, and counts', () => {
    const { code, out } = xenarium('sweep', '--seeds', '1..6', '--jobs', '2', ...LOSSY);
    expect(code).toBe(1);
    const failures = [
      ...out.matchAll(/^violation seed (\d+) {2}([a-z-]+): (.+)\n {2}node \S+ run live-update-mid-traffic /gm),
    ];
    const tally = [...out.matchAll(/^ +(\d+) violation as seed (\d+): /gm)];
    expect(failures.length).toBeGreaterThan(0);
    expect(tally.map(([, , seed]) => seed).sort()).toEqual(failures.map(([, seed]) => seed).sort());
    const counted = tally.reduce((sum, [, times]) => sum + Number(times), 0);
    expect(out).toMatch(new RegExp(`^6 seeds, \\d+ requests, ${counted} failed\n`, 'm'));
  });

  it('gives the tally so far on SIGINT, and ends', async () => {
    const child = await start(['sweep', '--seeds', '1..5000', '--jobs', '1', ...LOSSY], /violation seed/);
    let out = '';
    child.stdout?.on('data', (data: Buffer) => {
      out += data.toString('latin1');
    });
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(out).toMatch(/as seed \d+: .*\n\d+ of 5000 seeds, \d+ requests, \d+ failed\n$/s);
  });

  it('says its seeds as they are typed', () => {
    expect(xenarium('sweep', '--help').out).toContain('(default: 1..200)');
  });
});

describe('serve', () => {
  it('says ENOENT of a folder that is not there', () => {
    const { code, err } = xenarium('serve', '--socket', '/nowhere/at/all/socket');
    expect([code, err]).toEqual([2, expect.stringContaining('ENOENT')]);
  });
});

describe('a script that has nothing to try', () => {
  it('is no pass: it has no line, or no place for what is asked for', () => {
    const empty = xenarium('exhaust', '/dev/null');
    expect([empty.code, empty.err]).toEqual([2, 'xenarium: /dev/null: there is no line in it\n']);
    const read = '{"on": "0", "op": "READ", "payload": "/tool\\u0000"}\n';
    const { status, stdout } = spawnSync(process.execPath, [CLI, 'exhaust', '-', '--what', 'deaths'], {
      input: read,
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([3, expect.stringContaining('nothing to try')]);
  });
});
