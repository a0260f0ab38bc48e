import { readFileSync } from 'node:fs';
import { decodeImage, dumpImage, dumpJson, formatFailure } from '../../store/format/index.ts';

/** Print an image; what could be read before a fault is printed, then the fault. Exit 1: the image is broken. */
export function imageCommand(file: string, options: { readonly json?: true }): number {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    process.stderr.write(`xenarium: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  const decoded = decodeImage(bytes);
  if (options.json) {
    if (decoded.ok) process.stdout.write(`${JSON.stringify(dumpJson(decoded.value), null, 2)}\n`);
  } else process.stdout.write(dumpImage(bytes));
  if (decoded.ok) return 0;
  process.stderr.write(`xenarium: ${file}: ${formatFailure(decoded.failure)}\n`);
  return 1;
}
