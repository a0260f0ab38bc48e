import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { xenarium } from '../../support/cli.ts';

const IMAGE = resolve(import.meta.dirname, '../../vectors/streams/c-4.22-nodes.bin');
const dir = mkdtempSync(join(tmpdir(), 'xenarium-enclose-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const at = (name: string) => join(dir, name);

describe.each(['libxl', 'xl'])('an image in a saved guest (%s)', (layer) => {
  const guest = at(`guest.${layer}`);

  it('goes in and comes out as it was', () => {
    expect(xenarium('image', 'enclose', IMAGE, '--as', layer, '--out', guest).code).toBe(0);
    expect(xenarium('image', 'extract', guest, '--out', at('back'))).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(at('back')).equals(readFileSync(IMAGE))).toBe(true);
    expect(xenarium('image', 'verify', guest)).toMatchObject({
      code: 0,
      out: `${guest}: LIBXC_CONTEXT, XENSTORE_IMAGE, END\n`,
    });
  });

  it('is replaced by another one', () => {
    writeFileSync(at('other'), 'another image');
    expect(xenarium('image', 'enclose', at('other'), '--into', guest, '--out', at('two')).code).toBe(0);
    expect(xenarium('image', 'extract', at('two'), '--out', at('back')).code).toBe(0);
    expect(readFileSync(at('back'), 'utf8')).toBe('another image');
    expect(xenarium('image', 'extract', at('two'), '--nth', '2', '--out', at('none'))).toMatchObject({ code: 1 });
  });

  it('is refused with offset and reason when the guest is broken', () => {
    const octets = readFileSync(guest);
    writeFileSync(at('short'), octets.subarray(0, octets.length - 4));
    const { code, err } = xenarium('image', 'extract', at('short'), '--out', at('none'));
    expect(code).toBe(1);
    expect(err).toMatch(/offset \d+ \(0x[0-9a-f]+\), record 2/);
  });
});

it('what is no saved guest, or is not there, is told', () => {
  expect(xenarium('image', 'verify', IMAGE).err).toMatch(/offset 0 .*ident/);
  expect(xenarium('image', 'verify', at('absent'))).toMatchObject({ code: 2 });
});
