import type { Serving } from '../real/serve/serve.ts';
import { complain } from './terminal/output.ts';

/**
 * Serve until SIGTERM or SIGINT, which let replies out; SIGHUP opens the log anew. @returns the exit code.
 * @param name of what cannot be served, in messages
 * @param ready called when it is served
 */
export async function untilSignal(name: string, begin: () => Promise<Serving>, ready: () => void): Promise<number> {
  // Before anybody can know that we serve: a signal that comes at once must end us cleanly, too.
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  try {
    const serving = await begin();
    process.on('SIGHUP', serving.hangUp);
    ready();
    try {
      await Promise.race([ended, serving.failed]);
      return 0;
    } finally {
      await serving.close();
    }
  } catch (error) {
    return complain(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
