import { describe, expect, it } from 'vitest';
import { REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD } from '../../../sim/index.ts';
import { BAD_INDEX, moveInSteps, readRing, writeRing } from '../../../store/daemon/ring-io.ts';
import { FakePage } from '../../support/fake-platform.ts';

/** Octets 0, 1, 2, ... in both buffers, 100 of them to be read and none to be consumed by the guest. */
function page(): FakePage {
  const p = new FakePage();
  for (let i = 0; i < 2048; i++) p.bytes[i] = i & 255;
  p.store32(REQ_PROD, 100);
  return p;
}

/** Move 10 octets; `meddle` comes after the access of that number. @returns count and page. */
function moved(way: 'read' | 'write', after: number, meddle: (p: FakePage) => void) {
  const p = page();
  const octets = new Uint8Array(10).fill(0xee);
  const move = moveInSteps(way, p, octets, 0, 10);
  let step = move.next();
  for (let access = 1; step.done !== true; access++) {
    if (access === after) meddle(p);
    step = move.next();
  }
  return { count: step.value, octets, page: p };
}

describe('a move of the daemon, access by access', () => {
  it('does with nobody in between what it does in one step', () => {
    for (const way of ['read', 'write'] as const) {
      const inSteps = moved(way, 0, () => {});
      const p = page();
      const octets = new Uint8Array(10).fill(0xee);
      const count = (way === 'read' ? readRing : writeRing)(p, octets, 0, 10);
      expect([inSteps.count, [...inSteps.octets], [...inSteps.page.bytes]]).toEqual([count, [...octets], [...p.bytes]]);
    }
  });

  it.each([
    [1, 57 + 10, 'after the first load: gets the count added'],
    [2, 57 + 10, 'after both loads: gets the count added'],
    [3, 57 + 10, 'after the copy: gets the count added'],
    [4, 0 + 10, 'between the second load and the store: is lost'],
    [5, 57, 'after the store: stays'],
  ])('MEM-5, INJ-R3: a store of the guest to req_cons in place %i makes it %i, %s', (after, cons) => {
    const { count, octets, page: p } = moved('read', after, (m) => m.store32(REQ_CONS, 57));
    expect([count, octets[0], octets[9]]).toEqual([10, 0, 9]); // what was there at the indexes that were judged
    expect(p.load32(REQ_CONS)).toBe(cons);
  });

  it.each([
    [3, 57 + 10],
    [4, 0 + 10],
    [5, 57],
  ])('MEM-5, INJ-R3: the same for rsp_prod in place %i: %i', (after, prod) => {
    const { page: p } = moved('write', after, (m) => m.store32(RSP_PROD, 57));
    expect(p.load32(RSP_PROD)).toBe(prod);
    expect(p.bytes[1024]).toBe(0xee);
  });

  it('INJ-R3: indexes are judged as they were loaded, each once', () => {
    const impossible = (m: FakePage) => m.store32(REQ_PROD, 5_000);
    expect(moved('read', 1, impossible).count).toBe(BAD_INDEX);
    expect(moved('read', 2, impossible).count).toBe(10);
    expect(moved('write', 1, (m) => m.store32(RSP_PROD, 2_000)).count).toBe(BAD_INDEX);
    expect(moved('write', 2, (m) => m.store32(RSP_CONS, 2_000)).count).toBe(10);
  });

  it('INJ-R5: octets that change between publication and copy are taken as they are then', () => {
    const { octets } = moved('read', 2, (m) => m.bytes.fill(0x77, 0, 5));
    expect([...octets]).toEqual([0x77, 0x77, 0x77, 0x77, 0x77, 5, 6, 7, 8, 9]);
  });
});
