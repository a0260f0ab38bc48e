import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConsoleBuffer } from '../../../guests/console/buffer.ts';
import { type ConsoleRecord, consoleIntegrity } from '../../../scenarios/judge/invariants/console.ts';
import { Frame } from '../../../sim/index.ts';
import { ConsoleHost } from '../../support/console-host.ts';

afterEach(() => vi.restoreAllMocks());

interface Options {
  readonly overflow: 'discard' | 'keep';
  readonly limit: number;
  /** The terminal is read so many octets at a time, after so many ms. */
  readonly readEveryMs: number;
}

/** Two guests that write and are typed to at random, then rest. */
function chat(seed: number, { overflow, limit, readEveryMs }: Options) {
  const bench = new ConsoleHost({ seed: String(seed), overflow, limit });
  const draws = bench.host.machine.streams.for('test');
  const text = (max: number) => Uint8Array.from({ length: draws.below(max) }, () => draws.bits() & 0xff);
  const consoles = [1, 2].map((domid) =>
    bench.boot(domid, { disconnected: 'waits', chunkBytes: draws.between(1, 256) }),
  );
  for (let i = 0; i < 40; i++) {
    for (const { guest, tty } of consoles) {
      guest.write(text(draws.oneIn(4) ? 6_000 : 200));
      tty.write('slave', text(120));
    }
    bench.run(readEveryMs);
    for (const { tty } of consoles) tty.read('slave', draws.below(4_000));
  }
  for (let quiet = 0; quiet < 6; quiet++) {
    if (!bench.daemon.isIdle || consoles.some(({ guest }) => !guest.isIdle)) quiet = 0;
    for (const { tty } of consoles) tty.read('slave', 4_096);
    bench.run(50);
  }
  return consoleIntegrity(bench.recorder.history(), true);
}

const DISCARD: Options = { overflow: 'discard', limit: 5_000, readEveryMs: 5 };
const counted = (verdict: ReturnType<typeof chat>) => new Map(verdict.checked);

describe('what a terminal is given is what the guest published', () => {
  it.each(Array.from({ length: 12 }, (_, i) => i + 1))('INV-H6: with discards, seed %i', (seed) => {
    const verdict = chat(seed, DISCARD);
    expect(verdict.violations).toEqual([]);
    expect(counted(verdict).get('octets discarded')).toBeGreaterThan(0);
    expect(counted(verdict).get('octets typed')).toBeGreaterThan(1_000);
  });

  it.each([1, 2, 3, 4])('INV-H6: with back-pressure, seed %i', (seed) => {
    const verdict = chat(seed, { overflow: 'keep', limit: 5_000, readEveryMs: 5 });
    expect(verdict.violations).toEqual([]);
    expect(counted(verdict).get('octets discarded')).toBe(0);
  });
});

/* Each breaks one thing; the verdict must notice. */
describe('a console that is wrong is caught', () => {
  it('loses an octet on its way through the daemon', () => {
    const appends = ConsoleBuffer.prototype.append;
    let n = 0;
    vi.spyOn(ConsoleBuffer.prototype, 'append').mockImplementation(function (this: ConsoleBuffer, bytes) {
      appends.call(this, ++n === 20 ? bytes.subarray(1) : bytes);
    });
    expect(chat(1, DISCARD).violations.length).toBeGreaterThan(0);
  });

  it('discards the oldest octets instead of the middle', () => {
    vi.spyOn(ConsoleBuffer.prototype, 'discard').mockImplementation(function (this: ConsoleBuffer) {
      if (this.size > this.limit) this.advance(Math.min(this.pending.length, 1_000));
    });
    expect(chat(1, DISCARD).violations.length).toBeGreaterThan(0);
  });

  it('takes more than the limit when it is to keep everything', () => {
    vi.spyOn(ConsoleBuffer.prototype, 'size', 'get').mockReturnValue(0);
    const { violations } = chat(1, { overflow: 'keep', limit: 5_000, readEveryMs: 5 });
    expect(violations[0]?.detail).toContain('CON-4');
  });

  it('moves its consumer index one octet too far', () => {
    const stores = Frame.prototype.store32;
    vi.spyOn(Frame.prototype, 'store32').mockImplementation(function (this: Frame, offset, value, byOwner) {
      stores.call(this, offset, offset === 3080 && value > 5_000 ? value - 1 : value, byOwner);
    });
    expect(chat(1, DISCARD).violations.length).toBeGreaterThan(0);
  });

  const octets = (s: string) => Uint8Array.from(s, (c) => c.charCodeAt(0));
  const at = { seq: 0, timeNs: 0, console: 0 } as const;
  const served: ConsoleRecord = { ...at, kind: 'served', limit: 0, overflow: 'discard' };
  const out = (kind: 'publish' | 'consume' | 'tty', s: string): ConsoleRecord => ({
    ...at,
    kind,
    dir: 'out',
    bytes: octets(s),
  });
  const into = (kind: 'publish' | 'consume' | 'tty', s: string): ConsoleRecord => ({
    ...at,
    kind,
    dir: 'in',
    bytes: octets(s),
  });
  const fine = [out('publish', 'ab'), served, out('consume', 'ab'), out('tty', 'a'), out('tty', 'b')];

  it.each<[why: string, records: ConsoleRecord[], atRest: boolean, violations: number]>([
    ['all is well', fine, true, 0],
    ['the rest is not shown', fine.slice(0, -1), true, 1],
    ['the rest is not shown yet', fine.slice(0, -1), false, 0],
    ['nobody serves it any more', [...fine.slice(0, -1), { ...at, kind: 'closed' }], true, 0],
    ['nobody serves it yet', fine.slice(0, 1), true, 0],
    ['an octet is shown twice', [...fine, out('tty', 'b')], true, 1],
    ['octets change places', [...fine.slice(0, 3), out('tty', 'ba')], true, 1],
    ['the daemon takes what was not published', [served, out('consume', 'x'), out('tty', 'x')], true, 1],
    ['input arrives as typed', [served, into('tty', 'ls'), into('publish', 'ls'), into('consume', 'ls')], true, 0],
    ['input is changed', [served, into('tty', 'ls'), into('publish', 'rm'), into('consume', 'rm')], true, 1],
    ['input is not read', [served, into('tty', 'ls'), into('publish', 'ls')], true, 1],
    ['the guest is gone', [served, into('tty', 'lsx'), into('publish', 'ls')], true, 0],
    ['input does not reach the ring', [served, into('tty', 'ls')], true, 1],
    ['the guest reads something else', [served, into('tty', 'a'), into('publish', 'a'), into('consume', 'b')], true, 1],
    [
      'more than 80 octets at a time',
      [served, into('tty', 'a'.repeat(81)), into('publish', 'a'.repeat(81)), into('consume', 'a'.repeat(81))],
      true,
      1,
    ],
  ])('INV-H6: %s', (why, records, atRest, violations) => {
    const verdict = consoleIntegrity(
      {
        consoles: [{ domid: 1, uniqueId: 1n, keepsRing: false, name: 'domU1', isRunning: why !== 'the guest is gone' }],
        records,
      },
      atRest,
    );
    expect(verdict.violations).toHaveLength(violations);
  });

  const LINE = 'Linux version 6.12\n';
  const shown = (...pieces: string[]) =>
    consoleIntegrity(
      {
        consoles: [{ domid: 1, uniqueId: 1n, keepsRing: false, name: 'domU1', isRunning: true }],
        records: [
          served,
          out('publish', LINE.repeat(3)),
          out('consume', LINE.repeat(3)),
          ...pieces.map((piece) => out('tty', piece)),
        ],
      },
      true,
    ).violations.map((v) => v.detail);

  it.each<[what: string, pieces: string[], detail: string]>([
    ['one lost', [LINE.slice(0, 5), `${LINE.slice(6)}${LINE}${LINE}`], '1 octet lost: " " at offset 5; came "version'],
    [
      'a piece lost',
      [LINE, `${LINE.slice(0, 6)}${LINE.slice(14)}`, LINE],
      '8 octets lost: "version " at offset 25; came "6.12\\x0a"',
    ],
    [
      'a piece twice',
      [LINE, LINE.slice(0, 7), `${LINE.slice(3, 7)}${LINE.slice(7)}`, LINE],
      '4 octets came twice: "ux v" at offset 26',
    ],
    [
      'one changed',
      [LINE, `${LINE.slice(0, 4)}X${LINE.slice(5)}`, LINE],
      '1 octet changed at offset 23: expected "x", came "X"',
    ],
    [
      'two changed',
      [LINE, `${LINE.slice(0, 4)}XY${LINE.slice(6)}`, LINE],
      '2 octets changed at offset 23: expected "x ", came "XY"',
    ],
    ['some too many', [LINE, LINE, LINE, '???'], '3 octets came that nobody put in: "???" at offset 57'],
    [
      'the end missing',
      [LINE, LINE],
      '19 octets were taken and not shown at the end: "Linux version 6.12\\x0a" from offset 38 on',
    ],
  ])('tells the octets, each once: %s', (_, pieces, detail) => {
    const details = shown(...pieces);
    expect(details).toHaveLength(1);
    expect(details[0]).toContain(detail);
  });

  it('tells in a whole run which octet went missing', () => {
    const appends = ConsoleBuffer.prototype.append;
    let n = 0;
    vi.spyOn(ConsoleBuffer.prototype, 'append').mockImplementation(function (this: ConsoleBuffer, bytes) {
      appends.call(this, ++n === 20 ? bytes.subarray(1) : bytes);
    });
    expect(chat(1, { ...DISCARD, limit: 0 }).violations[0]?.detail).toMatch(/1 octet lost: ".+" at offset \d+; came "/);
  });
});
