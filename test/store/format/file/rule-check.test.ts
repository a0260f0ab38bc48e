import { describe, expect, it } from 'vitest';
import { Streams } from '../../../../sim/index.ts';
import {
  allFormats,
  damageFile,
  encodeFile,
  FileReader,
  type FormatRecord,
  generateFile,
  knobsOf,
  planOf,
  RuleCheck,
  rulesOf,
  v2,
} from '../../../../store/format/index.ts';
import { node, ring } from '../support.ts';

describe('rules', () => {
  it('say of a record what they would have said before it was taken', () => {
    const draws = new Streams('1').for('test/rule-check');
    const told = new Set<string>();
    for (const format of allFormats()) {
      const rules = rulesOf(format, knobsOf(format, { privilegedFirst: 'fatal' }));
      for (let i = 0; i < 60; i++) {
        const { header, byteOrder, records } = generateFile(format, draws, 12);
        const twice = [...records.slice(0, -1), ...records];
        const encoded = encodeFile(format, { header, byteOrder, records: i % 2 === 0 ? twice : records });
        if (!encoded.ok) continue;
        const octets = i % 3 === 0 ? damageFile(encoded.octets, draws) : encoded.octets;
        const reader = new FileReader(planOf(format), octets, { byteOrder });
        const check = new RuleCheck(rules);
        for (let record = reader.next(); record !== undefined; record = reader.next()) {
          const before = check.breaches(record);
          expect(check.take(record)).toEqual(before);
          for (const { rule } of before) told.add(rule);
        }
      }
    }
    expect([...told]).toEqual(expect.arrayContaining(['conn-id-unique', 'node-unique', 'one-global', 'domain-first']));
  });

  it('do not take what they were only asked about', () => {
    const check = new RuleCheck(rulesOf(v2.format, v2.knobs));
    const rulesBroken = (record: FormatRecord) => check.breaches(record).map(({ rule }) => rule);
    expect(rulesBroken(node('/'))).toEqual([]);
    expect(rulesBroken(node('/a'))).toEqual([]); // the root needs no record
    expect(rulesBroken(node('/a/b'))).toEqual(['parent-first']);
    check.take(node('/a'));
    expect(rulesBroken(node('/a/b'))).toEqual([]);
    expect(rulesBroken(node('/a'))).toEqual(['node-unique']);
  });

  it('leave out what is only worth a note, when asked to', () => {
    const target = ring(1, 1, { conn: { kind: 'ring', domid: 1, targetDomid: 5, port: 1 } });
    const broken = (least: 'note' | 'error') => new RuleCheck(rulesOf(v2.format, v2.knobs, least)).breaches(target);
    expect(broken('note').map(({ rule }) => rule)).toEqual(['target-known']);
    expect(broken('error')).toEqual([]);
  });

  it('hold each file for itself', () => {
    const rules = rulesOf(v2.format, v2.knobs);
    const [one, other] = [new RuleCheck(rules), new RuleCheck(rules, ['/x'])];
    expect(one.take(node('/a'))).toEqual([]);
    expect(other.take(node('/a'))).toEqual([]);
    expect(one.take(node('/x/y')).map(({ rule }) => rule)).toEqual(['parent-first']);
    expect(other.take(node('/x/y'))).toEqual([]);
  });
});
