import { describe, expect, it } from 'vitest';
import { LINUX_HABITS, XS } from '../../../guests/index.ts';
import { type Actor, CONNECTION, REQ_PROD, XENSTORE_RECONNECT } from '../../../sim/index.ts';
import { octets, Peer } from './peer.ts';

/* The ring reconnection feature, docs/misc/xenstore-ring.txt. The test is the store. */

describe('a ring that is to be connected', () => {
  it('is left alone until its word says so, and then requests go out that were made meanwhile', () => {
    const before = (ring: Peer['ring']) => ring.store32(CONNECTION, XENSTORE_RECONNECT, false);
    const peer = new Peer(LINUX_HABITS, { before });
    peer.start('init', (me) => peer.client.untilConnected(me));
    peer.start('early', function* (me): Actor {
      peer.client.submit(me, XS.READ, octets('early^'));
    });
    expect(peer.ring.load32(REQ_PROD)).toBe(0);
    peer.connectAnew();
    expect(peer.drain().map(({ payload }) => payload)).toEqual(['early^']);
  });

  it('is begun anew in the middle of a request: who waits gets EIO, watches are sent again, the rest of the request is not', () => {
    const peer = new Peer(LINUX_HABITS);
    const events: { readonly path: string; readonly token: string }[] = [];
    peer.start('owner', (me): Actor => watch(peer, { events, me }));
    peer.say(XS.WATCH, peer.drain()[0]?.reqId ?? 0, 'OK^');
    const errors: (string | undefined)[] = [];
    peer.start('caller', function* (me): Actor {
      errors.push((yield* peer.client.request(me, XS.WRITE, octets(`p^${'v'.repeat(2_000)}`))).error);
    });
    peer.start('kernel', (me) => peer.client.reconnect(me));
    expect([peer.ring.load32(CONNECTION), errors]).toEqual([XENSTORE_RECONNECT, ['EIO']]);
    peer.connectAnew();
    expect(peer.drain().map(({ type, payload }) => [type, payload.split('^')[0]])).toEqual([[XS.WATCH, 'a']]);
  });
});

function* watch(peer: Peer, queue: Parameters<Peer['client']['watch']>[0]): Actor {
  yield* peer.client.watch(queue, 'a', 't');
}
