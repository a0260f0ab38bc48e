import { statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { serve } from '../real/serve/serve.ts';

interface ServeOptions {
  readonly socket: string;
  readonly compat: '4.22' | '4.17';
}

/** Serve until SIGTERM or SIGINT. A stale socket file (nobody listens) is replaced, anything else is left alone. */
export async function serveCommand(options: ServeOptions): Promise<number> {
  const path = options.socket;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) {
    if (!found.isSocket()) return complain(`${path} exists and is no socket`);
    if (await answers(path)) return complain(`${path}: another program listens there`);
    unlinkSync(path);
  }
  // Before anybody can know that we serve: a signal that comes at once must end us cleanly, too.
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  try {
    const serving = await serve({
      path,
      compat: options.compat,
      nowNs: () => Number(process.hrtime.bigint()),
      log: (line) => process.stderr.write(`xenarium: ${line}\n`),
    });
    process.stdout.write(`serving on ${path}\n`);
    try {
      await Promise.race([ended, serving.failed]);
      return 0;
    } finally {
      await serving.close();
    }
  } catch (error) {
    return complain(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

function complain(message: string): number {
  process.stderr.write(`xenarium: ${message}\n`);
  return 2;
}
