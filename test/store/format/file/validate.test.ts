import { describe, expect, it } from 'vitest';
import { pathFault } from '../../../../store/format/file/paths.ts';
import {
  decodeImage,
  encodeImage,
  type FormatFinding,
  type Knobs,
  type StateImage,
  type StateRecord,
  v2,
  validateFile,
} from '../../../../store/format/index.ts';
import { image, imageOf, node, o, ring, streams, unwrap, vector } from '../support.ts';

/** As strict as any reader. */
const ALL: Partial<Knobs> = { privilegedFirst: 'fatal', strictVersionGate: true };

/** The errors of an image that is given as a value. */
function errors(value: StateImage, knobs: Partial<Knobs> = {}, knownPaths: readonly string[] = []): FormatFinding[] {
  const found = validateFile(v2.format, unwrap(encodeImage(value)), knobs, knownPaths);
  return found.filter((one) => one.severity === 'error');
}

const dom0 = ring(1, 0);
const tx: StateRecord = { kind: 'TRANSACTION_DATA', connId: 1, txId: 7 };
const pending = (more: object): StateRecord => ({ ...node('/a', 'v'), connId: 1, txId: 7, access: 3, ...more });
const watch = (more: object): StateRecord => ({
  kind: 'WATCH_DATA',
  connId: 1,
  wpath: o('/a'),
  token: o('t'),
  ...more,
});
const global: StateRecord = { kind: 'GLOBAL_DATA', socketFd: 1, evtchnFd: 2 };
const onPort = (connId: number, domid: number, port: number): StateRecord =>
  ring(connId, domid, { conn: { kind: 'ring', domid, targetDomid: 0x7ff4, port } });
const socket = (connId: number, fd: number): StateRecord => ring(connId, 0, { conn: { kind: 'socket', fd } });
const domain = (domid: number, features = 0): StateRecord => ({ kind: 'DOMAIN_DATA', domid, features, quotas: [] });
const quota: StateRecord = { kind: 'GLOBAL_QUOTA_DATA', domainQuotas: [], globalQuotas: [] };

/** One breach each: the rule, why, the records, the number of the record and the field that is found. */
const BREACHES: readonly (readonly [string, string, readonly StateRecord[], number, string])[] = [
  ['one-global', 'two of them', [global, global], 1, ''],
  ['one-global', 'too late', [dom0, global], 1, ''],
  ['one-quota', 'two of them', [quota, quota], 1, ''],
  ['one-quota', 'too late', [dom0, quota], 1, ''],
  ['conn-id-unique', 'an id twice', [dom0, ring(1, 5)], 1, 'connId'],
  ['conn-id-known', 'a watch of nobody', [dom0, watch({ connId: 2 })], 1, 'connId'],
  ['conn-id-known', 'a watch before its connection', [watch({}), dom0], 0, 'connId'],
  ['conn-id-known', 'a transaction of nobody', [dom0, { ...tx, connId: 9 } as StateRecord], 1, 'connId'],
  ['conn-id-known', 'a pending node of nobody', [dom0, tx, pending({ connId: 9 })], 2, 'connId'],
  ['out-resp-len', 'more rest than output', [ring(1, 0, { outRespLen: 4, outData: o('abc') })], 0, 'outRespLen'],
  ['conn-domain-unique', 'two rings of one domain', [dom0, onPort(2, 0, 7)], 1, 'conn.domid'],
  ['conn-port-unique', 'two rings on one port', [dom0, onPort(2, 5, 100)], 1, 'conn.port'],
  ['conn-fd-unique', 'two sockets on one descriptor', [dom0, socket(2, 9), socket(3, 9)], 2, 'conn.fd'],
  ['conn-fd-other', "the listener's descriptor", [global, dom0, socket(2, 1)], 2, 'conn.fd'],
  ['in-messages', 'input that promises too much', [ring(1, 0, { inData: o('\xff'.repeat(16)) })], 0, 'inData'],
  ['out-messages', 'output that ends early', [ring(1, 0, { outData: o('\0'.repeat(15)) })], 0, 'outData'],
  ['node-value', 'a value that no request brings', [dom0, node('/a', 'v'.repeat(4097))], 1, 'value'],
  ['watch-size', 'a watch that no request brings', [dom0, watch({ token: o('t'.repeat(4094)) })], 1, 'token'],
  ['tx-known', 'a pending node without TRANSACTION_DATA', [dom0, pending({})], 1, 'txId'],
  ['tx-known', 'a transaction of another connection', [dom0, ring(2, 5), tx, pending({ connId: 2 })], 3, 'txId'],
  ['tx-unique', 'a transaction twice', [dom0, tx, tx], 2, 'txId'],
  ['node-unique', 'a path twice', [dom0, node('/a'), node('/b'), node('/a')], 3, 'path'],
  ['pending-unique', 'a path twice in a transaction', [dom0, tx, pending({}), pending({})], 3, 'path'],
  ['parent-first', 'a child before its parent', [dom0, node('/a/b'), node('/a')], 1, 'path'],
  ['node-owner', 'a committed node without permissions', [dom0, node('/a', '', [])], 1, 'perms'],
  ['node-deleted', 'deleted, with permissions', [dom0, tx, pending({ access: 0, value: o('') })], 2, 'perms'],
  ['node-deleted', 'deleted, with a value', [dom0, tx, pending({ access: 0, perms: [] })], 2, 'value'],
  ['node-deleted', 'written, without permissions', [dom0, tx, pending({ perms: [] })], 2, 'access'],
  ['node-path', 'relative', [dom0, node('a')], 1, 'path'],
  ['node-path', 'a space', [dom0, node('/a b')], 1, 'path'],
  ['watch-path', 'empty', [dom0, watch({ wpath: o('') })], 1, 'wpath'],
  ['node-path', 'a NUL', [dom0, node('/a\0')], 1, 'path'],
  ['watch-path', 'a NUL', [dom0, watch({ wpath: o('/a\0b') })], 1, 'wpath'],
  ['inner-nul', 'in a token', [dom0, watch({ token: o('a\0b') })], 1, 'token'],
  ['domain-unique', 'a domain twice', [dom0, domain(0), domain(0)], 2, 'domid'],
  ['privileged-first', 'a node before dom0', [node('/a'), dom0], 0, ''],
  ['domain-known', 'a domain that only DOMAIN_DATA names', [dom0, domain(5)], 1, 'domid'],
  ['version-gate', 'features in version 1', [dom0, domain(0, 2)], 1, 'features'],
  [
    'version-gate',
    'a depth in version 1',
    [dom0, { kind: 'WATCH_DATA_EXTENDED', connId: 1, depth: 0, wpath: o('/a'), token: o('') }],
    1,
    '',
  ],
];

describe('the records of an image', () => {
  it.each(BREACHES)('%s: %s', (rule, _why, records, record, path) => {
    const findings = errors(image(1, ...records), ALL);
    expect(findings.map((finding) => finding.rule)).toEqual([rule]);
    expect(findings[0]).toMatchObject({ record, path, name: records[record]?.kind });
    expect(findings[0]?.offset).toBeGreaterThanOrEqual(16);
  });

  it('every rule has a row that earns it', () => {
    const earned = new Set<string>(BREACHES.map(([rule]) => rule));
    const errorRules = v2.format.rules.filter((rule) => !rule.isNote).map(({ rule }) => rule);
    // A connection of number 0 cannot be written.
    expect(errorRules.filter((rule) => !earned.has(rule))).toEqual(['conn-id-zero']);
  });

  it('rules of some readers only are asked for', () => {
    expect(errors(image(1, node('/a'), domain(5, 2)), { unknownDomain: 'skip' })).toEqual([]);
  });

  it('that one goes on after END is worth a note', () => {
    const bytes = unwrap(encodeImage({ ...image(1), trailing: o('x') }));
    expect(validateFile(v2.format, bytes)).toMatchObject([
      { rule: 'trailing', severity: 'note', offset: 24, record: 1 },
    ]);
  });

  it.each(streams)('$name, written by a daemon, breaks no rule', ({ bytes }) => {
    expect(errors(unwrap(decodeImage(bytes)), ALL)).toEqual([]);
  });

  it('a complete image with every record is sound', () => {
    expect(errors(unwrap(decodeImage(vector('G4.1-FULL'))), ALL)).toEqual([]);
    const records = [
      global,
      quota,
      dom0,
      watch({}),
      tx,
      node('/'),
      node('/a'),
      pending({}),
      pending({ path: o('/b'), access: 0, perms: [], value: o('') }),
      domain(0),
    ];
    expect(errors(image(1, ...records), ALL)).toEqual([]);
  });

  it('a migration image counts on parents that the target has', () => {
    const decoded = unwrap(decodeImage(vector('G4.1-MIG')));
    expect(errors(decoded)).toMatchObject([{ rule: 'parent-first', record: 2 }]);
    expect(errors(decoded, {}, ['/local/domain'])).toEqual([]);
  });

  it('offsets are absolute', () => {
    const bytes = imageOf(2, vector('G3.2-NODE-STALE'), vector('G3.2-NODE-STALE'));
    const findings = errors(unwrap(decodeImage(bytes)));
    expect(findings.map(({ rule, offset }) => [rule, offset])).toEqual([
      ['parent-first', 16],
      ['node-unique', 64],
      ['parent-first', 64],
    ]);
  });

  it('a watch that 4.22 has mutilated is found', () => {
    const findings = errors(unwrap(decodeImage(imageOf(2, vector('BUG-4.22-A')))));
    expect(findings.map((finding) => finding.rule)).toEqual(['conn-id-known', 'watch-path', 'inner-nul']);
  });
});

describe('pathFault', () => {
  it.each([
    ['/', true, true, 'the root'],
    ['/a', true, true, ''],
    ['/A-z0/9_@', true, true, 'every kind of character'],
    ['@releaseDomain', true, true, 'a special node'],
    ['@releaseDomain/5', false, true, 'a special watch for one domain'],
    ['a/b', false, true, 'relative: watches only'],
    ['', false, false, 'empty'],
    ['/a/', false, false, 'a slash at the end'],
    ['/a//b', false, false, 'an empty component'],
    ['//', false, false, 'nothing but slashes'],
    ['/a.b', false, false, 'a character that is not allowed'],
    ['/\xe4', false, false, 'not ASCII'],
    [`/${'a'.repeat(4094)}`, true, true, 'the longest that a request can name'],
    [`/${'a'.repeat(4095)}`, false, false, 'one more'],
    [`/local/domain/5/${'a'.repeat(4095)}`, true, true, 'the home of a domain does not count'],
  ])('%s: as node %s, as watch %s (%s)', (path, asNode, asWatch) => {
    expect(pathFault(path, false) === undefined).toBe(asNode);
    expect(pathFault(path, true) === undefined).toBe(asWatch);
  });
});
