import type { Connection } from '../daemon/connection.ts';
import { Daemon } from '../daemon/daemon.ts';
import type { Moves } from '../daemon/moves.ts';
import { formatFailure } from '../format/index.ts';
import { formatOf, lossText, type StateFormat, writeState } from '../format/model/index.ts';
import { neutralStateOf } from '../live-update/neutral-state.ts';
import { refuse } from '../protocol/wire.ts';
import { refuseImage } from './admit.ts';
import { arrive } from './arrive.ts';
import { type Share, shareOf } from './share.ts';
import { firesWatches, forMoves, knowsBoundary, missed } from './tolerance.ts';
import { whereIs } from './where.ts';
import { type Choices, choicesOf, domidOf } from './words.ts';

/** Descriptors mean nothing to another host. */
const NO_DESCRIPTORS = { listenerFd: -1, evtchnFd: -1 };
const DEFAULT_FORMAT = 'G3.1';

/**
 * The two privileged operations of a daemon by which a domain moves without its help (NC-35), as words of CONTROL:
 *
 *   migrate check D [CHOICE …]           whether its state could be written down as it is now; nothing is done
 *   migrate quiesce D                    read no further than to the end of a message; OK: there is nothing on its way (NC-24)
 *   migrate freeze D                     neither read nor write (NF5)
 *   migrate dump D FILE [CHOICE …]       freeze, and write down what goes along, as one reading of the store (NF6)
 *   migrate thaw D                       serve it (on) (NF10, and at the other host once nobody can go back)
 *   migrate restore FILE D=PORT [S=PORT …] [CHOICE …]   take in what another host has written; it stays frozen
 *
 * Choices: format=NAME loss=refuse|warn|silent tx=EAGAIN|refuse|conflictBase scope=refuse|carry|drop. The answer is OK with a
 * line for each loss that was put up with, or why not: then all is as it was. What comes after a dump waits behind what was
 * dumped, and is lost with the connection at the end of a move, or delivered at its thaw.
 */
export class DomainMoves implements Moves {
  readonly #ownFormat: () => StateFormat | undefined;

  /** @param ownFormat the format that live updates go through, if it is one of the laboratory. */
  constructor(ownFormat: () => StateFormat | undefined) {
    this.#ownFormat = ownFormat;
  }

  command(daemon: object, [word, ...args]: readonly string[]): string {
    if (!(daemon instanceof Daemon)) throw new Error('assertion: a daemon has its domains moved');
    const [first = '', second = '', ...others] = args;
    switch (word) {
      case 'check':
        return this.#check(daemon, domidOf(first), choicesOf(args.slice(1)));
      case 'quiesce':
        return args.length === 1 ? quiesce(daemon, domidOf(first)) : refuse('EINVAL');
      case 'freeze':
        return args.length === 1 ? freeze(daemon, domidOf(first)) : refuse('EINVAL');
      case 'dump':
        return args.length < 2 ? refuse('EINVAL') : this.#dump(daemon, domidOf(first), second, choicesOf(others));
      case 'thaw':
        return args.length === 1 ? thaw(daemon, domidOf(first)) : refuse('EINVAL');
      case 'restore':
        return args.length < 2 ? refuse('EINVAL') : this.#restore(daemon, first, choicesOf(args.slice(1)));
      default:
        return refuse('EINVAL');
    }
  }

  #format({ format }: Choices): StateFormat | undefined {
    const found = format === undefined ? (this.#ownFormat() ?? formatOf(DEFAULT_FORMAT)) : formatOf(format);
    return found === undefined ? undefined : forMoves(found);
  }

  #check(daemon: Daemon, domid: number, choices: Choices): string {
    const written = this.#write(daemon, domid, choices);
    return typeof written === 'string' ? written : okWith(written.losses);
  }

  #dump(daemon: Daemon, domid: number, file: string, choices: Choices): string {
    const frozen = group(daemon, domid).filter((conn) => conn.moving !== 'frozen');
    const before = new Map(frozen.map((conn) => [conn, conn.moving]));
    for (const conn of frozen) conn.moving = 'frozen';
    const written = this.#write(daemon, domid, choices);
    const failed =
      typeof written === 'string'
        ? written
        : daemon.platform.writeFile(file, written.octets)
          ? undefined
          : `${file} cannot be written`;
    if (failed === undefined && typeof written !== 'string') {
      for (const conn of group(daemon, domid)) daemon.introductions.letGo(conn);
      return okWith(written.losses);
    }
    for (const [conn, was] of before) serve(daemon, conn, was);
    return failed ?? '';
  }

  /** What goes along, in a format; why it does not. */
  #write(
    daemon: Daemon,
    domid: number,
    choices: Choices,
  ): { readonly octets: Uint8Array; readonly losses: readonly string[] } | string {
    const format = this.#format(choices);
    if (format === undefined) return `there is no format ${choices.format}`;
    const { platform, state } = daemon;
    const numbers = { ...NO_DESCRIPTORS, remotePortOf: (port: number) => platform.remotePortOf(port) };
    const shared = shareOf(neutralStateOf(state, numbers, undefined, true), domid, choices.scope);
    if (!shared.ok) return shared.reason;
    const { share } = shared;
    const open = share.state.connections.reduce((n, { transactions }) => n + transactions.length, 0);
    if (choices.tx === 'refuse' && open > 0) return `${open} transactions are open`;
    const written = writeState(share.state, format, { onLoss: 'silent', ...ofOneDomain(share, format) });
    if (!written.ok) return written.failure === undefined ? 'not written' : formatFailure(written.failure);
    const losses = [
      ...share.left.map((path) => `node "${path}": left behind`),
      ...missed(written.losses, format, choices.tx).map(lossText),
    ];
    const [file, ...more] = written.files;
    if (file === undefined || more.length > 0) return `${format.name} makes ${written.files.length} files of it`;
    if (choices.loss === 'refuse' && losses.length > share.left.length)
      return `${format.name} cannot hold it:\n${losses.slice(share.left.length).join('\n')}`;
    return { octets: file.octets, losses: choices.loss === 'silent' ? [] : losses };
  }

  #restore(daemon: Daemon, file: string, choices: Choices): string {
    const format = this.#format(choices);
    if (format === undefined) return `there is no format ${choices.format}`;
    const [domid] = [...choices.ports.keys()];
    if (domid === undefined) refuse('EINVAL');
    const octets = daemon.platform.readFile(file);
    if (octets === undefined) return `${file} cannot be read`;
    const read = format.read(octets, { domid });
    if (!read.ok) return formatFailure(read.failure);
    const { state, warnings } = read.value;
    const [warning] = warnings.filter((one) => !('rule' in one) || !HARMLESS.includes(String(one.rule)));
    if (warning !== undefined && format.skipsFaults !== true) return formatFailure(warning);
    const fault = refuseImage(state, { domid, scope: choices.scope, knowsBoundary: knowsBoundary(format) });
    if (fault !== undefined) return formatFailure(whereIs(format, octets, fault));
    const failed = arrive(daemon, state, {
      domids: state.connections.flatMap(({ link }) => (link.kind === 'ring' ? [link.domid] : [])),
      ports: choices.ports,
      isOpaque: !knowsBoundary(format),
      firesWatches: firesWatches(format),
      hasBases: choices.tx === 'conflictBase',
    });
    return failed ?? 'OK';
  }
}

/** Rules of an image of a whole store that one of a single domain need not keep. */
const HARMLESS = ['domain-known', 'parent-first', 'global-first', 'root-present', 'special-present'];

function okWith(losses: readonly string[]): string {
  return ['OK', ...losses].join('\n');
}

function ofOneDomain({ domids }: Share, format: StateFormat): { readonly domid?: number } {
  const [domid] = domids;
  return format.carriage.oneDomain && domid !== undefined ? { domid } : {};
}

/** The connections that move together: of a domain, and of its stub domains. */
function group({ state }: Daemon, domid: number): Connection[] {
  const own = state.connections.ringOf(domid);
  if (own === undefined) return [];
  return [...state.connections].filter((conn) => conn === own || (conn.link.kind === 'ring' && conn.target === own));
}

function known(daemon: Daemon, domid: number): Connection[] | string {
  const conns = group(daemon, domid);
  return conns.length === 0 ? `domain ${domid} is not introduced` : conns;
}

/** The requests that have begun are read to their end and answered; whoever asks again until it is OK bounds the wait. */
function quiesce(daemon: Daemon, domid: number): string {
  const conns = known(daemon, domid);
  if (typeof conns === 'string') return conns;
  const busy = conns.flatMap((conn) => {
    conn.moving ??= 'quiet';
    const waiting = conn.delayed.length + (conn.blocked === undefined ? 0 : 1);
    if (conn.headerUsed > 0) return [`domain ${conn.domid} has sent a part of a request`];
    if (waiting > 0) return [`domain ${conn.domid} waits for ${waiting} answers`];
    return conn.out.length > 0 ? [`domain ${conn.domid} has to take ${conn.out.length} messages`] : [];
  });
  return busy.length === 0 ? 'OK' : busy.join('\n');
}

function freeze(daemon: Daemon, domid: number): string {
  const conns = known(daemon, domid);
  if (typeof conns === 'string') return conns;
  for (const conn of conns) conn.moving = 'frozen';
  return 'OK';
}

function thaw(daemon: Daemon, domid: number): string {
  const conns = known(daemon, domid);
  if (typeof conns === 'string') return conns;
  const lost = conns.filter((conn) => !daemon.introductions.takeAgain(conn));
  if (lost.length > 0) return `the page of domain ${lost[0]?.domid} cannot be mapped`;
  for (const conn of conns) serve(daemon, conn, undefined);
  return 'OK';
}

/** Serve a connection on: whatever waits has its time before it. */
function serve(daemon: Daemon, conn: Connection, moving: Connection['moving']): void {
  if (conn.moving === 'frozen') daemon.output.restart(conn);
  conn.moving = moving;
  daemon.wakes.inputAllowed(conn);
}
