import { describe, expect, it } from 'vitest';
import { decodeImage, encodeImage, escapeOctets, octetsOf, textOf } from '../../../../store/format/index.ts';
import { stateJson } from '../../../../store/format/model/diff.ts';
import { dumpImage, permsText } from '../../../../store/format/model/image-view.ts';
import { image, node, o, ring, stream, unwrap, vector } from '../support.ts';

describe('dumpImage', () => {
  it('shows a stream of 4.17', () => {
    expect(dumpImage(stream('c-4.17-empty.bin'))).toBe(`\
00000000 xenstore image version 1, little endian, 344 octets
00000010 GLOBAL_DATA len 8: socket fd 3, evtchn fd 6
00000020 CONNECTION_DATA len 24: conn 1 ring domid 0 port 100, in 0, out 0 (0 of a half-written message)
00000040 CONNECTION_DATA len 48: conn 2 socket fd 11, in 0, out 19 (0 of a half-written message)
         out CONTROL req_id 2 tx_id 0 len 3 "OK\\000"
00000078 NODE_DATA len 40: "@releaseDomain" = "" [n0]
000000a8 NODE_DATA len 40: "@introduceDomain" = "" [n0]
000000d8 NODE_DATA len 24: "/" = "" [n0]
000000f8 NODE_DATA len 32: "/tool" = "" [n0]
00000120 NODE_DATA len 40: "/tool/xenstored" = "" [n0]
00000150 END len 0
total: 9 records (2 CONNECTION_DATA, 1 END, 1 GLOBAL_DATA, 5 NODE_DATA)
`);
  });

  it.each([
    ['c-4.17-nodes.bin', '"/perm" = "v" [b0 r1 w2 n5(stale) b7(stale)]'],
    ['c-4.17-nodes.bin', '"\\000\\001\\002\\003\\004\\005\\006\\007\\010\\t\\n\\013\\014\\r\\016'],
    ['c-4.17-watches.bin', 'conn 3 "data" token "rel-token"'],
    ['c-4.17-watches.bin', 'conn 4 ring domid 2 target 1 port 102'],
    ['c-4.17-pending_out.bin', 'out rest of a message, 492 octets "LLLL'],
    ['c-4.17-pending_out.bin', 'out READ req_id 6 tx_id 0 len 1500 "LLLL'],
    ['c-4.17-pending_out.bin', 'out WATCH_EVENT req_id 0 tx_id 0 len 22 "/local/domain/2/k59\\000w\\000"'],
    ['c-4.22-partial_in.bin', 'in  partial header, 9 of 16 octets "\\013\\000\\000\\000M\\000\\000\\000\\000"'],
    ['c-4.22-partial_in.bin', 'in  WRITE req_id 78 tx_id 0 len 110 partial, 44 octets of the body "data/half\\000hh'],
    ['c-4.22-nodes.bin', 'conn 4 ring domid 2 port 102, unique id 0x3'],
    ['c-4.22-empty.bin', 'domid 0, features 0xe, nodes=1000 watches=128 outstanding=20'],
  ])('%s has a line with %s', (name, text) => {
    expect(dumpImage(stream(name))).toContain(text);
  });

  it('shows what only the format can hold', () => {
    const bytes = unwrap(
      encodeImage({
        ...image(
          2,
          ring(1, 5, { fields: 0x8000, inData: o('\x63\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0') }),
          { kind: 'WATCH_DATA_EXTENDED', connId: 1, depth: 2, wpath: o('/a'), token: o('"\\') },
          { kind: 'WATCH_DATA_EXTENDED', connId: 1, depth: 0xffff, wpath: o('/b'), token: o('') },
          { kind: 'TRANSACTION_DATA', connId: 1, txId: 7 },
          { ...node('/a', 'x'), connId: 1, txId: 7, access: 3 },
          { ...node('/b', '', []), connId: 1, txId: 7 },
          { kind: 'GLOBAL_QUOTA_DATA', domainQuotas: [], globalQuotas: [{ name: o('g'), value: 0 }] },
          { kind: 'UNKNOWN', type: 99, body: o('abc') },
        ),
        trailing: o('xyz'),
        bigEndian: false,
      }),
    );
    const text = dumpImage(bytes);
    for (const part of [
      'port 105, fields 0x8000, in 16',
      'in  type 99 req_id 1 tx_id 2 len 0 ""',
      '"/a" token "\\"\\\\" depth 2',
      '"/b" token "" depth unlimited',
      'TRANSACTION_DATA len 8: conn 1 tx 7',
      '"/a" = "x" [n0] pending in conn 1 tx 7: read, written',
      '"/b" = "" [] pending in conn 1 tx 7: deleted',
      'domain no quotas; global g=0',
      'UNKNOWN len 3: type 99, body "abc"',
      'trailing: 3 octets after END',
    ])
      expect(text).toContain(part);
  });

  it('reads buffered messages in the byte order of the image', () => {
    const value = { ...image(2, ring(1, 5, { outData: o('\0\0\0\x0b\0\0\0\x01\0\0\0\0\0\0\0\0') })), bigEndian: true };
    expect(dumpImage(unwrap(encodeImage(value)))).toContain('out WRITE req_id 1 tx_id 0 len 0 ""');
  });

  it('ends in the failure, after all that could be read', () => {
    const text = dumpImage(stream('c-4.17-empty.bin').subarray(0, 0x60));
    expect(text.split('\n').slice(2)).toEqual([
      '00000020 CONNECTION_DATA len 24: conn 1 ring domid 0 port 100, in 0, out 0 (0 of a half-written message)',
      'failure: offset 68 (0x44), record 2 CONNECTION_DATA, len: is 48, 24 octets left for body and padding',
      'total: 2 records (1 CONNECTION_DATA, 1 GLOBAL_DATA)',
      '',
    ]);
    expect(dumpImage(o('no image'))).toBe(
      'failure: offset 0 (0x0), header, ident: is not "xenstore"\ntotal: 0 records\n',
    );
  });
});

describe('stateJson', () => {
  it('has octets as strings and 64 bits as digits', () => {
    const json = stateJson(image(2, ring(1, 5, { uniqueId: 2n ** 64n - 1n, outData: o('\0\xff') })));
    expect(JSON.parse(JSON.stringify(json))).toEqual({
      version: 2,
      bigEndian: false,
      records: [
        {
          kind: 'CONNECTION_DATA',
          connId: 1,
          conn: { kind: 'ring', domid: 5, targetDomid: 0x7ff4, port: 105 },
          inData: '',
          outRespLen: 0,
          outData: '\0\u00ff',
          uniqueId: '18446744073709551615',
        },
        { kind: 'END' },
      ],
    });
  });

  it('loses nothing of a recorded stream', () => {
    const decoded = unwrap(decodeImage(stream('c-4.17-nodes.bin')));
    const json = stateJson(decoded) as { records: { path?: string; value?: string }[] };
    for (const [i, record] of decoded.records.entries())
      if (record.kind === 'NODE_DATA') expect(octetsOf(json.records[i]?.value ?? '')).toEqual(record.value);
  });
});

describe('text', () => {
  it.each([
    ['', '""'],
    ['a"\\b', '"a\\"\\\\b"'],
    ['\t\n\r\0', '"\\t\\n\\r\\000"'],
    ['\x001', '"\\0001"'],
    ['\x7f\x80\xff', '"\\177\\200\\377"'],
  ])('escapeOctets(%j) is %s', (text, expected) => {
    expect(escapeOctets(o(text))).toBe(expected);
  });

  it('says so when it shows a part', () => {
    expect(escapeOctets(o('abcdef'), 2)).toBe('"ab"...(6 octets)');
  });

  it('strings and octets correspond one to one', () => {
    const all = Uint8Array.from({ length: 10_000 }, (_, i) => i & 255);
    expect(octetsOf(textOf(all))).toEqual(all);
    expect(textOf(all).length).toBe(10_000);
  });

  it('permissions show what is unusual', () => {
    expect(
      permsText([
        { letter: 'n', flags: 0, domid: 5 },
        { letter: 'r', flags: 1, domid: 9 },
        { letter: 'w', flags: 0x83, domid: 1 },
        { letter: 'n', letterOctet: 120, flags: 0, domid: 2 },
      ]),
    ).toBe('n5 r9(stale) w1(stale)(flags 0x82) n(octet 120)2');
  });

  it('a vector of the daemon dumps without failure', () => {
    expect(dumpImage(vector('CAP-4.17'))).toContain('"/foo/bar" = "world" [n0]');
  });
});
