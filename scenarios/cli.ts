#!/usr/bin/env node
import { main } from './cli/main.ts';

/** What a shell sees of a program that writes to a pipe which nobody reads any more: 128 + SIGPIPE. */
const NOBODY_READS = 141;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(NOBODY_READS);
  throw error;
});

process.exitCode = await main(process.argv);
