import { describe, expect, it } from 'vitest';
import { encodeImage, formatFailure, type StateRecord, v2, validateFile } from '../../../store/format/index.ts';
import { LAB_FORMATS } from '../../../store/format/model/index.ts';
import { restoreState } from '../../../store/live-update/restore.ts';
import { FakeStream } from '../../support/fake-platform.ts';
import { tryHostileImage } from '../../support/hostile-images.ts';
import { node, o, ring } from '../format/support.ts';
import { Bench } from '../harness.ts';

/** Hostile images of each format; .ci/run may ask for more. */
const IMAGES = Number(process.env.XENARIUM_HOSTILE ?? 6);

/** A message's header that promises so many octets, and so many behind it. */
function message(promised: number, present: number): Uint8Array {
  const bytes = new Uint8Array(16 + present);
  new DataView(bytes.buffer).setUint32(12, promised, true);
  return bytes;
}

const END = { kind: 'END' } as const;
const ROOT = node('/');
const GLOBAL = { kind: 'GLOBAL_DATA', socketFd: 4, evtchnFd: 7 } as const;
const TARGET = 0x7ff4;

function socket(connId: number, fd: number): StateRecord {
  return { ...ring(connId, 0), conn: { kind: 'socket', fd } };
}

const REFUSED: readonly (readonly [why: string, records: readonly StateRecord[], found: string])[] = [
  [
    'input that promises more than 4,096 octets, with more than 4,096 present',
    [ring(1, 0), ring(2, 1, { inData: message(5000, 5000) }), ROOT],
    'CONNECTION_DATA, inData: has a message at 0 that promises 5000 octets, more than 4096',
  ],
  [
    'the same behind a whole message',
    [ring(1, 0), ring(2, 1, { inData: o(`${'\0'.repeat(16)}${'\xff'.repeat(16)}`) }), ROOT],
    'CONNECTION_DATA, inData: has a message at 16 that promises 4294967295 octets, more than 4096',
  ],
  [
    'output that ends within a message',
    [ring(1, 0, { outRespLen: 3, outData: o(`abc${'\0'.repeat(20)}`) }), ROOT],
    'CONNECTION_DATA, outData: ends within a message, which begins at 19',
  ],
  [
    'a rest that is longer than the output',
    [ring(1, 0, { outRespLen: 9, outData: o('') }), ROOT],
    'CONNECTION_DATA, outRespLen: is 9, more than the 0 octets of outData',
  ],
  ['two rings of one domain', [ring(1, 0), ring(2, 0), ROOT], 'CONNECTION_DATA, conn.domid: conn.domid 0 again'],
  [
    'two rings with one port',
    [ring(1, 0), { ...ring(2, 5), conn: { kind: 'ring', domid: 5, targetDomid: TARGET, port: 100 } }, ROOT],
    'CONNECTION_DATA, conn.port: conn.port 100 again',
  ],
  ['two sockets with one descriptor', [socket(1, 10), socket(2, 10), ROOT], 'conn.fd: conn.fd 10 again'],
  [
    "a client with the listener's descriptor",
    [GLOBAL, ring(1, 0), socket(2, 4), ROOT],
    'CONNECTION_DATA, conn.fd: is 4, as is GLOBAL_DATA socketFd',
  ],
  [
    'a watch that no request can have brought',
    [ring(1, 0), { kind: 'WATCH_DATA', connId: 1, wpath: o('/a'), token: o('t'.repeat(4093)) }, ROOT],
    'WATCH_DATA, token: and wpath have 4095 octets, more than 4094',
  ],
  [
    'a watch of nobody',
    [ring(1, 0), { kind: 'WATCH_DATA', connId: 9, wpath: o('/a'), token: o('t') }, ROOT],
    'WATCH_DATA, connId: no earlier record tells connId 9',
  ],
  [
    'a value that no request can have brought',
    [ring(1, 0), ROOT, node('/a', 'v'.repeat(4097))],
    'NODE_DATA, value: has 4097 octets, more than 4096',
  ],
  ['a node without a name', [ring(1, 0), ROOT, node('')], 'NODE_DATA, path: is empty'],
  ['a node without an owner', [ring(1, 0), ROOT, node('/a', '', [])], 'NODE_DATA, perms: is empty or zero'],
];

describe('an image whose octets are sound and whose fields are hostile', () => {
  it.each(REFUSED)('%s: refused by the restore as by validate, with offset and field', (_, records, found) => {
    const image = encodeImage({ version: 2, bigEndian: false, records: [...records, END] });
    if (!image.ok) throw new Error(formatFailure(image.failure));
    const [error] = validateFile(v2.format, image.value).filter(({ severity }) => severity === 'error');
    const told = error && formatFailure(error);
    expect(told).toContain(found);
    expect(told).toMatch(/^offset [0-9]+ \(0x/);
    const { platform, state } = new Bench();
    const sockets = new Map([10, 4].map((fd) => [fd, new FakeStream(fd)]));
    expect(restoreState(image.value, platform, state.options, sockets)).toEqual({ ok: false, reason: told });
  });

  it('is refused if nothing tells of the root: nobody could use such a store', () => {
    const image = encodeImage({ version: 2, bigEndian: false, records: [ring(1, 0), END] });
    if (!image.ok) throw new Error(formatFailure(image.failure));
    const { platform, state } = new Bench();
    const reason = `offset ${image.value.length} (0x${image.value.length.toString(16)}), record 1 END: no record tells of the node /`;
    expect(restoreState(image.value, platform, state.options, new Map())).toEqual({ ok: false, reason });
  });

  it.each(LAB_FORMATS)(
    '$name: either the old store goes on and says why, or the new one survives all that a host can do',
    (lab) => {
      const counts = { refused: 0, accepted: 0 };
      for (let seed = 1; seed <= IMAGES; seed++) {
        const { outcome, reason, changes } = tryHostileImage(lab, String(seed));
        counts[outcome]++;
        const where =
          /^offset [0-9]+ .*record|^record [0-9]+ of what the files say|restoring node|no record tells of the node/;
        if (outcome === 'refused') expect(reason, changes.join('; ')).toMatch(where);
      }
      expect(counts.refused + counts.accepted).toBe(IMAGES);
    },
    60_000 + IMAGES * 1_000,
  );
});
