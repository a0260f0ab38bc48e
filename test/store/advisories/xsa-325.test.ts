/**
 * XSA-325: a guest that breaks the ring protocol made the daemon forget the domain.
 *
 * Mechanism: the connection was dropped, and the domain's record with it, so that `@releaseDomain` fired while the domain lived and
 * not when it died. Provoked by a header that promises more than a message may have. Failure: an early event, of which a toolstack
 * makes nothing, since the domain is alive; and none at its end, so that its memory is never freed. The defence ignores the
 * connection and keeps the domain. A socket is closed.
 */
import { describe, expect, it } from 'vitest';
import { headerOf, scripted } from './scripted.ts';

describe.each(['4.17', '4.22'] as const)('XSA-325 (%s)', (compat) => {
  it('whoever breaks the protocol is ignored, stays introduced, and its end is reported', () => {
    const output = scripted(compat, [
      { socket: 'a' },
      { domain: 1 },
      { on: 'a', op: 'WATCH', payload: '@releaseDomain^t^' },
      { on: '1', raw: headerOf(5000) },
      { on: 'a', op: 'IS_DOMAIN_INTRODUCED', payload: '1^' },
      { on: '1', op: 'READ', payload: '/tool^' },
      { destroy: 1 },
    ]);
    expect(output[3]).toEqual([{ on: '1', raw: 16 }]); // and no event
    expect(output[4]).toMatchObject([{ payload: 'T\0' }]);
    expect(output[5]).toEqual([{ on: '1', op: 'READ', dead: true }]);
    expect(
      scripted(compat, [
        { socket: 'a' },
        { domain: 1 },
        { on: 'a', op: 'WATCH', payload: '@releaseDomain^t^' },
        { on: '1', raw: headerOf(5000) },
        { destroy: 1 },
      ])[4],
    ).toEqual([{ destroy: 1 }, { on: 'a', event: '@releaseDomain\0t\0' }]);
  });
});
