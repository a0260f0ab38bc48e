import { describe, expect, it } from 'vitest';
import { cstring, extend, g2, g41, octetsOf, record, textOf, u16, u32 } from '../../../../store/format/index.ts';
import {
  binaryFormat,
  type DaemonState,
  diffStates,
  meaning,
  meaningless,
  meaningsFault,
  writeState,
} from '../../../../store/format/model/index.ts';
import { everything } from './everything.ts';

const owed = record('OWED_EVENT', 9, {
  connId: u32,
  txId: u32,
  exact: u16,
  pathLen: u16,
  path: cstring({ length: 'pathLen' }),
});

const told = meaning(owed, {
  carries: ['txEvents'],
  encode: ({ state, connId }) =>
    state.connections.flatMap((connection) =>
      connection.transactions.flatMap(({ id, events = [] }) =>
        events.map(({ path, exact }) => ({
          connId: connId(connection),
          txId: id,
          exact: Number(exact),
          path: octetsOf(path),
        })),
      ),
    ),
  decode: ({ connId, txId, exact, path }, at) => {
    at.transaction(connId, txId)?.events?.push({ path: textOf(path), exact: exact !== 0 });
  },
});

const dumb = extend(g41, { name: 'dumb', records: [owed] });
const mine = extend(dumb, { name: 'mine', meanings: [told] });

const STATE = everything();

function octetsIn(written: ReturnType<typeof writeState>): Uint8Array {
  const [file] = written.ok ? written.files : [];
  if (file === undefined) throw new Error(JSON.stringify(written));
  return file.octets;
}

function eventsOf(state: DaemonState): unknown[] {
  return state.connections.flatMap(({ transactions }) => transactions.map(({ events }) => events));
}

describe('a record of a kind of one’s own', () => {
  it('carries what its meaning says, and nothing without one', () => {
    for (const [format, isCarried] of [
      [binaryFormat(mine), true],
      [binaryFormat(dumb), false],
    ] as const) {
      const written = writeState(STATE, format, { onLoss: 'silent' });
      if (!written.ok) throw new Error('not written');
      const read = format.read(octetsIn(written));
      if (!read.ok) throw new Error(read.failure.reason);
      const rows = new Set(diffStates(STATE, read.value.state).map(({ row }) => row));
      expect(rows.has('txEvents')).toBe(!isCarried);
      expect(written.losses.some(({ row }) => row === 'txEvents')).toBe(!isCarried);
      expect(format.carriage.marks.txEvents).toBe(isCarried ? 'y' : '-');
    }
  });

  it('tells an empty list from one that nobody knows', () => {
    const quiet: DaemonState = {
      ...STATE,
      connections: STATE.connections.map((conn) => ({
        ...conn,
        transactions: conn.transactions.map((tx) => ({ ...tx, events: [] })),
      })),
    };
    const format = binaryFormat(mine);
    const written = writeState(quiet, format, { onLoss: 'silent' });
    const read = format.read(octetsIn(written));
    if (!read.ok) throw new Error('not read');
    expect(eventsOf(read.value.state).length).toBeGreaterThan(0);
    expect(eventsOf(read.value.state).every((events) => Array.isArray(events) && events.length === 0)).toBe(true);
  });

  it('fails as a file fails where its meaning throws', () => {
    const oops = () => {
      throw new Error('oops');
    };
    const sound = writeState(STATE, binaryFormat(mine), { onLoss: 'silent' });
    expect(
      binaryFormat(extend(mine, { name: 'x', meanings: [{ ...told, decode: oops }] })).read(octetsIn(sound)),
    ).toEqual({
      ok: false,
      failure: { offset: 0, record: 0, name: 'OWED_EVENT', path: '', reason: 'its decode has failed: oops' },
    });
    const written = writeState(
      STATE,
      binaryFormat(extend(mine, { name: 'x', meanings: [{ ...told, encode: oops }] })),
      {
        onLoss: 'silent',
      },
    );
    expect(JSON.stringify(written)).toContain('its encode has failed: oops');
  });

  it('is told of, where it means nothing or what it means cannot be', () => {
    expect(meaningless(dumb)).toEqual(['OWED_EVENT']);
    expect(meaningless(mine)).toEqual([]);
    expect(meaningless(g41)).toEqual([]);
    expect(meaningsFault(mine)).toBeUndefined();
    expect(meaningsFault(extend(g41, { name: 'x', meanings: [told] }))).toMatch(
      /OWED_EVENT means, which is none of its/,
    );
    expect(meaningsFault(extend(dumb, { name: 'x', meanings: [{ ...told, carries: ['tea'] }] }))).toMatch(
      /carries tea/,
    );
    expect(meaningsFault(extend(g2, { name: 'x', records: [owed], meanings: [told] }))).toMatch(/numbers/);
  });
});
