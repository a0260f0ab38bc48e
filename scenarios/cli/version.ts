import { readFileSync } from 'node:fs';
import { packageFile } from '../real/package-file.ts';

/** The version of this package; 'unknown' where it has been taken apart. */
export function version(): string {
  try {
    return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}
