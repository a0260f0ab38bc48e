import { describe, expect, it } from 'vitest';
import type { Domid, Gfn, Gref, Handle, Port } from '../../sim/index.ts';

/** Says it all when it is compiled: `npm run check` fails on an expectation that is not met. */
describe('an id', () => {
  const domid: Domid = 5;
  const port: Port = 7;

  it('is a number, and a number is one', () => {
    const next: Domid = domid + 1;
    expect(next).toBe(6);
  });

  it('is of its kind only', () => {
    // @ts-expect-error: a port is no domid
    const a: Domid = port;
    // @ts-expect-error: a domid is no port
    const b: Port = domid;
    // @ts-expect-error: nor a grant reference
    const c: Gref = domid;
    // @ts-expect-error: nor a frame number
    const d: Gfn = c;
    // @ts-expect-error: nor a handle
    const e: Handle = d;
    expect([a, b, c, d, e]).toEqual([7, 5, 5, 5, 5]);
  });
});
