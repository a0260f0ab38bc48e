import { describe, expect, it } from 'vitest';
import { isBelow, WatchSlots } from '../../../guests/libxl/watch-slots.ts';

describe("TS-1: a process' watches", () => {
  it('are named by a slot and a count in hex; the table grows by four and more, slots are used again last freed first', () => {
    const slots = new WatchSlots('');
    const taken = Array.from({ length: 5 }, () => slots.take());
    expect(taken.map(({ token }) => token)).toEqual(['3/0', '2/1', '1/2', '0/3', '19/4']);
    const [first, second] = taken;
    if (first === undefined || second === undefined) throw new Error('no slots');
    slots.giveBack(first);
    slots.giveBack(second);
    expect(slots.take().token).toBe('2/5');
    expect(slots.take().token).toBe('3/6');
    for (let i = 7; i < 16; i++) slots.take();
    expect(slots.take().token.split('/')[1]).toBe('10');
  });

  it('are shown the events of their own path and what is below', () => {
    expect(isBelow('/a/b', '/a/b')).toBe(true);
    expect(isBelow('/a/b', '/a/b/c')).toBe(true);
    expect(isBelow('/a/b', '/a/bc')).toBe(false);
    expect(isBelow('/a/b', '/a')).toBe(false);
  });
});
