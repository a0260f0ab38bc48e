import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { comparable } from '../../scenarios/conform/conform.ts';
import { INSTALLED_DAEMONS } from '../../scenarios/conform/daemon.ts';
import { runScript } from '../../scenarios/conform/run-script.ts';
import { Driver } from '../../scenarios/drive/drive.ts';
import { type Action, parseScript } from '../../scenarios/drive/script.ts';
import { daemonIsMissing } from '../support/needs.ts';

// XENARIUM_RECORD=1 writes down what the daemon says now, instead of comparing with what it said.
const RECORD = process.env.XENARIUM_RECORD === '1';

const SCRIPTS = resolve(import.meta.dirname, '../vectors/scripts');
const names = readdirSync(SCRIPTS)
  .filter((name) => name.endsWith('.jsonl'))
  .map((name) => name.slice(0, -'.jsonl'.length))
  .sort();

function scriptOf(name: string): readonly Action[] {
  return [...parseScript(readFileSync(join(SCRIPTS, `${name}.jsonl`), 'utf8'))].map((parsed) => {
    if (!parsed.ok) throw new Error(`${name}.jsonl:${parsed.line}: ${parsed.reason}`);
    return parsed.action;
  });
}

function recordingOf(name: string): readonly string[] {
  return readFileSync(join(SCRIPTS, `${name}.expected-4.17`), 'utf8')
    .split('\n')
    .slice(0, -1);
}

const isMissing = await daemonIsMissing('recorded scripts on the C daemon', INSTALLED_DAEMONS.xenstored);

describe('the recorded scripts', () => {
  it.each(names)('%s parses, and has a recording', (name) => {
    expect(scriptOf(name).length).toBeGreaterThan(0);
    if (!RECORD) expect(existsSync(join(SCRIPTS, `${name}.expected-4.17`))).toBe(true);
  });

  it.skipIf(isMissing).each(names)('%s is answered by the installed C daemon as recorded', async (name) => {
    const output = (await runScript({ binary: INSTALLED_DAEMONS.xenstored }, scriptOf(name))).flat();
    const file = join(SCRIPTS, `${name}.expected-4.17`);
    if (RECORD) writeFileSync(file, `${output.join('\n')}\n`);
    expect(output).toEqual(recordingOf(name));
  });

  it.each(names)('%s is answered by drive as by the daemon', (name) => {
    const driver = new Driver({ compat: '4.17', seed: '1', liveUpdateEvery: 0, format: 'v1' });
    const output = scriptOf(name).flatMap((action) => driver.perform(action));
    expect(comparable(output).split('\n')).toEqual(comparable(recordingOf(name)).split('\n'));
  });
});
