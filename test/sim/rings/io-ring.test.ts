import { describe, expect, it } from 'vitest';
import {
  BackRing,
  FrontRing,
  IO_REQ_PROD,
  IO_RSP_PROD,
  initIoRing,
  mustNotify,
  slotsOf,
} from '../../../sim/io-ring.ts';
import { Frame } from '../../../sim/memory.ts';

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
});
