import { writeSync } from 'node:fs';

/**
 * Write what a client's kernel buffer takes now. @returns the count, 0 if there is no room; 'gone': nobody reads any more.
 * Errors: everything else, which no client can bring about. Source: send(2), unix(7).
 */
export function send(fd: number, bytes: Uint8Array, write: typeof writeSync = writeSync): number | 'gone' {
  for (;;) {
    try {
      return write(fd, bytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EINTR') continue; // a signal came before the first octet left
      if (code === 'EAGAIN') return 0;
      if (code === 'EPIPE' || code === 'ECONNRESET') return 'gone'; // it has closed, with or without something unread
      throw new Error(`writing to a client on descriptor ${fd}: ${code ?? String(error)}`, { cause: error });
    }
  }
}
