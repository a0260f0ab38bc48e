import { type Log, type LogEntry, linesOf } from './entries.ts';

const OPS: Readonly<Record<string, string>> = {
  debug: 'CONTROL',
  directory: 'DIRECTORY',
  read: 'READ',
  getperms: 'GET_PERMS',
  watch: 'WATCH',
  unwatch: 'UNWATCH',
  introduce: 'INTRODUCE',
  release: 'RELEASE',
  getdomain: 'GET_DOMAIN_PATH',
  'is introduced': 'IS_DOMAIN_INTRODUCED',
  resume: 'RESUME',
  write: 'WRITE',
  mkdir: 'MKDIR',
  rm: 'RM',
  setperms: 'SET_PERMS',
  'reset watches': 'RESET_WATCHES',
  settarget: 'SET_TARGET',
};

export function isOCamlDaemonLog(text: string): boolean {
  return linesOf(text).some((line) => toldIn(line) !== undefined);
}

const CHANGES: ReadonlySet<string> = new Set(['write', 'mkdir', 'rm', 'setperms']);

function isEnd(what: string): boolean {
  return what === 'commit' || what === 'conflict' || what === 't end';
}

interface Told {
  readonly conn: string;
  readonly tx: string;
  readonly what: string;
  readonly data: string;
}

function toldIn(line: string): Told | undefined {
  const head = /^\[[^\]]*\]\s+([AD]\d+)(?:\.(\d+))?\s+(.*)$/.exec(line);
  if (head === null) return undefined;
  const [, conn = '', tx = '', rest = ''] = head;
  const words = [...Object.keys(OPS), 'coalesce', 'conflict', 'commit', 'newconn', 'endconn', 't start', 't end'];
  const what = [...words, 'w event', 'w notfired', 'error'].find(
    (word) => rest === word || rest.startsWith(`${word} `),
  );
  if (what === undefined) return undefined;
  // The words fill nine columns; a longer one is followed by the one space.
  const data = rest.slice(Math.max(what.length, 9) + 1);
  return { conn, tx, what, data };
}

/**
 * The access log of oxenstored. A transaction is begun where its number is first met. Source: tools/ocaml/xenstored/logging.ml,
 * access_logging, string_of_access_type, sanitize_data.
 */
export function ocamlDaemonLog(text: string): Log {
  const all = linesOf(text).flatMap((line, i) => {
    const told = toldIn(line);
    return told === undefined ? [] : [{ ...told, line: i + 1 }];
  });
  const entries: LogEntry[] = [];
  const ringOf = new Map<string, number>();
  /** Open transactions, and whether they have changed anything. */
  const open = new Map<string, boolean>();
  for (const [i, told] of all.entries()) {
    const { conn, tx, what, line } = told;
    const at = { line, conn };
    const data = unescaped(told.data);
    if (conn.startsWith('D') && conn !== 'D0') ringOf.set(conn, Number(conn.slice(1)));
    const name = tx === '' ? '' : `${conn}.${tx}`;
    if (name !== '' && !open.has(name) && !isEnd(what)) {
      open.set(name, false);
      entries.push({ ...at, kind: 'request', op: 'TRANSACTION_START', text: ' ', tx: name });
    }
    switch (what) {
      case 'newconn':
        entries.push({ ...at, kind: 'came' });
        break;
      case 'endconn':
        entries.push({ ...at, kind: 'went' });
        break;
      case 'commit':
      case 'conflict':
      case 't end': {
        const hasChanged = open.get(name);
        if (hasChanged === undefined) break; // told already
        open.delete(name);
        const next = what === 't end' ? all.slice(i + 1).find((other) => other.conn === conn) : told;
        const outcome = next?.tx === tx && (next.what === 'commit' || next.what === 'conflict') ? next.what : undefined;
        const letter = outcome === undefined && hasChanged ? 'F' : 'T';
        entries.push({ ...at, kind: 'request', op: 'TRANSACTION_END', text: `${letter} `, tx: name });
        if (outcome === 'conflict') entries.push({ ...at, kind: 'reply', op: 'ERROR', text: 'EAGAIN ' });
        else entries.push({ ...at, kind: 'reply', op: 'TRANSACTION_END', text: 'OK ' });
        break;
      }
      case 'w event':
        entries.push({ ...at, kind: 'event', text: data });
        break;
      case 'error':
        entries.push({ ...at, kind: 'reply', op: 'ERROR', text: data });
        break;
      case 't start':
      case 'coalesce':
      case 'w notfired':
        break;
      default:
        if (name !== '' && CHANGES.has(what)) open.set(name, true);
        entries.push({ ...at, kind: 'request', op: OPS[what]!, text: data, tx: name });
    }
  }
  return {
    entries,
    ringOf,
    hasAllReplies: false,
    silences: [
      'READ, DIRECTORY and GET_PERMS are in this log with access-log-read-ops alone, INTRODUCE, RELEASE and the like with access-log-special-ops alone.',
      'A transaction is begun where its number is first met, and ended where the log tells of its commit or conflict; of others the end is there with access-log-transactions-ops alone: taken for an abort where they have changed something.',
      'Replies are not in this log, but errors are (ENOENT with the reads alone).',
      'A NUL is shown as a space, and a line ends with .. after 180 characters.',
    ],
  };
}

/** What OCaml's String.escaped has made of octets. */
function unescaped(text: string): string {
  const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b' };
  return text.replace(/\\(?:(\d{3})|(.))/g, (_, code?: string, char = '') =>
    code === undefined ? (named[char] ?? char) : String.fromCharCode(Number(code) & 0xff),
  );
}
