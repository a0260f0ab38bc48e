import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Driver } from '../../../scenarios/drive/drive.ts';
import { parseScript } from '../../../scenarios/drive/parse.ts';
import type { Action } from '../../../scenarios/drive/script.ts';
import { comparable } from '../../../scenarios/real/conform/conform.ts';
import { C_DAEMONS, knownDifference } from '../../../scenarios/real/conform/known.ts';
import { DaemonDied, runScript } from '../../../scenarios/real/conform/run-script.ts';
import { INSTALLED_DAEMONS } from '../../../scenarios/real/conform/standin.ts';
import { daemonIsMissing } from '../../support/needs.ts';

// XENARIUM_RECORD=1 writes down what the daemons say now, instead of comparing with what they said. No distribution ships
// the 4.22 daemon: XENARIUM_XENSTORED_422 is the path of one that somebody built.
const RECORD = process.env.XENARIUM_RECORD === '1';
const RELEASES = [
  { compat: '4.17', format: 'v1', binary: INSTALLED_DAEMONS.xenstored },
  { compat: '4.22', format: 'v2', binary: process.env.XENARIUM_XENSTORED_422 },
] as const;
type Release = (typeof RELEASES)[number];

const SCRIPTS = resolve(import.meta.dirname, '../../vectors/scripts');
const names = readdirSync(SCRIPTS)
  .filter((name) => name.endsWith('.jsonl'))
  .map((name) => name.slice(0, -'.jsonl'.length))
  .sort();

/** A live update is asked for in the format that the release has by itself. */
function scriptOf(name: string, { format }: Release): readonly Action[] {
  return [...parseScript(readFileSync(join(SCRIPTS, `${name}.jsonl`), 'utf8'))].map((parsed) => {
    if (!parsed.ok) throw new Error(`${name}.jsonl:${parsed.line}: ${parsed.reason}`);
    return parsed.action.kind === 'liveUpdate' ? { ...parsed.action, format } : parsed.action;
  });
}

function recordingFile(name: string, { compat }: Release): string {
  return join(SCRIPTS, `${name}.expected-${compat}`);
}

function recordingOf(name: string, release: Release): readonly string[] {
  return readFileSync(recordingFile(name, release), 'utf8').split('\n').slice(0, -1);
}

/** The output, with the recorded lines where the daemon leaves to chance what it says (docs/daemons.md). */
function agreed(
  script: readonly Action[],
  output: readonly (readonly string[])[],
  recording: readonly string[],
): readonly string[] {
  const lines: string[] = [];
  for (const [i, action] of script.entries()) {
    const own = output[i]!;
    const recorded = recording.slice(lines.length, lines.length + own.length);
    const isLeft = knownDifference({ action, daemon: recorded, ours: own }, C_DAEMONS) !== undefined;
    lines.push(...(isLeft ? recorded : own));
  }
  return lines;
}

it.each(names)('%s has a recording', (name) => {
  expect(RELEASES.some((release) => existsSync(recordingFile(name, release)))).toBe(true);
});

async function isAbsent({ compat, binary }: Release): Promise<boolean> {
  return binary !== undefined && (await daemonIsMissing(`recorded scripts on the C daemon of ${compat}`, binary));
}

for (const release of RELEASES) {
  const { compat, format, binary } = release;
  const recorded = names.filter((name) => existsSync(recordingFile(name, release)));
  const meant = names.filter((name) => !/-4\.\d+-/.test(name) || name.includes(`-${compat}-`));
  const isMissing = await isAbsent(release);

  describe(`the scripts recorded from the C daemon of ${compat}`, () => {
    // Without a path there is nothing that could be missing.
    const asked = binary === undefined ? [] : RECORD ? meant : recorded;
    it.skipIf(isMissing).each(asked)('%s: it answers as recorded', async (name) => {
      try {
        const script = scriptOf(name, release);
        const output = await runScript({ binary: binary! }, script);
        if (RECORD) writeFileSync(recordingFile(name, release), `${output.flat().join('\n')}\n`);
        const recording = recordingOf(name, release);
        expect(agreed(script, output, recording)).toEqual(recording);
      } catch (error) {
        if (!RECORD || !(error instanceof DaemonDied)) throw error; // one release may survive what ends the other
      }
    });

    it.each(recorded)('%s: drive answers as the daemon', (name) => {
      const driver = new Driver({ compat, seed: '1', liveUpdateEvery: 0, format });
      const script = scriptOf(name, release);
      const recording = recordingOf(name, release);
      const output = agreed(
        script,
        script.map((action) => driver.perform(action)),
        recording,
      );
      expect(comparable(output).split('\n')).toEqual(comparable(recording).split('\n'));
    });
  });
}
