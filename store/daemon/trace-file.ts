import { textOf } from '../protocol/octets.ts';
import { HEADER_BYTES, messageType, opName } from '../protocol/wire.ts';
import type { Connection, OutMessage } from './connection.ts';
import type { Platform } from './platform.ts';
import type { DaemonState } from './state.ts';

type Known = Pick<DaemonState, 'compat' | 'trace' | 'logSwitches'>;

/** Where 4.22 puts a file that is named without a directory. Source: core.h, XENSTORE_LIB_DIR. */
const LIB_DIR = '/var/lib/xen/xenstore';

/** What comes into being and goes, and is told of. */
type Thing = 'connection' | 'transaction' | 'watch';

/**
 * The trace file (CONTROL logfile, log): requests and replies, and what comes and goes. The line shapes are the daemon's; what it
 * prints pointers of has a number here, and the clock is that of the host, in UTC. Of the other switches nothing is written.
 * Source: tools/xenstored/core.c, trace_io, trace_create, reopen_log.
 */
export class TraceFile {
  readonly #state: Known;
  readonly #platform: Pick<Platform, 'appendTo' | 'wallSecond'>;

  constructor(state: Known, platform: Pick<Platform, 'appendTo' | 'wallSecond'>) {
    this.#state = state;
    this.#platform = platform;
  }

  /** From now on it goes there. Whether that file can be opened, nobody is told. */
  moveTo(name: string): void {
    this.close();
    this.#state.trace.path = this.#absolute(name);
    this.reopen();
  }

  reopen(): void {
    const { trace } = this.#state;
    if (trace.path === undefined) return;
    this.close();
    trace.file = this.#platform.appendTo(trace.path);
    trace.file?.write('\n***\n');
  }

  close(): void {
    this.#state.trace.file?.close();
    this.#state.trace.file = undefined;
  }

  /** Append a text to a file, or to where the trace goes, also when that is switched off. False: it cannot be opened. */
  append(text: string, name: string | undefined): boolean {
    const { trace } = this.#state;
    if (name === undefined && trace.file !== undefined) {
      trace.file.write(text);
      return true;
    }
    const path = name === undefined ? trace.path : this.#absolute(name);
    const file = path === undefined ? undefined : this.#platform.appendTo(path);
    file?.write(text);
    file?.close();
    return file !== undefined;
  }

  #absolute(name: string): string {
    if (name.startsWith('/')) return name;
    return this.#state.compat.uniformQuota ? `${LIB_DIR}/${name}` : name === '' ? '' : `/${name}`; // 4.17 has changed to `/`
  }

  // What is told of ------------------------------------------------------------------------------------------------

  /** A request is processed. */
  request(conn: Connection, type: number, payload: Uint8Array): void {
    this.#io('IN', conn, type, payload);
  }

  /** Something was written: all of a message, or the first or the last piece of it. */
  output(conn: Connection, { kind, bytes }: OutMessage, part: 'all' | 'start' | 'end'): void {
    if (this.#state.trace.file === undefined) return;
    const isOld = !this.#state.compat.uniformQuota; // which tells of whole messages only
    if (isOld && part === 'start') return;
    const way = isOld || part === 'all' ? 'OUT' : part === 'start' ? 'OUT(START)' : 'OUT(END)';
    const hasHeader = kind !== 'restored';
    this.#io(way, conn, hasHeader ? messageType(bytes) : UNKNOWN, hasHeader ? bytes.subarray(HEADER_BYTES) : bytes);
  }

  came(thing: Thing, id: number): void {
    this.#told('CREATE', thing, id);
  }

  went(thing: Thing, id: number): void {
    this.#told('DESTROY', thing, id);
  }

  /** What a daemon that has no terminal prints, as it stands, with no end of line of its own. Source: core.c, xprintf. */
  printed(text: string): void {
    this.#state.trace.file?.write(text);
  }

  ignored(conn: Connection, word: number): void {
    this.#state.trace.file?.write(`CONN ${pointer(conn.serial)} ignored, reason ${word}\n`);
  }

  #io(way: string, conn: Connection, type: number, payload: Uint8Array): void {
    const { compat, logSwitches, trace } = this.#state;
    if (trace.file === undefined || !logSwitches.has('io')) return;
    const [prefix, domain] = compat.uniformQuota ? ['io: ', ` (d${conn.domid})`] : ['', ''];
    const name = opName(type);
    const op = /^\d/.test(name) ? '**UNKNOWN**' : name;
    const text = textOf(payload).replaceAll('\0', ' ');
    const time = dateText(this.#platform.wallSecond());
    trace.file.write(`${prefix}${way} ${pointer(conn.serial)}${domain} ${time} ${op} (${text})\n`);
  }

  #told(what: string, thing: Thing, id: number): void {
    const { compat, logSwitches, trace } = this.#state;
    if (trace.file === undefined || !logSwitches.has('obj')) return;
    trace.file.write(`${compat.uniformQuota ? 'obj: ' : ''}${what} ${thing} ${pointer(id)}\n`);
  }
}

/** The type of the rest of a message whose header was sent by the predecessor. */
const UNKNOWN = 0xffff;

function pointer(id: number): string {
  return `0x${id.toString(16)}`;
}

/** Seconds since 1970 as `20261130 15:57:14`, UTC. */
function dateText(second: number): string {
  const days = Math.floor(second / 86_400);
  const rest = second - days * 86_400;
  // Years begin in March, so that the leap day is the last of one: 400 of them have 146,097 days.
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const march = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * march + 2) / 5) + 1;
  const month = march < 10 ? march + 3 : march - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (n: number) => String(n).padStart(2, '0');
  const [hour, minute] = [Math.floor(rest / 3_600), Math.floor(rest / 60) % 60];
  return `${year}${two(month)}${two(day)} ${two(hour)}:${two(minute)}:${two(rest % 60)}`;
}
