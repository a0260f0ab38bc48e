import { describe, expect, it } from 'vitest';
import {
  assumptionText,
  type Converted,
  carriageOf,
  convertFile,
  type DaemonState,
  diffStates,
  formatOf,
  type LabFormat,
  lossText,
  reduceState,
  writeState,
} from '../../../../store/format/model/index.ts';
import { stream } from '../support.ts';
import { everything, idle, message, o } from './everything.ts';

const format = (name: string): LabFormat => {
  const found = formatOf(name);
  if (found === undefined) throw new Error(`no format ${name}`);
  return found;
};
/** What the only file says. */
function stateOf(name: string, converted: Converted): DaemonState {
  const read = format(name).read(converted.ok ? (converted.files[0]?.octets ?? o('')) : o(''));
  if (!read.ok) throw new Error(read.failure.reason);
  return read.value.state;
}
const fits = (name: string): DaemonState => reduceState(everything(), format(name).carriage).state;

describe('what to do about losses', () => {
  it('is to refuse them unless told otherwise: no file, all losses', () => {
    const refused = writeState(everything(), format('v1'));
    expect(refused.ok).toBe(false);
    expect(refused.losses).toEqual(reduceState(everything(), carriageOf('G3.2')).losses);
    expect('files' in refused).toBe(false);
  });

  it.each(['warn', 'silent'] as const)('is to write what is left: %s', (onLoss) => {
    const written = writeState(everything(), format('v1'), { onLoss });
    expect(written.ok && written.files).toHaveLength(1);
    expect(written.losses.length).toBeGreaterThan(0);
  });

  it('does not matter when there are none', () => {
    expect(writeState(fits('v1'), format('v1'))).toMatchObject({ ok: true, losses: [] });
  });
});

describe('finishing what is under way first', () => {
  const busy: DaemonState = {
    ...fits('Ox-c'),
    connections: [{ ...idle({ kind: 'ring', domid: 5, guestPort: 1, mfn: 3n }), delayed: [message(2, 8, '/a\0')] }],
  };
  const finished = { ...busy, connections: [idle({ kind: 'ring', domid: 5, guestPort: 1, mfn: 3n })] };

  it('saves requests that the format cannot carry', () => {
    const asked: DaemonState[] = [];
    const finishFirst = (state: DaemonState) => {
      asked.push(state);
      return finished;
    };
    expect(writeState(busy, format('Ox-c')).losses.map(({ row }) => row)).toEqual(['delayed']);
    expect(writeState(busy, format('Ox-c'), { finishFirst })).toMatchObject({ ok: true, losses: [] });
    expect(asked).toEqual([busy]);
  });

  it('is not asked for when nothing under way would be lost', () => {
    const finishFirst = () => {
      throw new Error('asked');
    };
    expect(writeState(busy, format('v1'), { finishFirst, onLoss: 'warn' }).ok).toBe(true);
  });

  it('leaves what cannot be finished to the policy', () => {
    const half = { ...busy, connections: [{ ...idle({ kind: 'ring', domid: 5 }), input: o('half') }] };
    expect(writeState(half, format('Ox-c'), { finishFirst: (state) => state }).ok).toBe(false);
  });
});

describe('going up', () => {
  const low = writeState(fits('Ox-b'), format('Ox-b'));
  const octets = low.ok ? (low.files[0]?.octets ?? o('')) : o('');
  const assumed = (fills: object) => {
    const up = convertFile(octets, format('Ox-b'), format('v2'), { fills, onLoss: 'warn' });
    if (!up.ok) throw new Error('refused');
    return { texts: up.assumptions.map(assumptionText), state: stateOf('v2', up) };
  };

  it('says what nobody knew, and leaves it unknown', () => {
    const { texts, state } = assumed({});
    expect(texts).toEqual([
      "domain 0: event channel port not known: the daemon's is written as 0",
      "domain 5: event channel port not known: the daemon's is written as 0",
      "domain 7: event channel port not known: the daemon's is written as 0",
    ]);
    expect(state.connections[1]?.link).toEqual({ kind: 'ring', domid: 5 });
    expect(state.domains).toEqual([]);
  });

  it('takes what it is told, but not instead of what is known', () => {
    const rings = new Map([
      [0, { port: 11, mfn: 99n }],
      [5, { port: 15, uniqueId: 55n }],
    ]);
    const { texts, state } = assumed({ rings, features: 6 });
    expect(texts).toEqual(["domain 7: event channel port not known: the daemon's is written as 0"]);
    expect(state.connections.slice(0, 2).map(({ link }) => link)).toEqual([
      { kind: 'ring', domid: 0, port: 11 },
      { kind: 'ring', domid: 5, port: 15, uniqueId: 55n },
    ]);
    expect(state.domains.map(({ domid, features }) => [domid, features])).toEqual([
      [0, 6],
      [5, 6],
      [7, 6],
    ]);
    const known = writeState(fits('v2'), format('v2'), { fills: { rings: new Map([[5, { port: 1 }]]), features: 1 } });
    const read = stateOf('v2', known);
    expect(read.connections[1]?.link).toMatchObject({ port: 42 });
    expect(read.domains[0]?.features).toBe(6);
  });
});

describe('versions and byte order', () => {
  it('loses features and depths in version 1 of a format that has both', () => {
    const options = { version: 1, onLoss: 'warn' } as const;
    const written = writeState(fits('v2'), format('v2'), options);
    expect(written.losses.map(lossText)).toEqual([
      'watch "/a" "" of domain 5: watch depth changed: depth 1 becomes unlimited',
      'domain 5: server features per domain dropped: 0x6',
    ]);
    expect(written.ok && written.files[0]?.octets[11]).toBe(1);
  });

  it('says the same in the other byte order', () => {
    const octets = stream('c-4.22-nodes.bin');
    const turned = convertFile(octets, format('v2'), format('v2'), { bigEndian: true });
    expect(turned.ok && turned.files[0]?.octets[15]).toBe(1);
    const same = convertFile(octets, format('v2'), format('v2'));
    expect(diffStates(stateOf('v2', same), stateOf('v2', turned))).toEqual([]);
  });

  it('is the same octets when nothing is wished', () => {
    const octets = stream('c-4.22-partial_in.bin');
    const same = convertFile(octets, format('v2'), format('v2'));
    expect(same.ok && same.files).toEqual([{ octets }]);
  });
});

describe('what does not fit', () => {
  it('is a failure with its field, not a loss, and not cut short', () => {
    const state: DaemonState = {
      ...fits('v1'),
      nodes: [{ path: '/', value: new Uint8Array(0x10000), acl: [{ letter: 'n', domid: 0, stale: false }] }],
    };
    expect(writeState(state, format('v1'))).toMatchObject({
      ok: false,
      losses: [],
      failure: { name: 'NODE_DATA', path: 'value' },
    });
  });

  it('is a failure of the file read, when that is broken', () => {
    const failed = convertFile(o('xenstore'), format('v1'), format('v2'));
    expect(failed).toMatchObject({ ok: false, read: { name: 'header' } });
  });
});
