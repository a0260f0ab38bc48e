import { describe, expect, it } from 'vitest';
import { strings, XS } from '../../../guests/index.ts';
import { STORE_BINARY } from '../../../scenarios/engine/host.ts';
import type { History } from '../../../scenarios/judge/history.ts';
import { checkHistory } from '../../../scenarios/judge/invariants/index.ts';
import { HandHost, type HandMade } from '../../support/hand-host.ts';

/*
 * A guest gives the page of its ring back, and something else comes to where it was. The store has the old page until its next
 * live update, and the new one from then on, whose words begin at 0: what it writes there nobody reads. That is the guest's
 * doing (INJ-G10). A store that leaves a page which its guest still has is not excused.
 */

/** A host whose guest has read some answers, and watches a node. */
function watching(): { readonly hand: HandHost; readonly guest: HandMade } {
  const hand = new HandHost({ records: true });
  const guest = hand.boot(1, [['name', '', false]]);
  guest.os.start('watcher', function* (me) {
    for (let i = 0; i < 10; i++) yield* guest.client.request(me, XS.READ, strings('name'));
    yield* guest.client.request(me, XS.WATCH, strings('name', 'token'));
  });
  hand.run(5);
  return { hand, guest };
}

/**
 * Another page is where the ring was, and the guest is suspended with news in the old one. An update maps the new one, and there
 * is more news than fits into a ring.
 */
function exchange(hand: HandHost, { built }: HandMade, meanwhile = () => {}): History {
  const { machine, recorder } = hand.host;
  built.domain.memory.free(built.ring.gfn);
  built.domain.memory.populate(built.ring.gfn);
  machine.shutdown(built.domain, 'suspend');
  hand.write('/local/domain/1/name', 'not read');
  hand.xs(function* (xs) {
    yield* xs.call(XS.CONTROL, strings('live-update', '-f', STORE_BINARY));
    yield* xs.call(XS.CONTROL, strings('live-update', '-s', '-F'));
  });
  meanwhile();
  for (let i = 0; i < 60; i++) hand.write('/local/domain/1/name', `value ${i}`);
  hand.run(5);
  return recorder?.history() as History;
}

const found = (history: History) =>
  checkHistory(history).find(({ invariant }) => invariant === 'ring-octets')?.violations;

describe('a guest whose ring is another page after an update', () => {
  it('is told from one that reads what comes, and nothing is held against the store', () => {
    const { hand, guest } = watching();
    const history = exchange(hand, guest);
    expect(history.records.flatMap((r) => (r.kind === 'page' ? [[r.conn, r.unread]] : []))).toEqual([[1, 0]]);
    expect(found(history)).toEqual([]);
  });

  it('is no excuse for a store that has mapped a page which is not where the guest has its ring', () => {
    const { hand, guest } = watching();
    const { memory } = guest.built.domain;
    const history = exchange(hand, guest, () => memory.place(guest.built.ring, guest.built.ring.gfn));
    expect(history.records.filter(({ kind }) => kind === 'page')).toEqual([]);
    expect(found(history)).toContainEqual(
      expect.objectContaining({
        detail: expect.stringMatching(/^reply producer is \d+ octets ahead of its consumer, of 1024$/),
      }),
    );
  });
});
