import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import { textReport } from '../../../scenarios/report/text.ts';
import type { ConnectionData, StateRecord } from '../../../store/format/index.ts';
import { messageEnd, messageType } from '../../../store/protocol/wire.ts';
import { broken, headline, tamper } from '../../support/headline.ts';

/*
 * An invariant is trusted only after it was seen to fail. Each row breaks the store in one place, by handing the successor
 * another state than the predecessor had, and says which checker must bark. Not every live update meets the state that a row
 * breaks, so a row may need several seeds; it fails if none of them shows the damage.
 */

/** Whole messages of a connection's output. */
function messages(record: ConnectionData): { readonly at: number; readonly end: number; readonly type: number }[] {
  const { outData } = record;
  const found = [];
  let at = record.outRespLen;
  for (let end = messageEnd(outData, at); end !== undefined; end = messageEnd(outData, at)) {
    found.push({ at, end, type: messageType(outData, at) });
    at = end;
  }
  return found;
}

const cut = (bytes: Uint8Array, from: number, to: number) =>
  Uint8Array.of(...bytes.subarray(0, from), ...bytes.subarray(to));

interface Mutant {
  readonly why: string;
  readonly bites: string;
  readonly change: (record: StateRecord, index: number) => StateRecord | undefined;
}

const onRing = (change: (record: ConnectionData) => ConnectionData) => (record: StateRecord) =>
  record.kind === 'CONNECTION_DATA' && record.conn.kind === 'ring' ? change(record) : record;

const onSocket = (change: (record: ConnectionData) => ConnectionData) => (record: StateRecord) =>
  record.kind === 'CONNECTION_DATA' && record.conn.kind === 'socket' ? change(record) : record;

/** Of an image: a connection's records come before those of its watches. */
function ofSocketsOnly(change: (record: StateRecord) => StateRecord | undefined): Mutant['change'] {
  const sockets = new Set<number>();
  return (record) => {
    if (record.kind === 'CONNECTION_DATA') {
      if (record.conn.kind === 'socket') sockets.add(record.connId);
      else sockets.delete(record.connId);
      return record;
    }
    return 'connId' in record && sockets.has(record.connId) ? change(record) : record;
  };
}

const MUTANTS: readonly Mutant[] = [
  {
    why: 'forgets the octets of a half-read request',
    bites: 'replies',
    change: onRing((r) => ({ ...r, inData: new Uint8Array(0) })),
  },
  {
    why: 'forgets the rest of a half-written reply',
    bites: 'ring-octets',
    change: onRing((r) => ({ ...r, outData: r.outData.subarray(r.outRespLen), outRespLen: 0 })),
  },
  {
    why: 'sends a half-written reply once more from one octet before',
    bites: 'ring-octets',
    change: onRing((r) =>
      r.outRespLen === 0 ? r : { ...r, outData: Uint8Array.of(0, ...r.outData), outRespLen: r.outRespLen + 1 },
    ),
  },
  {
    why: 'loses a queued reply',
    bites: 'replies',
    change: onRing((r) => {
      const m = messages(r).find((x) => x.type !== 15);
      return m === undefined ? r : { ...r, outData: cut(r.outData, m.at, m.end) };
    }),
  },
  {
    why: 'sends a queued reply twice',
    bites: 'replies',
    change: onRing((r) => {
      const m = messages(r).find((x) => x.type !== 15);
      return m === undefined ? r : { ...r, outData: Uint8Array.of(...r.outData, ...r.outData.subarray(m.at, m.end)) };
    }),
  },
  {
    why: 'loses a queued watch event',
    bites: 'watch-events',
    change: onRing((r) => {
      const m = messages(r).find((x) => x.type === 15);
      return m === undefined ? r : { ...r, outData: cut(r.outData, m.at, m.end) };
    }),
  },
  {
    why: "forgets the rest of a half-written message of a program's socket",
    bites: 'ring-octets',
    change: onSocket((r) => ({ ...r, outData: r.outData.subarray(r.outRespLen), outRespLen: 0 })),
  },
  {
    why: "sends a half-written message of a program's socket from its start once more",
    bites: 'ring-octets',
    change: onSocket((r) =>
      r.outRespLen === 0
        ? r
        : { ...r, outData: Uint8Array.of(...new Uint8Array(16), ...r.outData), outRespLen: r.outRespLen + 16 },
    ),
  },
  {
    why: "loses a queued watch event of a program's socket",
    bites: 'watch-events',
    change: onSocket((r) => {
      const m = messages(r).find((x) => x.type === 15);
      return m === undefined ? r : { ...r, outData: cut(r.outData, m.at, m.end) };
    }),
  },
  {
    why: "sends a queued watch event of a program's socket twice",
    bites: 'watch-events',
    change: onSocket((r) => {
      const m = messages(r).find((x) => x.type === 15);
      return m === undefined ? r : { ...r, outData: Uint8Array.of(...r.outData, ...r.outData.subarray(m.at, m.end)) };
    }),
  },
  {
    why: "loses what is queued for a program's socket: whoever asked for the update is never told",
    bites: 'replies',
    change: onSocket((r) => ({ ...r, outData: r.outData.subarray(0, r.outRespLen) })),
  },
  {
    why: "forgets the watches of programs' sockets",
    bites: 'watch-events',
    change: ofSocketsOnly((r) => (r.kind === 'WATCH_DATA' || r.kind === 'WATCH_DATA_EXTENDED' ? undefined : r)),
  },
  {
    why: 'forgets every watch',
    bites: 'watch-events',
    change: (r) => (r.kind === 'WATCH_DATA' || r.kind === 'WATCH_DATA_EXTENDED' ? undefined : r),
  },
  {
    why: 'forgets the depth of a watch',
    bites: 'watch-events',
    change: (r) =>
      r.kind === 'WATCH_DATA_EXTENDED' ? { kind: 'WATCH_DATA', connId: r.connId, wpath: r.wpath, token: r.token } : r,
  },
  {
    why: 'forgets open transactions',
    bites: 'transactions',
    change: (r) => (r.kind === 'TRANSACTION_DATA' || (r.kind === 'NODE_DATA' && r.connId !== 0) ? undefined : r),
  },
  {
    why: 'forgets what an open transaction wrote',
    bites: 'transactions',
    change: (r) => (r.kind === 'NODE_DATA' && r.connId !== 0 ? undefined : r),
  },
  {
    why: 'lets pending nodes loose in the committed tree, as C daemons read them',
    bites: 'final-tree',
    change: (r) =>
      r.kind === 'NODE_DATA' && r.connId === 0 && String.fromCharCode(...r.path) === '/tool/xenstored'
        ? { ...r, value: Uint8Array.of(1) }
        : r,
  },
  {
    why: 'drops a permission entry',
    bites: 'final-tree',
    change: (r) =>
      r.kind === 'NODE_DATA' && r.connId === 0 && r.perms.length > 1 ? { ...r, perms: r.perms.slice(0, 1) } : r,
  },
];

function firstBite(mutant: Mutant): RunResult | undefined {
  for (let seed = 1; seed <= 12; seed++) {
    const result = headline({ seed: String(seed), passImage: tamper(mutant.change) });
    if (broken(result).includes(mutant.bites)) return result;
  }
  return undefined;
}

/*
 * Two programs of one guest begin transactions while the daemon waits for others to end: both requests are put aside, and go over
 * the update in one piece of input. For that an update has to wait, which it does under policy `daemon` alone.
 */
const PUT_ASIDE: readonly Mutant[] = [
  {
    why: 'loses the second of two requests that were put aside',
    bites: 'replies',
    change: onRing((r) => {
      const second = secondPutAside(r);
      return second === undefined ? r : { ...r, inData: cut(r.inData, second.at, second.end) };
    }),
  },
  {
    why: 'gives the second of two requests that were put aside the header of the first',
    bites: 'replies',
    change: onRing((r) => {
      const second = secondPutAside(r);
      if (second === undefined) return r;
      const inData = r.inData.slice();
      inData.copyWithin(second.at, 0, 16);
      return { ...r, inData };
    }),
  },
];

function secondPutAside({ inData }: ConnectionData): { readonly at: number; readonly end: number } | undefined {
  const at = messageEnd(inData, 0);
  const end = at === undefined ? undefined : messageEnd(inData, at);
  return at === undefined || end === undefined ? undefined : { at, end };
}

describe('the checkers bark when the successor of a daemon that has waited', () => {
  it.each(PUT_ASIDE)('$why ($bites)', ({ change, bites }) => {
    const seeds = Array.from({ length: 20 }, (_, i) => String(i + 1));
    const found = seeds.find((seed) =>
      broken(headline({ seed, set: { policy: 'daemon' }, passImage: tamper(change) })).includes(bites),
    );
    expect(found, 'no seed of 20 showed it').toBeDefined();
  });
});

describe('the checkers bark when the successor', () => {
  it.each(MUTANTS)('$why ($bites)', (mutant) => {
    const result = firstBite(mutant);
    expect(result, `no seed of 12 showed it`).toBeDefined();
    const report = textReport(result!, { colour: false });
    expect(report).toContain(`violation of ${mutant.bites}`);
    expect(report).toMatch(/(?:after|across) live updates? #\d/);
    expect(report).toContain(`replay: xenarium run live-update-mid-traffic --seed ${result!.seed}`);
  });

  it('and are silent when it is handed the very same records', () => {
    const result = headline({ passImage: tamper((r) => r) });
    expect(broken(result)).toEqual([]);
  });
});
