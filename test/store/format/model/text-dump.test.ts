import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatFailure } from '../../../../store/format/index.ts';
import { carriageOf } from '../../../../store/format/model/carriage.ts';
import { diffStates } from '../../../../store/format/model/diff.ts';
import { assumptionText } from '../../../../store/format/model/losses.ts';
import { reduceState } from '../../../../store/format/model/reduce.ts';
import {
  decodeTextDump,
  encodeTextDump,
  TEXT_DUMP_HEADER,
  textDumpRows,
} from '../../../../store/format/model/text-dump.ts';
import { textFormat } from '../../../../store/format/model/text-format.ts';
import { oxA, oxB, oxC } from '../../../../store/format/model/text-layout.ts';
import { stateOfTextDump, textDumpOfState } from '../../../../store/format/model/text-model.ts';
import { everything, idle, o } from './everything.ts';

const STREAMS = new URL('../../../vectors/streams/', import.meta.url);
const recorded = readdirSync(STREAMS)
  .filter((name) => name.startsWith('oxenstored-'))
  .map((name) => ({ name, octets: new Uint8Array(readFileSync(new URL(name, STREAMS))) }));

const EXAMPLE = `$xenstored-dump-format
global,4
evtchn-dev,7,3
dom,0,0,1,2
dom,5,1044476,1,42
watch,5,646576696365,746f6b
socket,9
watch,-9,4072656c65617365446f6d61696e,6d6f6e
store,2f,6e30,
store,2f666f6f,6e30,
store,2f666f6f2f626172,6e35007230,610062
store,2f4072656c65617365446f6d61696e,6e30,
store,2f40696e74726f64756365446f6d61696e,6e30,
`;

function dumpOf(...lines: readonly string[]) {
  const decoded = decodeTextDump(o([TEXT_DUMP_HEADER, ...lines, ''].join('\n')));
  if (!decoded.ok) throw new Error(formatFailure(decoded.failure));
  return decoded.value;
}

describe("oxenstored's dump", () => {
  it.each(recorded)('$name comes back octet for octet, also by way of the state', ({ octets }) => {
    const decoded = decodeTextDump(octets);
    if (!decoded.ok) throw new Error(formatFailure(decoded.failure));
    expect(decoded.value.warnings).toEqual([]);
    expect(encodeTextDump(decoded.value.dump)).toEqual(octets);
    const { state, warnings } = stateOfTextDump(decoded.value.dump);
    expect(warnings).toEqual([]);
    expect(reduceState(state, carriageOf('Ox-c')).losses).toEqual([]);
    expect(encodeTextDump(textDumpOfState(state, oxC).dump)).toEqual(octets);
  });

  it('says what the daemon knows', () => {
    const decoded = decodeTextDump(o(EXAMPLE));
    if (!decoded.ok) throw new Error(formatFailure(decoded.failure));
    expect(decoded.value.warnings).toEqual([]);
    const { state } = stateOfTextDump(decoded.value.dump);
    const owner = [{ letter: 'n', domid: 0, stale: false }];
    const none = new Uint8Array(0);
    expect(state).toEqual({
      scope: 'update',
      nodes: [
        { path: '/', value: none, acl: owner },
        { path: '/foo', value: none, acl: owner },
        {
          path: '/foo/bar',
          value: o('a\0b'),
          acl: [
            { letter: 'n', domid: 5, stale: false },
            { letter: 'r', domid: 0, stale: false },
          ],
        },
      ],
      specials: [
        { path: '@releaseDomain', value: none, acl: owner },
        { path: '@introduceDomain', value: none, acl: owner },
      ],
      connections: [
        idle({ kind: 'ring', domid: 0, port: 2, guestPort: 1 }),
        {
          ...idle({ kind: 'ring', domid: 5, port: 42, guestPort: 1, mfn: 1044476n }),
          watches: [{ path: 'device', token: o('tok') }],
        },
        { ...idle({ kind: 'socket', fd: 9 }), watches: [{ path: '@releaseDomain', token: o('mon') }] },
      ],
      domains: [],
      listeners: { rw: 4 },
      evtchn: { fd: 7, excPort: 3 },
    });
    expect(encodeTextDump(textDumpOfState(state, oxC).dump)).toEqual(o(EXAMPLE));
  });

  it.each([
    [oxA, ['dom,0,0,1', 'dom,5,1044476,1', 'watch,5,646576696365,746f6b', 'store,2f,6e30,']],
    [oxB, ['global,4', 'dom,0,0,1', 'dom,5,1044476,1', 'watch,5,646576696365,746f6b', 'socket,9']],
    [oxC, ['global,4', 'evtchn-dev,7,3', 'dom,0,0,1,2', 'dom,5,1044476,1,42', 'watch,5,646576696365,746f6b']],
  ])('is written as each dialect has it (#%#)', (layout, lines) => {
    const decoded = decodeTextDump(o(EXAMPLE));
    if (!decoded.ok) throw new Error(formatFailure(decoded.failure));
    const { state } = reduceState(stateOfTextDump(decoded.value.dump).state, layout.carriage);
    const { dump } = textDumpOfState(state, layout);
    expect(
      String.fromCharCode(...encodeTextDump(dump))
        .split('\n')
        .slice(1, lines.length + 1),
    ).toEqual(lines);
  });

  it.each([
    ['', 'offset 23', 'is of no known kind'],
    ['frobnicate,1', 'offset 23', 'is of no known kind'],
    ['global', 'offset 23', 'has 0 fields, not 1'],
    ['global,x', 'offset 30', 'is not a number'],
    ['evtchn-dev,7', 'offset 23', 'has 1 fields, not 2'],
    ['evtchn-dev,7,3,1', 'offset 23', 'has 3 fields, not 2'],
    ['dom,5,12', 'offset 23', 'has 2 fields, not 3'],
    ['dom,5,0xz,1', 'offset 29', 'mfn'],
    ['dom,5,1,1,x', 'offset 33', 'localPort'],
    ['socket,', 'offset 30', 'is not a number'],
    ['watch,0,2f6,zz', 'offset 35', 'is not hexadecimal'],
    ['store,2f,6e30', 'offset 23', 'has 2 fields, not 3'],
    ['store,2f,7830,', 'offset 32', 'are no permissions'],
    ['store,2f,,', 'offset 32', 'are no permissions'],
    ['store,2f,6e3000,', 'offset 32', 'are no permissions'],
    ['store,2f,6e78,', 'offset 32', 'are no permissions'],
  ])('skips %j with a warning, and keeps it', (line, where, reason) => {
    const { dump, warnings } = dumpOf(line, 'socket,1');
    expect(warnings.map(formatFailure)).toEqual([expect.stringContaining(where)]);
    expect(warnings.map(formatFailure)[0]).toContain(reason);
    expect(dump.lines.map(({ kind }) => kind)).toEqual(['skipped', 'socket']);
    expect(encodeTextDump(dump)).toEqual(o(`${TEXT_DUMP_HEADER}\n${line}\nsocket,1\n`));
  });

  it.each([
    ['global,4,5', 'the read-only socket of old'],
    ['dom,5,1,2,3,4', 'more than it needs'],
    ['dom,0x5,-1,1_0', 'numbers as OCaml takes them'],
    ['watch,0,2F,6', 'capitals, and half a pair'],
  ])('takes %s without a warning: %s', (line) => {
    const { dump, warnings } = dumpOf(line);
    expect(warnings).toEqual([]);
    expect(encodeTextDump(dump)).toEqual(o(`${TEXT_DUMP_HEADER}\n${line}\n`));
  });

  it.each([
    [['watch,5,2f,74'], 'there is no connection 5 yet'],
    [['dom,5,1,1', 'watch,5,2f61,74', 'watch,5,2f61,74'], 'the same watch again'],
    [['dom,5,1,1', 'watch,5,2f2f,74'], 'path ends in /'],
    [['dom,5,1,1', 'dom,5,1,1'], 'domain 5 again'],
    [['store,2f61,6e30,', 'store,2f622f63,6e30,'], 'there is no /b yet'],
    [['store,61,6e30,'], 'path is not absolute'],
    [['store,2f61,6e30,414243'], 'value is longer than 2'],
    [['dom,5,1,1', 'watch,5,61,74', 'watch,5,62,74', 'watch,5,63,74'], 'more than 1 watches'],
  ])('goes on from %j', (lines, reason) => {
    const { dump, warnings } = dumpOf(...lines);
    expect(warnings).toEqual([]);
    const limits = { valueBytesMax: 2, watchesMax: 1 };
    const found = stateOfTextDump(dump, limits).warnings;
    expect(found).toHaveLength(1);
    const before = [TEXT_DUMP_HEADER, ...lines.slice(0, -1), ''].join('\n').length;
    expect(found[0]).toMatchObject({ offset: before, record: lines.length - 1, reason });
  });

  it.each(['', '$xenstored-dump', `${TEXT_DUMP_HEADER} \n`, 'global,4\n'])(
    'is nothing with the first line %j',
    (text) => {
      expect(decodeTextDump(o(text))).toMatchObject({ ok: false, failure: { offset: 0, name: 'header' } });
    },
  );

  it('keeps a last line that does not end', () => {
    const octets = o(`${TEXT_DUMP_HEADER}\nsocket,9`);
    const decoded = decodeTextDump(octets);
    expect(decoded.ok && encodeTextDump(decoded.value.dump)).toEqual(octets);
  });

  it.each(recorded)('has each octet of $name once in its annotation', ({ octets }) => {
    let at = 0;
    for (const row of textDumpRows(octets)) {
      expect(row.offset).toBe(at);
      at += row.bytes.length;
    }
    expect(at).toBe(octets.length);
  });

  it('says what had to be made up, and reads it as not known', () => {
    const { state } = reduceState(
      {
        ...everything(),
        connections: [idle({ kind: 'ring', domid: 0 }), idle({ kind: 'ring', domid: 5 })],
        evtchn: { fd: 6 },
      },
      carriageOf('Ox-c'),
    );
    const { dump, assumptions } = textDumpOfState(state, oxC);
    expect(assumptions.map(assumptionText)).toEqual([
      'daemon: port of VIRQ_DOM_EXC not known: written as 0',
      "domain 0: event channel port not known: the guest's is written as 0",
      'domain 5: ring frame number not known: written as 0',
      "domain 5: event channel port not known: the guest's is written as 0",
    ]);
    const back = textFormat(oxC).read(encodeTextDump(dump));
    expect(back.ok && diffStates(state, back.value.state)).toEqual([]);
  });
});
