import { type Log, type LogEntry, linesOf } from './entries.ts';

/** A request or a message that was sent. 4.22 names its switch before, and the domain of the connection. */
const IO =
  /^(?:io: )?(IN|OUT|OUT\(START\)|OUT\(END\)) (0x[0-9a-f]+|\(nil\)) (?:\(d(\d+)\) )?\d{8} \d\d:\d\d:\d\d (\S+) \((.*)$/;
const LIFE = /^(?:obj: )?(CREATE|DESTROY) (connection|transaction|watch) (0x[0-9a-f]+)$/;
/** What else the daemon writes there. */
const OTHERS = [
  /^\*\*\*$/,
  /^(?:acc|wrl|tdb|io|obj): /,
  /^CONN 0x[0-9a-f]+ ignored, reason \d+$/,
  /^Checking store/,
  /^(?:Delaying transaction start|Stalling) /,
  /^orphaned node /,
  /^watch event path /,
  /^dropping duplicate watch /,
  /^TDB: /,
  /^(?:clean_store|talloc failure)/,
];

export function isCDaemonLog(text: string): boolean {
  return linesOf(text).some((line) => IO.test(line) || LIFE.test(line));
}

/**
 * The trace file of the C daemon (`--trace-file`, CONTROL logfile). A value may hold line feeds: a message goes on until a line
 * ends it with `)` and the next one begins something. Source: tools/xenstored/core.c, trace_io, trace_create.
 */
export function cDaemonLog(text: string): Log {
  const lines = linesOf(text);
  const entries: LogEntry[] = [];
  const ringOf = new Map<string, number>();
  const begins = (line: string | undefined) =>
    line === undefined || line === '' || [IO, LIFE, ...OTHERS].some((shape) => shape.test(line));
  for (let i = 0; i < lines.length; i++) {
    const at = { line: i + 1 };
    const life = LIFE.exec(lines[i]!);
    if (life?.[2] === 'connection') {
      entries.push({ ...at, conn: life[3]!, kind: life[1] === 'CREATE' ? 'came' : 'went' });
      continue;
    }
    const io = IO.exec(lines[i]!);
    if (io === null) continue;
    const [, way, conn = '', domid = '', op = '', start = ''] = io;
    let body = start;
    while (i + 1 < lines.length && !(body.endsWith(')') && begins(lines[i + 1]))) body += `\n${lines[++i]!}`;
    const shown = body.endsWith(')') ? body.slice(0, -1) : body;
    if (domid !== '' && domid !== '0') ringOf.set(conn, Number(domid));
    if (way === 'OUT(END)') continue; // its start has told
    if (way !== 'IN' && op === 'WATCH_EVENT') entries.push({ ...at, conn, kind: 'event', text: shown });
    else entries.push({ ...at, conn, kind: way === 'IN' ? 'request' : 'reply', op, text: shown });
  }
  return {
    entries,
    ringOf,
    hasAllReplies: true,
    silences: [
      'Transaction ids of requests are not in this log: a request between TRANSACTION_START and TRANSACTION_END of its connection is taken to belong to that transaction, to the newest where there are several.',
      'A NUL is shown as a space: in values and tokens, a space is taken for a space.',
      ...(ringOf.size > 0 ? [] : ['Which connection is the ring of which domain follows from INTRODUCE alone.']),
    ],
  };
}
