import { createServer, Socket } from 'node:net';
import { DOMID_FIRST_RESERVED, Listener, loneMachine, UnixSocket } from '../../../sim/index.ts';
import { decodeImage, formatFailure, PERM_STALE, type StateRecord } from '../../../store/format/index.ts';
import { startXenstored } from '../../../store/index.ts';
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
 * their rings; the domains that the image names are taken to exist. Errors: the image cannot be read or restored, it names
 * no listening socket, a descriptor is no socket.
 */
export async function takeOver(options: TakeoverOptions): Promise<Serving> {
  const decoded = decodeImage(options.image);
  if (!decoded.ok) throw new Error(`the image: ${formatFailure(decoded.failure)}`);
  const { records, version } = decoded.value;
  const globals = records.find((r) => r.kind === 'GLOBAL_DATA');
  if (globals?.kind !== 'GLOBAL_DATA' || globals.socketFd < 0) throw new Error('the image names no listening socket');

  const machine = loneMachine({ seed: '0', jitter: { stepNs: 1, absentOneIn: 0, absentNsMax: 0 } });
  const domains = [...domidsOf(records)].sort((a, b) => a - b);
  const dom0 = machine.createDomain(0, 'dom0');
  machine.unpause(dom0);
  for (const domid of domains) if (domid !== 0) machine.unpause(machine.createDomain(domid, `dom${domid}`));

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
  const held = records.filter(
    (r) => (r.kind === 'CONNECTION_DATA' || r.kind === 'WATCH_DATA') && ringIds.has(r.connId),
  );
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

  for (const [fd, end] of ends) front.attach(new Socket({ fd, allowHalfOpen: true }), end, rests.get(fd));
  await listening(server, { fd: globals.socketFd });
  options.onRestored();
  front.run();
  return { close: () => closing(server, front), hangUp: () => store.hangUp(), failed: failure.failed };
}

/** Domains that have a connection, own a node, or have a right that is not stale. */
function domidsOf(records: readonly StateRecord[]): Set<number> {
  const found = new Set<number>();
  for (const record of records) {
    if (record.kind === 'CONNECTION_DATA' && record.conn.kind === 'ring') found.add(record.conn.domid);
    if (record.kind !== 'NODE_DATA') continue;
    for (const { domid, flags } of record.perms)
      if ((flags & PERM_STALE) === 0 && domid < DOMID_FIRST_RESERVED) found.add(domid);
  }
  return found;
}
