import { describe, expect, it } from 'vitest';
import {
  type CompareRuleId,
  compareFormats,
  comparisonText,
  isBreaking,
} from '../../../../store/format/compare/index.ts';
import { hexLines } from '../../../../store/format/compare/report.ts';
import { type Format, readerKnobs } from '../../../../store/format/file/format.ts';
import { decodeFile } from '../../../../store/format/file/reader.ts';
import { formatNamed } from '../../../../store/format/formats.ts';
import { hex } from '../support.ts';
import { ROWS } from './pairs.ts';

function need(name: string): Format {
  const found = formatNamed(name);
  if (found === undefined) throw new Error(`no format ${name}`);
  return found;
}

function finding(rule: CompareRuleId, old: string, fresh: string, path?: string) {
  const found = compareFormats(need(old), need(fresh)).findings.find(
    (one) => one.rule === rule && (path === undefined || one.path === path),
  );
  if (found === undefined) throw new Error(`no ${rule}`);
  return found;
}

function made(rule: CompareRuleId) {
  const row = ROWS.find((one) => one.rule === rule);
  if (row === undefined) throw new Error(`no ${rule}`);
  const [first] = compareFormats(row.old, row.fresh).findings;
  if (first === undefined) throw new Error(`nothing found for ${rule}`);
  return first;
}

describe('a proof', () => {
  it('is a file that the other reader really refuses, there and for that reason', () => {
    const { oldReadsNew } = finding('version-raised', 'G3.2', 'G4.0');
    const read = decodeFile(need('G3.2'), hex(oldReadsNew.octets), readerKnobs(need('G3.2')));
    expect(read).toMatchObject({ ok: false, failure: { offset: 8, reason: 'is 2, expected 1' } });
    expect(oldReadsNew.outcome).toBe('refused at offset 8: header version is 2, expected 1');
    expect(oldReadsNew.marks).toEqual([[8, 12]]);
  });

  it('tells the value that was written and the one that is read', () => {
    expect(made('field-byte-order-changed').oldReadsNew.outcome).toBe('misread: first written 17, read 4352');
    expect(made('int-sign-changed').newReadsOld.outcome).toBe('misread: first written 4294967280, read -16');
  });

  it('tells that a value is read under another name', () => {
    const { oldReadsNew, newReadsOld } = finding('field-replaced', 'G3.1', 'G3.2', 'evtchnFd');
    expect(oldReadsNew.outcome).toBe('misread: evtchnFd 18 is read as roSocketFd');
    expect(newReadsOld.outcome).toBe('misread: roSocketFd 18 is read as evtchnFd');
    expect(oldReadsNew.octets.slice(2 * 28, 2 * 32)).toBe('12000000');
    expect(oldReadsNew.marks).toEqual([[28, 32]]);
  });

  it('tells what is passed over', () => {
    expect(finding('optional-part-added', 'G4.0', 'G4.1').oldReadsNew.outcome).toMatch(/^lost: uniqueId \d+ is lost$/);
    expect(finding('record-added', 'G3.2', 'G4.0').oldReadsNew.outcome).toBe(
      'lost: GLOBAL_QUOTA_DATA is skipped, as its type is not known',
    );
  });

  it('marks both stale flags of two permissions, and nothing between them', () => {
    const { oldReadsNew } = finding('padding-gained-meaning', 'G3.1', 'G3.2', 'perms[].flags');
    expect(oldReadsNew.marks.map(([from, to]) => to - from)).toEqual([1, 1]);
    for (const [from] of oldReadsNew.marks) expect(oldReadsNew.octets.slice(2 * from, 2 * from + 2)).not.toBe('00');
  });

  it('is read behind the header of the writer where the headers themselves differ', () => {
    expect(finding('record-added', 'G3.2', 'G4.0').oldReadsNew.isBodyOnly).toBe(false); // both take version 1
    expect(finding('record-removed', 'G2', 'R1').newReadsOld.isBodyOnly).toBe(true);
  });

  it('names the changes of the same record that may hide it', () => {
    expect(finding('field-redescribed', 'G3.0', 'G3.1').among).toEqual(['field-removed-at-end', 'field-added-at-end']);
    expect(finding('field-replaced', 'G3.1', 'G3.2').among).toEqual([]);
  });
});

it('octets are shown sixteen a line, a mark before each one concerned', () => {
  expect(hexLines('00112233', [[1, 3]])).toEqual(['0000  00>11>22 33']);
  expect(hexLines('ab'.repeat(17), [[16, 17]])[1]).toBe('0010 >ab');
});

describe('a comparison', () => {
  it('is a JSON value', () => {
    const comparison = compareFormats(need('G3.1'), need('G3.2'));
    expect(JSON.parse(JSON.stringify(comparison))).toEqual(comparison);
  });

  it('of a format with itself finds nothing', () => {
    expect(compareFormats(need('C-4.22'), need('C-4.22')).findings).toEqual([]);
  });

  it('breaks in the direction in which a reader goes wrong, and not for what is passed over', () => {
    const comparison = compareFormats(need('G3.2'), need('G4.0'));
    expect(isBreaking(comparison, ['old reads new'])).toBe(true);
    expect(isBreaking(comparison, ['new reads old'])).toBe(false);
    expect(isBreaking(compareFormats(need('G4.0'), need('G4.1')))).toBe(false);
  });

  it('is a text with marked octets and a line for each direction', () => {
    const text = comparisonText(compareFormats(need('G3.1'), need('G3.2')));
    expect(text).toContain('  old reads new (G3.1 reads G3.2): misread: evtchnFd 18 is read as roSocketFd');
    expect(text).toContain('    0010  01 00 00 00 08 00 00 00 11 00 00 00>12>00>00>00');
    expect(text).toMatch(
      /old reads new: breaks \(2\), meaning changes \(1\), compatible \(4\)\nnew reads old: breaks \(3\), meaning changes \(1\), compatible \(3\)\n$/,
    );
  });
});
