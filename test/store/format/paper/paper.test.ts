import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { enclosingFormats } from '../../../../store/format/enclosing/formats.ts';
import { type AnyRecord, knobsOf, recordsOf } from '../../../../store/format/file/format.ts';
import { usefulKnobs } from '../../../../store/format/file/useful-knobs.ts';
import { allFormats, formatNamed } from '../../../../store/format/formats.ts';
import { headerOf } from '../../../../store/format/paper/c-header.ts';
import { diagram } from '../../../../store/format/paper/diagram.ts';
import { docOf } from '../../../../store/format/paper/doc.ts';
import { labelOf } from '../../../../store/format/paper/segments.ts';
import { align, cstring, octets, reserved, u8, u16, u32, u64 } from '../../../../store/format/schema/schema.ts';
import { has } from '../../../support/needs.ts';

const formats = [...allFormats(), ...enclosingFormats].map((format) => [format.name, format] as const);

describe('a diagram', () => {
  it('has eight octets a row, and any number after three dots', () => {
    expect(diagram({ connId: u32, wpathLen: u16, tokenLen: u16, wpath: cstring({ length: 'wpathLen' }) })).toBe(
      [
        '    0       1       2       3       4       5       6       7    octet',
        '+-------------------------------+---------------+---------------+',
        '| conn-id                       | wpath-len     | token-len     |',
        '+-------------------------------+---------------+---------------+',
        '| wpath',
        '...',
        '+---------------------------------------------------------------+',
      ].join('\n'),
    );
  });

  it('goes on in the next row with a field that does not end in its own', () => {
    const lines = diagram({ a: u32, mfn: u64, b: u32 }).split('\n');
    expect(lines[2]).toBe('| a                             | mfn                           |');
    expect(lines[4]).toBe('| (mfn)                         | b                             |');
  });

  it('is wider where a name is longer than its cell, and ends where the fields do', () => {
    const lines = diagram({ aVeryLongName: u8, pad: reserved(1) }).split('\n');
    expect(lines[2]).toBe('| a-very-long-name | pad              |');
    expect(new Set([1, 2, 3].map((i) => lines[i]?.length)).size).toBe(1);
  });

  it('tells padding and strings that follow something of any size', () => {
    const text = diagram({ n: u32, s: octets({ length: 'n' }), pad: align(4), t: u32 });
    expect(text).toContain('| padding to a multiple of 4 (0 to 3 octets)');
    expect(text).toMatch(/\+\n\| t {29}\|\n\+-{31}\+$/);
  });
});

describe.each(formats)('the page of %s', (_name, format) => {
  const page = docOf(format);

  it('has a chapter for each record, with every field in its table', () => {
    for (const record of recordsOf(format, knobsOf(format))) {
      expect(page).toContain(`## ${record.name} (${record.type})`);
      for (const name of fieldNames(record.fields)) expect(page, `${record.name}.${name}`).toContain(`| \`${name}\` |`);
    }
  });

  it('names every rule, and every choice', () => {
    for (const { rule, of } of format.rules)
      if (recordsOf(format, knobsOf(format)).some(({ name }) => of.includes(name)))
        expect(page).toContain(`\`${rule}\``);
    for (const knob of usefulKnobs(format)) expect(page).toContain(`| \`${knob}\` |`);
  });

  it('has pictures whose lines are as wide as their borders', () => {
    for (const picture of page.match(/(?<=```\n)[^`]+(?=```)/g) ?? []) {
      const lines = picture.trimEnd().split('\n').slice(1);
      for (const [i, line] of lines.entries())
        if (line.startsWith('| ') && lines[i + 1] !== '...')
          expect(lines[i + 1]?.length, picture).toBeGreaterThanOrEqual(line.length);
    }
  });
});

function fieldNames(fields: AnyRecord['fields']): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    if (field.what === 'list') return [labelOf(name, field), ...fieldNames(field.of)];
    if (field.what === 'variant')
      return [labelOf(name, field), ...Object.values(field.cases).flatMap((one) => fieldNames(one.fields))];
    return [labelOf(name, field)];
  });
}

describe('the page of version 2', () => {
  it('tells what a reader of the document looks for', () => {
    const page = docOf(formatNamed('v2')!);
    for (const fact of [
      '`ident` | 0 | "xenstore"',
      'Bit 0 of `flags` tells the byte order',
      '0x00000008 | WATCH_DATA_EXTENDED (version 2 and up)',
      'The last record is END.',
      'Length of `wpath` in octets, the NUL included.',
      '0: ring, 1: socket; all others reserved.',
      'SET_TARGET peer, or DOMID_INVALID 0x7ff4.',
      'pad(8), u64 if fields bit 0 and conn is ring',
      'Levels below the watched path; 0xffff = unlimited.',
      '0 = unlimited.',
      '`parent-first`',
      'Its own fields are big endian, whatever it announces.',
      'Versions read: 1, 2',
      'in an earlier one it is written as zero, and ignored when read',
      'What another record depends on comes before it.',
      'An image has at least this one.',
      'Live update only',
      'in a migration only that of the migrated domain',
      'has the answer in its output',
      "entry 1 of the domain's grant table",
      'each watch has one of the two',
      'The parent of a committed node is known',
      'A node that a transaction has deleted has no access, no permissions and no value.',
      'The first entry names the owner.',
      'Bit 0: stale',
      'First the defaults of each domain, then what holds for all together.',
      'one that the reader does not know has no effect there, and may be kept',
      'The word at offset 2064 of the ring page',
      'docs/designs/non-cooperative-migration.md',
      'docs/misc/xenstore.txt',
    ])
      expect(page).toContain(fact);
  });

  it('has the names that the document has', () => {
    const page = docOf(formatNamed('v2')!);
    // Names of fields in docs/designs/xenstore-migration.md at 60649eafb52f; data is drawn as its two parts here.
    const names =
      'ident version flags rw-socket-fd evtchn-fd conn-id conn-type fields conn-spec in-data-len out-resp-len out-data-len unique-id domid tdomid evtchn socket-fd wpath-len token-len wpath token depth tx-id path-len value-len access perm-count perm path value n-dom-quota n-glob-quota domain-id n-quota features';
    for (const name of names.split(' ')) expect(page).toContain(`| \`${name}\` |`);
    expect(page.match(/\| `quota-val, quota-names` \|/g)).toHaveLength(2);
  });
});

const canCompile = has('C headers', 'cc');
describe.skipIf(!canCompile)('the C header', () => {
  const compile = (source: string) =>
    spawnSync('cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', '-pedantic', '-fsyntax-only', '-x', 'c', '-'], {
      input: source,
      encoding: 'utf8',
    }).stderr;

  it.each(formats)('of %s compiles, its assertions hold', (_name, format) => {
    expect(compile(headerOf(format))).toBe('');
  });

  it('of different formats can be used together', () => {
    expect(compile(formats.map(([, format]) => headerOf(format)).join('\n'))).toBe('');
  });

  it('has assertions that bark', () => {
    const header = headerOf(formatNamed('v2')!);
    const wrong = header.replace('uint16_t wpath_len;', 'uint32_t wpath_len;');
    expect(wrong).not.toBe(header);
    expect(compile(wrong)).toContain('size of xs_g4_1_watch_data');
  });
});
