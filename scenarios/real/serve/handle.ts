import type { Server, Socket } from 'node:net';

/** What Node keeps behind a socket or a server, as far as it is needed here. */
export interface Handle {
  /** The file descriptor; -1 when closed. */
  readonly fd: number;
  /** Set or clear O_NONBLOCK, which belongs to the open socket and so to every process that has it. */
  setBlocking(blocking: boolean): number;
}

/**
 * The descriptor behind a connected socket or a listening server; Node has no public way to it. Errors: it is closed.
 */
export function handleOf(of: Socket | Server): Handle {
  const { _handle } = of as unknown as { readonly _handle: Handle | null };
  if (_handle === null || _handle.fd < 0) throw new Error('the socket is closed');
  return _handle;
}
