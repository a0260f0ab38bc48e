import { readFileSync } from 'node:fs';
import { Driver } from '../drive/drive.ts';
import { parseScript } from '../drive/script.ts';
import { labOf } from './lab-of.ts';
import { say } from './terminal/output.ts';

interface DriveOptions {
  readonly compat: '4.22' | '4.17';
  readonly liveUpdateEvery?: number;
  readonly format?: string;
  readonly seed: string;
}

/** Run a traffic script; a line that is not understood ends it, after those before it were run and printed. */
export async function driveCommand(file: string, options: DriveOptions): Promise<number> {
  let script: string;
  try {
    script = readFileSync(file, 'utf8');
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  const { compat, seed } = options;
  const format = options.format ?? (compat === '4.17' ? 'v1' : 'v2');
  const lab = await labOf(format);
  const driver = new Driver({ compat, seed, liveUpdateEvery: options.liveUpdateEvery ?? 0, format, lab });
  for (const parsed of parseScript(script)) {
    if (!parsed.ok) {
      say(`${file}:${parsed.line}: ${parsed.reason}`);
      return 2;
    }
    for (const line of driver.perform(parsed.action)) process.stdout.write(`${line}\n`);
  }
  return 0;
}
