import type { Actor } from './actor.ts';

/**
 * Where a program writes octets in order: a file, a pipe, the end of a link. Taken is not delivered: who holds them now may
 * lose them.
 */
export interface OctetWriter {
  /** Ends when all are taken; sleeps while there is no room. 'broken': nobody will read, and some may have been taken (EPIPE). */
  write(octets: Uint8Array): Actor<'ok' | 'broken'>;
  /** What was taken is still delivered, and then the reader is at the end. Once; a second close is none. */
  close(): void;
}

/** Where a program reads octets in the order in which they were written. */
export interface OctetReader {
  /** Some of the octets, at least one and at most `max`, which the caller may keep; sleeps while there are none. 'end': the writer
   *  has closed, and all is read. 'broken': whatever carried them is gone, and what was on its way is lost (ECONNRESET, EIO). */
  read(max: number): Actor<Uint8Array | 'end' | 'broken'>;
  /** Nothing is read any more: the writer's next octets are refused. */
  close(): void;
}

/** Both ways, as a process has them that was started with a peer at its standard input and output. */
export interface OctetChannel extends OctetReader, OctetWriter {}

/** `count` octets, in as many reads as it takes. @returns fewer: the end, or what broke, came first. */
export function* readExactly(from: OctetReader, count: number): Actor<Uint8Array> {
  const octets = new Uint8Array(count);
  let have = 0;
  while (have < count) {
    const some = yield* from.read(count - have);
    if (some === 'end' || some === 'broken') return octets.subarray(0, have);
    octets.set(some, have);
    have += some.length;
  }
  return octets;
}
