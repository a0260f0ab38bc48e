import { reasonOf } from './image/io.ts';

/** What a shell sees of a program that writes to a pipe which nobody reads any more: 128 + SIGPIPE. */
const NOBODY_READS = 141;

/** What is to be done when stdout takes nothing any more: end, as a pipe's reader has gone, or as the disk is full (exit 2). */
export function endWithoutOutput(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(NOBODY_READS);
  process.stderr.write(`xenarium: the output cannot be written: ${reasonOf(error)}\n`);
  process.exit(2);
}
