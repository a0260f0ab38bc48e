import { describe, expect, it } from 'vitest';
import { BackRing, FrontRing, IO_REQ_PROD, IO_RSP_PROD, initIoRing, mustNotify, slotsOf } from '../../sim/io-ring.ts';
import { Frame } from '../../sim/memory.ts';

const SLOT = 112;

function pair(): { frame: Frame; front: FrontRing; back: BackRing } {
  const frame = new Frame(1);
  initIoRing(frame);
  return { frame, front: new FrontRing(frame, SLOT), back: new BackRing(frame, SLOT) };
}

describe('the request/response ring', () => {
  it('RNG-1: the first item of either side notifies', () => {
    const { front, back } = pair();
    front.fill();
    expect(front.shouldNotify(front.publish())).toBe(true);
    back.take();
    back.fill();
    expect(back.shouldNotify(back.publish())).toBe(true);
  });

  it.each([
    [0, 3, 2, true],
    [0, 3, 3, true],
    [0, 3, 0, false],
    [0, 3, 4, false],
    [0xffff_fffe, 2, 0, true],
    [0xffff_fffe, 2, 0xffff_fffe, false],
  ])('RNG-2: from %i to %i with the threshold at %i: %s', (before, after, event, notify) => {
    expect(mustNotify(before, after, event)).toBe(notify);
  });

  it('RNG-3, RR-a: what is published before the threshold is seen by the final check', () => {
    const { front, back } = pair();
    front.fill();
    front.publish();
    back.take();
    expect(back.pending()).toBe(0);
    front.fill();
    expect(front.shouldNotify(front.publish())).toBe(false);
    back.arm();
    expect(back.pending()).toBe(1);
  });

  it('RNG-6: full means all slots, also where the indexes wrap', () => {
    const frame = new Frame(1);
    const start = 0xffff_fff0;
    frame.store32(IO_REQ_PROD, start, true);
    frame.store32(IO_RSP_PROD, start, true);
    const front = new FrontRing(frame, SLOT, start);
    const back = new BackRing(frame, SLOT, start);
    for (let i = 0; i < 32; i++) front.fill()[0] = i;
    expect(front.free).toBe(0);
    front.publish();
    expect(back.pending()).toBe(32);
    for (let i = 0; i < 32; i++) expect(back.take()[0]).toBe(i);
  });

  it('RNG-8: an index out of reach stops either side', () => {
    const { frame, front, back } = pair();
    frame.store32(IO_REQ_PROD, 33, true);
    frame.store32(IO_RSP_PROD, 33, false);
    expect([front.pending(), back.pending()]).toEqual([-1, -1]);
  });

  it('RNG-9: slots of a page', () => {
    expect([slotsOf(112), slotsOf(12), slotsOf(8)]).toEqual([32, 256, 256]);
  });

  it('RNG-4: if each end stores before it loads, no order of the four accesses loses the wake-up', () => {
    const orders = ['fFbB', 'fbFB', 'fbBF', 'bfFB', 'bfBF', 'bBfF'];
    for (const order of orders) expect([order, wakesOrSees(order)]).toEqual([order, true]);
  });

  it('RNG-4: with the loads before the stores the wake-up can be lost', () => {
    expect(wakesOrSees('FBfb')).toBe(false);
  });

  it('RNG-7: a response goes into the slot of a consumed request, in any order of ids', () => {
    const { front, back } = pair();
    for (const id of [7, 8]) front.fill()[0] = id;
    front.publish();
    const ids = [back.take()[0] ?? 0, back.take()[0] ?? 0];
    for (const id of ids.reverse()) back.fill()[0] = id;
    back.publish();
    expect([front.pending(), front.take()[0], front.take()[0], front.pending()]).toEqual([2, 8, 7, 0]);
  });

  it('RR-b: both the event and the final check tell of the item', () => {
    const { front, back } = pair();
    back.arm();
    front.fill();
    expect(front.shouldNotify(front.publish())).toBe(true);
    expect(back.pending()).toBe(1);
  });

  it('RR-c: three items around the threshold are one event; RR-e: without it they still wait', () => {
    const { front, back } = pair();
    for (let i = 0; i < 3; i++) front.fill();
    const before = front.publish();
    expect([front.shouldNotify(before), back.pending()]).toEqual([true, 3]);
    expect(front.shouldNotify(front.publish())).toBe(false);
  });
});

/**
 * One item against one sleeper, past the first: f, F the frontend's store and load; b, B the backend's.
 * @returns whether the backend gets an event or sees the item.
 */
function wakesOrSees(order: string): boolean {
  const { front, back } = pair();
  front.fill();
  front.publish();
  back.take();
  front.fill();
  let told = false;
  for (const step of order) {
    if (step === 'f') front.publish();
    else if (step === 'F') told ||= front.shouldNotify(1);
    else if (step === 'b') back.arm();
    else told ||= back.pending() > 0;
  }
  return told;
}
