import { createServer, Socket } from 'node:net';
import { Listener, Machine, UnixSocket } from '../../sim/index.ts';
import { decodeImage, formatFailure, PERM_STALE, type StateRecord } from '../../store/format/index.ts';
import { startXenstored } from '../../store/index.ts';
import { STORE_BINARY } from '../world.ts';
import { Front } from './front.ts';
import { closing, listening, type ServeOptions, type Serving } from './serve.ts';

export interface TakeoverOptions extends Omit<ServeOptions, 'path' | 'compat'> {
  /** What the predecessor has written; the descriptors that it names are open in this process. */
  readonly image: Uint8Array;
  /** As the image's version suggests, where left out. */
  readonly compat?: ServeOptions['compat'] | undefined;
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

  const machine = new Machine({ seed: '0', jitter: { stepNs: 1, absentOneIn: 0, absentNsMax: 0 } });
  const domains = [...domidsOf(records)].sort((a, b) => a - b);
  const dom0 = machine.createDomain(0, 'dom0');
  machine.unpause(dom0);
  for (const domid of domains) if (domid !== 0) machine.unpause(machine.createDomain(domid, `dom${domid}`));

  const ends = new Map<number, UnixSocket>();
  const streams = new Map<number, UnixSocket>();
  for (const record of records) {
    if (record.kind !== 'CONNECTION_DATA') continue;
    const { conn } = record;
    if (conn.kind === 'socket') {
      const [client, server] = UnixSocket.pair(-1, conn.fd);
      ends.set(conn.fd, client);
      streams.set(conn.fd, server);
    } else {
      const whose = conn.domid === 0 ? 'the kernel of domain 0' : `domain ${conn.domid}`;
      options.log(`${whose}: the ring cannot be mapped here; the connection is kept, and ignored`);
    }
  }
  const listener = new Listener(1 + Math.max(globals.socketFd, ...ends.keys()));
  const store = startXenstored(machine, dom0, {
    compat: options.compat ?? (version === 1 ? '4.17' : '4.22'),
    policy: 'daemon',
    listener,
    files: new Map([[STORE_BINARY, 'executable']]),
    dom0Port: 0,
    resume: { image: options.image, sockets: streams },
  });
  if (store.startFailure !== undefined) throw new Error(store.startFailure);

  const front = new Front({ machine, nowNs: options.nowNs, log: options.log });
  for (const [fd, end] of ends) front.attach(new Socket({ fd, allowHalfOpen: true }), end);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    front.attach(socket, listener.connect());
    front.run();
  });
  await listening(server, { fd: globals.socketFd });
  options.onRestored();
  front.run();
  return { close: () => closing(server, front) };
}

/** First domid that no domain can have. Source: xen/include/public/xen.h, DOMID_FIRST_RESERVED. */
const FIRST_RESERVED = 0x7ff0;

/** Domains that have a connection, own a node, or have a right that is not stale. */
function domidsOf(records: readonly StateRecord[]): Set<number> {
  const found = new Set<number>();
  for (const record of records) {
    if (record.kind === 'CONNECTION_DATA' && record.conn.kind === 'ring') found.add(record.conn.domid);
    if (record.kind !== 'NODE_DATA') continue;
    for (const { domid, flags } of record.perms)
      if ((flags & PERM_STALE) === 0 && domid < FIRST_RESERVED) found.add(domid);
  }
  return found;
}
