import { FEATURE_WATCHDEPTH } from '../../../sim/index.ts';
import { uncheckedSpecial } from '../../protocol/path.ts';
import { atoi, OK, refuse, strings } from '../../protocol/wire.ts';
import { type Answer, featuresOf, type Request } from './request.ts';

/** Absolute name of a watched path, and how many octets its events leave out. Errors: EINVAL. */
function watchedName(
  { daemon, conn }: Request,
  path: string,
  checked: boolean,
): { readonly name: string; readonly prefix: number } {
  const { names, state } = daemon;
  const first = path.charAt(0);
  const isRelative = first !== '/' && first !== '@';
  const home = `${names.homeOf(conn)}/`;
  const prefix = isRelative ? home.length : 0;
  if (!checked) return { name: isRelative ? home + path : path, prefix };
  if (first === '@' && state.compat.specialWatchUnchecked) return { name: uncheckedSpecial(path), prefix };
  return { name: names.ofText(conn, path) ?? refuse('EINVAL'), prefix };
}

export function watch(r: Request): Answer {
  const { conn, message } = r;
  const { accounting, output, state, watches } = r.daemon;
  const { compat } = state;
  const { texts, count } = strings(message.payload, 3);
  let depth = -1;
  if (count === 3 && compat.watchDepth && (featuresOf(conn) & FEATURE_WATCHDEPTH) !== 0) {
    depth = atoi(texts[2] as string);
    if (depth < 0) return 'EINVAL';
  } else if (count !== 2) return 'EINVAL';
  const token = texts[1] as string;
  const { name, prefix } = watchedName(r, texts[0] as string, true);
  if (watches.find(conn, name, token) !== undefined) return 'EEXIST';
  if (conn.isLimited) {
    const limit = conn.limits.watches;
    const have = accounting.accountOf(conn).watches;
    // 4.17 tests before it counts, with `>`: one more than the quota fits.
    if (limit > 0 && (compat.uniformQuota ? have + 1 >= limit : have > limit)) return compat.watchQuotaError;
  }
  if (accounting.memoryExceeded(conn, name.length + token.length)) return 'ENOMEM';
  const added = watches.add({ conn, path: name, token, depth, prefix });
  output.reply(conn, message, message.type, OK, r.cause);
  output.event(added, name, undefined); // the initial event is nobody's burden (store.md 10.2)
  return undefined;
}

export function unwatch(r: Request): Answer {
  const { state, watches } = r.daemon;
  const { texts, count } = strings(r.message.payload, 2);
  if (count !== 2) return 'EINVAL';
  const { name } = watchedName(r, texts[0] as string, state.compat.unwatchChecksPath);
  const gone = watches.find(r.conn, name, texts[1] as string);
  if (gone === undefined) return 'ENOENT';
  watches.remove(gone);
  return OK;
}

export function resetWatches({ daemon, conn }: Request): Answer {
  daemon.watches.drop(conn);
  daemon.transactions.drop(conn);
  return OK;
}
