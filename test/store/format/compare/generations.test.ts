import { describe, expect, it } from 'vitest';
import {
  COMPARE_RULES,
  type CompareFinding,
  type Comparison,
  compareFormats,
} from '../../../../store/format/compare/index.ts';
import { enclosingFormats } from '../../../../store/format/enclosing/formats.ts';
import { imageRecord } from '../../../../store/format/enclosing/layouts.ts';
import { extend, type Format } from '../../../../store/format/file/format.ts';
import { allFormats, formatNamed } from '../../../../store/format/formats.ts';
import { TEXT_LAYOUTS } from '../../../../store/format/model/text-layout.ts';
import { ALLOWED } from './allowed.ts';
import { FOUND } from './found.ts';

function need(name: string): Format {
  const found = formatNamed(name);
  if (found === undefined) throw new Error(`no format ${name}`);
  return found;
}

const known = new Map<string, Comparison>();

/** The comparison, made once for all tests. */
function compared(old: string, fresh: string): Comparison {
  const key = `${old} ${fresh}`;
  const found = known.get(key) ?? compareFormats(need(old), need(fresh));
  known.set(key, found);
  return found;
}

/** `field-replaced GLOBAL_DATA evtchnFd: misread, misread`. */
function lineOf({ rule, record, path, declared, oldReadsNew, newReadsOld }: CompareFinding): string {
  const place = [rule, record, declared, path].filter((part) => part !== undefined).join(' ');
  return `${place}: ${oldReadsNew.verdict}, ${newReadsOld.verdict}`;
}

describe('from one generation to the next, and to the daemons', () => {
  it.each(Object.entries(FOUND))('%s: what the history tells is found, and nothing else', (names, found) => {
    const [old = '', fresh = ''] = names.split(' ');
    expect(compared(old, fresh).findings.map(lineOf)).toEqual(found);
  });
});

const ALL = allFormats().flatMap((old) => allFormats().map((fresh) => [old.name, fresh.name] as const));
// Formats that all have the same header. Where everything is in another place, it is a matter of taste which of two
// fields that changed places is said to have moved.
const IMAGES = ALL.filter((names) => names.every((name) => need(name).header === need('G3.0').header));

describe('the streams around an image', () => {
  const lines = (old: string, fresh: string) =>
    compareFormats(
      enclosingFormats.find(({ name }) => name === old)!,
      enclosingFormats.find(({ name }) => name === fresh)!,
    ).findings.map(lineOf);

  it('libxl as it is refuses a stream with an image, whatever the number of its record', () => {
    expect(lines('libxl', 'libxl+image')).toEqual(['record-added XENSTORE_IMAGE: refused, same']);
    const optional: Format = extend(enclosingFormats[0]!, { name: 'optional', records: [imageRecord(0x80000007)] });
    expect(compareFormats(enclosingFormats[0]!, optional).findings.map(lineOf)).toEqual([
      'record-added XENSTORE_IMAGE: refused, same', // "the libxl reader nevertheless fails on any unknown type"
    ]);
  });

  it('libxc of version 2 refuses what version 3 brought; what is optional would be skipped', () => {
    expect(lines('libxc-2', 'libxc-3')).toEqual([
      'version-raised: refused, same',
      'record-added STATIC_DATA_END: refused, same',
      'record-added X86_CPUID_POLICY: refused, same',
      'record-added X86_MSR_POLICY: refused, same',
    ]);
    const libxc = enclosingFormats.find(({ name }) => name === 'libxc-3')!;
    const optional: Format = extend(libxc, { name: 'optional', records: [imageRecord(0x80000007)] });
    expect(compareFormats(libxc, optional).findings.map(lineOf)).toEqual(['record-added XENSTORE_IMAGE: lost, same']);
  });
});

describe('from one dialect of the text to the next', () => {
  it('the older daemons skip what the newer write, down to the domains themselves', () => {
    const [a, b, c] = TEXT_LAYOUTS;
    if (a === undefined || b === undefined || c === undefined) throw new Error('assertion: three dialects');
    expect(compareFormats(a, b).findings.map(lineOf)).toEqual([
      'line-added global: lost, same', // 4.15: live update hands over the sockets
      'line-added socket: lost, same',
      'sibling-order-lost store: lost, lost', // 4.15: children became a map
    ]);
    const findings = compareFormats(b, c).findings;
    expect(findings.map(lineOf)).toEqual([
      'line-added evtchn-dev: lost, same', // 9b224c2529
      'line-field-added dom localPort: lost, same',
      'further-fields-ignored dom: lost, same',
    ]);
    expect(findings[1]?.oldReadsNew.outcome).toBe(
      'lost: dom is skipped: has 4 fields, not 3; watch is skipped: there is no connection 5 yet; domain 5 is lost',
    );
  });
});

describe('turned round', () => {
  it.each(IMAGES)('%s and %s come to the same', (a, b) => {
    const [one, other] = [compared(a, b), compared(b, a)];
    expect(one.oldReadsNew).toEqual(other.newReadsOld);
  });
});

describe('the readings', () => {
  it.each(ALL)('from %s to %s come out as the table says, but for changes that hide each other', (a, b) => {
    for (const finding of compared(a, b).findings) {
      const { rule, among, oldReadsNew, newReadsOld } = finding;
      expect(oldReadsNew.verdict, lineOf(finding)).not.toBe('unproven');
      expect(newReadsOld.verdict, lineOf(finding)).not.toBe('unproven');
      if (among.length > 0) continue;
      const told = COMPARE_RULES[rule];
      expect(
        told.oldReadsNew.flatMap((one) => ALLOWED[one]),
        lineOf(finding),
      ).toContain(oldReadsNew.verdict);
      expect(
        told.newReadsOld.flatMap((one) => ALLOWED[one]),
        lineOf(finding),
      ).toContain(newReadsOld.verdict);
    }
  });
});
