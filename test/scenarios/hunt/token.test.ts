import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';
import { fromBase32, toBase32 } from '../../../scenarios/hunt/base32.ts';
import { formatToken, parseToken, type Ticket, ticketOf } from '../../../scenarios/hunt/token.ts';

const [headline] = SCENARIOS;
const TICKET: Ticket = {
  spec: {
    scenario: headline!.name,
    seed: '123456789012345678',
    format: './my formät.ts',
    settings: completeSettings(headline!.settings, { requests: 77, faults: 'all,-INJ-G5' }),
    cuts: { requests: { 'domU0/worker0': '3@120500,7@130000=12' }, updatesAtNs: [1, 2_000_000], pace: 'even' },
  },
  version: '0.1.0',
  digest: '0123456789abcdef',
  events: 812,
};
const FIELDS = { scenario: headline!.name, version: '', seed: '1', format: 'v2', set: {}, digest: '', events: 0 };

describe('a token', () => {
  it('says all of a run, in either case', () => {
    const token = formatToken(TICKET, SCENARIOS);
    expect(token).toMatch(/^XS1-[0-9A-HJKMNP-TV-Z]+$/);
    expect(parseToken(token, SCENARIOS)).toEqual({ ok: true, value: TICKET });
    expect(parseToken(token.toLowerCase(), SCENARIOS)).toEqual({ ok: true, value: TICKET });
  });

  it('is found out when a character is wrong or missing, whichever it is', () => {
    const token = formatToken(TICKET, SCENARIOS);
    for (let at = 4; at < token.length; at++) {
      const other = token[at] === '0' ? '1' : '0';
      expect(parseToken(token.slice(0, at) + other + token.slice(at + 1), SCENARIOS).ok, `character ${at}`).toBe(false);
      expect(parseToken(token.slice(0, at), SCENARIOS).ok, `cut at ${at}`).toBe(false);
    }
  });

  it.each([
    ['XS2-00', 'begins with XS1-'],
    ['XS1-', 'no token has'],
    ['XS1-UU', 'no token has'],
    ['XS1-0000000000000000', 'checksum'],
  ])('%s is none: %s', (word, reason) => {
    expect(parseToken(word, SCENARIOS)).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });

  it.each([
    [{ scenario: 'gone' }, "no scenario 'gone'"],
    [{ seed: '01' }, "not '01'"],
    [{ set: { domains: 0 } }, 'domains is a whole number from 1'],
    [{ set: { other: 1 } }, 'has the settings'],
    [{ cuts: { requests: { x: '1' } } }, 'requests of x: 1'],
    [{ cuts: { updatesAtNs: [-1] } }, 'whole virtual ns'],
    [{ cuts: { pace: 'slow' } }, 'no pace slow'],
  ])('that asks for what there is not is refused with a reason: %j', (change, reason) => {
    const refused = ticketOf({ ...FIELDS, ...(change as object) }, SCENARIOS);
    expect(refused).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });
});

describe('base32', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 9])('gives %d octets back', (length) => {
    const octets = Uint8Array.from({ length }, (_, i) => 255 - i * 7);
    expect(fromBase32(toBase32(octets))).toEqual(octets);
  });
});
