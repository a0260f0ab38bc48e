import { rename, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { handleOf } from '../serve/handle.ts';
import { connectDomain, portOf } from './machine-files.ts';
import { isConnected } from './socket-client.ts';

/** Process numbers that an image must have, so that what it names is there. */
export interface HandedOverNumbers {
  readonly listenerFd: number;
  /** As many as were asked for, in their order. */
  readonly socketFds: readonly number[];
  /** The daemon's own port of a domain, dom0's included. */
  readonly portOf: (domid: number) => number;
}

/** What a daemon leaves to its successor: descriptors, bound ports, guests' pages and its state. */
export interface HandedOver {
  /** Domains whose rings were connected; dom0's always was. */
  readonly domids: readonly number[];
  /** How many clients were connected to the unix socket. */
  readonly sockets: number;
  readonly image: (numbers: HandedOverNumbers) => Uint8Array;
}

/** The first descriptor that a child inherits beside its standard ones. */
const FIRST_FD = 3;

/** Put what is handed over into the daemon's directory; `release` gives up this process's copies of descriptors. */
export async function prepareHandOver(dir: string, state: HandedOver) {
  const path = join(dir, 'socket');
  const accepted: Socket[] = [];
  let onAccept = () => {};
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    accepted.push(socket);
    onAccept();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const clients: Socket[] = [];
  while (clients.length < state.sockets) {
    const arrived = new Promise<void>((resolve) => {
      onAccept = resolve;
    });
    const client = connect(path);
    clients.push(client);
    await Promise.all([isConnected(client), arrived]);
  }
  for (const domid of [0, ...state.domids]) await connectDomain(dir, domid, domid === 0 ? 1 : 7);
  const image = state.image({
    listenerFd: FIRST_FD,
    socketFds: accepted.map((_, i) => FIRST_FD + 1 + i),
    portOf,
  });
  await writeFile(join(dir, 'state_dump'), image);
  // The C daemon reads sockets in blocking mode: it takes EAGAIN for the end (readfd in xenstored_core.c).
  for (const socket of accepted) handleOf(socket).setBlocking(true);
  return {
    fds: [server, ...accepted].map((one) => handleOf(one).fd),
    clients,
    release: async () => {
      for (const socket of accepted) socket.destroy();
      // Closing a server removes the name that it was bound to.
      await rename(path, `${path}.kept`);
      await new Promise((resolve) => server.close(resolve));
      await rename(`${path}.kept`, path);
    },
  };
}
