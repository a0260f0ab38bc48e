import { createServer, Socket } from 'node:net';
import { DOMID_FIRST_RESERVED, Listener, loneMachine, UnixSocket } from '../../../sim/index.ts';
import { decodeImage, formatFailure, PERM_STALE, type StateRecord } from '../../../store/format/index.ts';
import { startXenstored } from '../../../store/index.ts';
import { checkHanded } from './descriptors.ts';
import { Front } from './front.ts';
import { handOver } from './hand-over.ts';
import { HOST_FILES } from './host-files.ts';
import { closing, listening, newFailure, type ServeOptions, type Serving } from './serve.ts';

export interface TakeoverOptions extends Omit<ServeOptions, 'path' | 'mode' | 'compat'> {
  /** What the predecessor has written; the descriptors that it names are open in this process. */
  readonly image: Uint8Array;
  /** As the image's version suggests, where left out. */
  readonly compat?: ServeOptions['compat'] | undefined;
  /** Where the state for a successor goes. */
  readonly stateFile: string;
  /** The predecessor's own arguments, for its successor. */
  readonly args: readonly string[];
  /** Called when all has been taken over. */
  readonly onRestored: () => void;
}

/**
 * Go on as the successor of a daemon that has executed this program: clients and listening socket are taken over by
 * descriptor. There is no hypervisor here, so connections of domains are kept and ignored, as by a daemon that cannot map
 * their rings; the domains that the image names are taken to exist, and to be the ones that it means. Errors: the image
 * cannot be read or restored, or this process has not got what it names.
 */
export async function takeOver(options: TakeoverOptions): Promise<Serving> {
  const decoded = decodeImage(options.image);
  if (!decoded.ok) throw new Error(`the image: ${formatFailure(decoded.failure)}`);
  const { records, version } = decoded.value;
  const failing = checkHanded(options.image);
  if (failing !== undefined) throw new Error(`the image: ${formatFailure(failing)}`);
  const globals = records.find((r) => r.kind === 'GLOBAL_DATA');
  if (globals?.kind !== 'GLOBAL_DATA') throw new Error('assertion: an image without globals was refused');

  const machine = loneMachine({ seed: '0', jitter: { stepNs: 1, absentOneIn: 0, absentNsMax: 0 } });
  const identities = identitiesOf(records);
  const create = (domid: number) => {
    const uniqueId = identities.get(domid);
    const domain = machine.createDomain(domid, `dom${domid}`, uniqueId === undefined ? {} : { uniqueId });
    machine.unpause(domain);
    return domain;
  };
  const dom0 = create(0);
  for (const domid of [...domidsOf(records)].sort((a, b) => a - b)) if (domid !== 0) create(domid);

  const ends = new Map<number, UnixSocket>();
  const streams = new Map<number, UnixSocket>();
  const rests = new Map<number, number>();
  const ringIds = new Set<number>();
  for (const record of records) {
    if (record.kind !== 'CONNECTION_DATA') continue;
    const { conn } = record;
    if (conn.kind === 'socket') {
      const [client, server] = UnixSocket.pair(-1, conn.fd);
      ends.set(conn.fd, client);
      streams.set(conn.fd, server);
      rests.set(conn.fd, record.outRespLen);
    } else {
      ringIds.add(record.connId);
      const whose = conn.domid === 0 ? 'the kernel of domain 0' : `domain ${conn.domid}`;
      options.log(`${whose}: the ring cannot be mapped here; the connection is kept, and ignored`);
    }
  }
  const held = records.filter((r) => HELD_KINDS.has(r.kind) && 'connId' in r && ringIds.has(r.connId));
  const listener = new Listener(1 + Math.max(globals.socketFd, ...ends.keys()));
  const failure = newFailure();
  const front = new Front({ machine, nowNs: options.nowNs, log: options.log, failed: failure.fail });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    front.attach(socket, listener.connect());
    front.run();
  });
  const store = startXenstored(machine, dom0, {
    compat: options.compat ?? (version === 1 ? '4.17' : '4.22'),
    policy: 'daemon',
    listener,
    files: HOST_FILES,
    execute: (successorImage, file, commandLine) => {
      const given = commandLine === '' ? options.args : commandLine.split(/[ \t]+/).filter((word) => word !== '');
      const args = given.includes('-U') ? given : [...given, '-U'];
      const { evtchnFd } = globals;
      const own = { front, server, stateFile: options.stateFile, evtchnFd, held };
      return handOver(own, successorImage, file, args);
    },
    dom0Port: 0,
    resume: { image: options.image, sockets: streams },
  });
  if (store.ended !== undefined) throw new Error(store.ended);

  try {
    for (const [fd, end] of ends) front.attach(new Socket({ fd, allowHalfOpen: true }), end, rests.get(fd));
    await listening(server, { fd: globals.socketFd });
    options.onRestored();
  } catch (error) {
    front.close(); // or its clients keep this process alive
    server.close();
    throw error;
  }
  front.run();
  return { close: () => closing(server, front), hangUp: () => store.hangUp(), failed: failure.failed };
}

/** Records of a connection that cannot be served here, for a successor that can. */
const HELD_KINDS: ReadonlySet<StateRecord['kind']> = new Set(['CONNECTION_DATA', 'WATCH_DATA', 'WATCH_DATA_EXTENDED']);

/** Who the domains are, as far as the image tells: one of another identity would count as dead. */
function identitiesOf(records: readonly StateRecord[]): ReadonlyMap<number, bigint> {
  const found = new Map<number, bigint>();
  for (const record of records) {
    if (record.kind !== 'CONNECTION_DATA' || record.conn.kind !== 'ring') continue;
    const { uniqueId = 0n } = record;
    if (uniqueId !== 0n) found.set(record.conn.domid, uniqueId);
  }
  return found;
}

/** Domains that have a connection or a record, own a node, or have a right that is not stale. */
function domidsOf(records: readonly StateRecord[]): Set<number> {
  const found = new Set<number>();
  for (const record of records) {
    if (record.kind === 'CONNECTION_DATA' && record.conn.kind === 'ring') found.add(record.conn.domid);
    if (record.kind === 'DOMAIN_DATA' && record.domid < DOMID_FIRST_RESERVED) found.add(record.domid);
    if (record.kind !== 'NODE_DATA') continue;
    for (const { domid, flags } of record.perms)
      if ((flags & PERM_STALE) === 0 && domid < DOMID_FIRST_RESERVED) found.add(domid);
  }
  return found;
}
