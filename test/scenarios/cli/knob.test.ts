import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-knob-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string) => join(dir, name);
const IMAGE = join(import.meta.dirname, '../../vectors/streams/c-4.22-nodes.bin');

describe('--knob', () => {
  it('shapes what image generate and image convert write, and what the others read', () => {
    const make = (name: string, ...knobs: string[]) =>
      xenarium('image', 'generate', '--format', 'G2', '--seed', '3', '--out', file(name), ...knobs).code;
    expect(make('bare')).toBe(0);
    expect(make('libxl', '--knob', 'g2Framing=libxl')).toBe(0);
    const look = (command: string, ...more: string[]) =>
      xenarium('image', command, file('libxl'), '--format', 'G2', ...more).code;
    for (const command of ['decode', 'annotate', 'validate']) {
      expect(look(command)).toBe(1);
      expect(look(command, '--knob', 'g2Framing=libxl')).toBe(0);
    }
    const back = ['--from', 'G2', '--to', 'G2', '--out', file('back'), '--from-knob', 'g2Framing=libxl'];
    expect(xenarium('image', 'convert', file('libxl'), ...back)).toEqual({ code: 0, out: '', err: '' });
    expect(xenarium('image', 'validate', file('back'), '--format', 'G2').code).toBe(0);
    expect(readFileSync(file('back'))).not.toEqual(readFileSync(file('libxl')));
    const same = [...back, '--knob', 'g2Framing=libxl'];
    expect(xenarium('image', 'convert', file('libxl'), ...same).code).toBe(0);
    const knob = ['--format', 'G2', '--knob', 'g2Framing=libxl'];
    expect(xenarium('image', 'diff', file('libxl'), file('back'), ...knob)).toEqual({ code: 0, out: '', err: '' });
  });

  it('shapes the page, the header and the comparison of a format', () => {
    const plain = xenarium('format', 'doc', 'G2');
    const wrapped = xenarium('format', 'doc', 'G2', '--knob', 'g2Framing=libxl');
    expect([plain.code, wrapped.code]).toEqual([0, 0]);
    expect(wrapped.out).not.toBe(plain.out);
    const header = (...knobs: string[]) => xenarium('format', 'header', 'R1', ...knobs).out;
    expect(header('--knob', 'r1KeepTxRecord=false')).not.toBe(header());
    const compared = xenarium('format', 'compare', 'G2', 'G2', '--new-knob', 'g2Framing=libxl', '--json');
    expect([xenarium('format', 'compare', 'G2', 'G2').code, compared.code]).toEqual([0, 1]);
  });

  it("--as-read takes a file as the format's own reader does", () => {
    const read = (...more: string[]) => xenarium('image', 'validate', file('ext'), '--format', 'C-4.22', ...more);
    // The daemon of 4.22 writes watches with a depth in one wrong way, and reads them in another.
    for (let seed = 1; ; seed++) {
      const made = ['--format', 'C-4.22', '--size', '40', '--seed', String(seed), '--out', file('ext')];
      expect(xenarium('image', 'generate', ...made).code).toBe(0);
      if (/WATCH_DATA_EXTENDED/.test(xenarium('image', 'decode', file('ext'), '--format', 'C-4.22').out)) break;
    }
    expect(read().code).toBe(0);
    expect(read('--as-read').code).toBe(1);
  });

  it('takes transactions, and the number of a domain, as asked for', () => {
    const convert = (...more: string[]) =>
      xenarium('image', 'convert', IMAGE, '--to', 'v2', '--out', file('own'), ...more);
    const { code, err } = convert('--renumber', '1=9');
    expect([code, err]).toEqual([
      1,
      `xenarium: ${IMAGE}: refused: a guest may have kept its domid; --knob renumberDomid=rewrite tries all the same\n`,
    ]);
    const done = convert('--renumber', '1=9', '--knob', 'renumberDomid=rewrite', '--on-loss', 'warn');
    expect(done.code).toBe(0);
    expect(done.err).toContain('lost: domain 1: event channel port dropped: port');
    expect(xenarium('image', 'decode', file('own')).out).toMatch(/ring domid 9 /);
  });

  it('are listed for a format', () => {
    const { format, convert } = JSON.parse(xenarium('format', 'list', '--knobs', 'G2', '--json').out) as {
      readonly format: readonly { readonly name: string; readonly value: unknown; readonly values: unknown[] }[];
      readonly convert: readonly { readonly name: string }[];
    };
    expect(format).toContainEqual(
      expect.objectContaining({ name: 'g2Framing', value: 'bare', values: ['bare', 'libxl'] }),
    );
    expect(convert.map(({ name }) => name)).toEqual(['txAtDump', 'txAfterRestore', 'renumberDomid']);
    expect(xenarium('format', 'list', '--knobs', 'v2').out).toContain('watchExtLayout = doc12\n');
  });

  it.each([
    [['unknownRecord'], '--knob unknownRecord: has to be name=value'],
    [['unknownrecord=fatal'], "there is no choice 'unknownrecord' (did you mean unknownRecord?)"],
    [['unknownRecord=maybe'], 'unknownRecord is one of warn, fatal'],
    [['g2Framing=libxl'], 'makes no difference to G4.1; it has '],
    [['txAtDump=refuse'], 'is for image convert only'],
  ])('%j is bad usage: exit 2', ([knob = ''], reason) => {
    const { code, out, err } = xenarium('image', 'decode', IMAGE, '--knob', knob);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(reason);
  });
});

describe('the place of an image in a saved guest', () => {
  it('is the one asked for, and has to be told to find it again', () => {
    const enclose = (...more: string[]) => xenarium('image', 'enclose', IMAGE, '--out', file('guest'), ...more).code;
    expect(enclose('--embed-type', '0x80000001', '--embed-position', 'before-libxc')).toBe(0);
    expect(xenarium('image', 'extract', file('guest'), '--out', file('out')).code).toBe(1);
    expect(xenarium('image', 'extract', file('guest'), '--embed-type', '0x80000001', '--out', file('out')).code).toBe(
      0,
    );
    expect(readFileSync(file('out'))).toEqual(readFileSync(IMAGE));
    const seen = xenarium('image', 'verify', file('guest'), '--embed-type', '0x80000001').out;
    expect(seen).toBe(`${file('guest')}: XENSTORE_IMAGE, LIBXC_CONTEXT, END\n`);
    expect(enclose('--embed-type', '5')).toBe(2);
  });
});
