/**
 * XSA-420 (oxenstored on 32-bit machines; the C daemon's lengths are unsigned): a length that became negative.
 *
 * Mechanism: with a length of 0x40000000 and above the packet could not be made, its header stayed in the ring, and the next pass
 * met it again. Provoked by one such header. Failure: the daemon does nothing else any more. The defence is the limit that every
 * length is held against once, before anything is made of it: who exceeds it is ignored, a socket closed.
 */
import { describe, expect, it } from 'vitest';
import { headerOf, scripted } from './scripted.ts';

describe.each(['4.17', '4.22'] as const)('XSA-420 (%s)', (compat) => {
  it.each([4097, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff])(
    'a header that promises %i octets ends its sender’s service, and nobody else’s',
    (length) => {
      const output = scripted(compat, [
        { socket: 'a' },
        { socket: 'b' },
        { domain: 1 },
        { on: 'b', raw: headerOf(length) },
        { on: '1', raw: headerOf(length) },
        { on: 'a', op: 'WRITE', payload: '/x^v' },
        { on: '1', op: 'READ', payload: '/x^' },
      ]);
      expect(output[3]).toEqual([
        { on: 'b', raw: 16 },
        { on: 'b', closed: true },
      ]);
      expect(output[5]).toMatchObject([{ reply: 'WRITE' }]);
      expect(output[6]).toEqual([{ on: '1', op: 'READ', dead: true }]);
    },
  );
});
