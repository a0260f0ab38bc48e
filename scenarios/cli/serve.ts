import { statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { serve } from '../real/serve/serve.ts';
import { complain, print, say } from './terminal/output.ts';
import { untilSignal } from './until-signal.ts';

interface ServeOptions {
  readonly socket: string;
  readonly compat: '4.22' | '4.17';
  readonly mode: number;
}

/** Octets of a unix socket's path: sun_path without its NUL. A longer one is cut by the kernel's interface, silently. */
const PATH_OCTETS_MAX = 107;

/** Serve until SIGTERM or SIGINT, which let replies out; SIGHUP opens the log anew. A stale socket file (nobody listens) is replaced, anything else is left alone. */
export async function serveCommand(options: ServeOptions): Promise<number> {
  const path = options.socket;
  const size = Buffer.byteLength(path);
  if (size > PATH_OCTETS_MAX)
    return complain(`${path}: ENAMETOOLONG: ${size} octets, the path of a unix socket has at most ${PATH_OCTETS_MAX}`);
  // listen(2) on a path in a folder that is not there comes back as EACCES (libuv).
  if (statSync(dirname(path), { throwIfNoEntry: false }) === undefined)
    return complain(`${path}: ENOENT: there is no folder ${dirname(path)}`);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) {
    if (!found.isSocket()) return complain(`${path} exists and is no socket`);
    if (await answers(path)) return complain(`${path}: another program listens there`);
    unlinkSync(path);
  }
  const begin = () =>
    serve({
      path,
      compat: options.compat,
      mode: options.mode,
      nowNs: () => Number(process.hrtime.bigint()),
      log: say,
    });
  return untilSignal(path, begin, () => print(`serving on ${path}\n`));
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
