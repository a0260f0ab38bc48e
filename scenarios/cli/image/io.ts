import { readFileSync, writeFileSync } from 'node:fs';

/** Why a command cannot begin or end: exit 2. Whoever runs it has to change something. */
export class Unusable extends Error {}

export function readOctets(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new Unusable(error instanceof Error ? error.message : String(error));
  }
}

export function writeOctets(file: string, octets: Uint8Array): void {
  try {
    writeFileSync(file, octets, { mode: 0o600 });
  } catch (error) {
    throw new Unusable(error instanceof Error ? error.message : String(error));
  }
}

/** Run a command; exit 2 with the reason when it is unusable. */
export async function orUnusable(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return complain(error.message);
  }
}

export function complain(message: string): number {
  process.stderr.write(`xenarium: ${message}\n`);
  return 2;
}

/** A message for each; exit 1. */
export function tell(messages: readonly string[]): number {
  for (const message of messages) process.stderr.write(`xenarium: ${message}\n`);
  return 1;
}
