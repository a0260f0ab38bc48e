import { describe, expect, it } from 'vitest';
import { record } from '../../../../store/format/codec/compile.ts';
import { nodeData } from '../../../../store/format/generations/records.ts';
import { allFormats, extend, formatNamed, type Knobs } from '../../../../store/format/index.ts';
import { derivedCarriage } from '../../../../store/format/model/derive.ts';
import type { Carrier } from '../../../../store/format/model/index.ts';
import { binaryFormat, carriageOf, diffStates, reduceState, writeState } from '../../../../store/format/model/index.ts';
import { u64 } from '../../../../store/format/schema/schema.ts';
import { everything } from './everything.ts';

const g41 = formatNamed('G4.1')!;

describe('what a format carries, as its fields show', () => {
  it.each(['D1', 'D4', 'G3.0', 'G3.1', 'G3.2', 'G4.0', 'G4.1', 'G2'] as const)(
    'is what the table says of %s',
    (name) => {
      expect(derivedCarriage(formatNamed(name)!)).toEqual(carriageOf(name));
    },
  );

  it('is in the table for all formats there are', () => {
    for (const { name } of allFormats()) expect(carriageOf(name as Carrier).marks.node).toBe('y');
  });
});

describe("somebody's own format", () => {
  const own = extend(g41, {
    name: 'G5',
    title: 'Generations of nodes as well',
    records: [record('NODE_DATA', 5, { generation: u64, ...nodeData.fields })],
  });

  it('carries what it has a field for, and comes back', () => {
    const format = binaryFormat(own);
    expect(format.carriage.marks.generation).toBe('y');
    const { state, losses } = reduceState(everything(), format.carriage);
    expect(losses.map(({ row }) => row)).not.toContain('generation');
    const written = writeState(state, format);
    if (!written.ok) throw new Error(written.failure?.reason);
    const read = format.read(written.files[0]!.octets);
    expect(read.ok && diffStates(state, read.value.state)).toEqual([]);
    expect(read.ok && read.value.state.nodes[2]?.generation).toBe(77n);
  });

  it('does not carry what it has no record for', () => {
    const poor = extend(g41, { name: 'poor', without: ['DOMAIN_DATA', 'GLOBAL_QUOTA_DATA', 'WATCH_DATA_EXTENDED'] });
    const { marks } = binaryFormat(poor).carriage;
    expect([marks.features, marks.domainQuotas, marks.defaultQuotas, marks.watchDepth]).toEqual(['-', '-', '-', '-']);
  });
});

describe('knobs', () => {
  const busy = () => ({ ...everything(), specials: [] });
  const touchedBy = (name: string, knobs: Partial<Knobs>) => {
    const format = binaryFormat(formatNamed(name)!, knobs);
    const written = writeState(busy(), format, { onLoss: 'warn', ...(name === 'R1' ? { domid: 5 } : {}) });
    if (!written.ok) throw new Error(written.failure?.reason);
    const read = format.read(written.files[0]!.octets);
    if (!read.ok) throw new Error(read.failure.reason);
    const conn = read.value.state.connections.find(({ link }) => link.kind === 'ring' && link.domid === 5);
    const nodes = conn?.transactions[0]?.nodes.map(({ path, written: w }) => `${path} ${w}`);
    return { octets: written.files[0]!.octets, nodes, losses: written.losses };
  };

  it('frame the records of G2', () => {
    const [bare, wrapped] = (['bare', 'libxl'] as const).map((g2Framing) => touchedBy('G2', { g2Framing }));
    expect(wrapped?.octets[0]).toBe(7);
    expect(bare?.octets[0]).toBe(1);
    expect(wrapped?.nodes).toEqual(bare?.nodes);
  });

  it('list nodes that were only read, as written', () => {
    expect(touchedBy('G2', { g2TxReads: 'omit' }).nodes).toEqual(['/new true', '/b false']);
    expect(touchedBy('G2', { g2TxReads: 'include' }).nodes).toEqual(['/a true', '/new true', '/b false']);
  });

  it('leave out the record of a transaction, which its nodes tell of', () => {
    const [kept, left] = [true, false].map((r1KeepTxRecord) => touchedBy('R1', { r1KeepTxRecord }));
    expect(left?.nodes).toEqual(kept?.nodes);
    expect(left?.octets.length).toBeLessThan(kept?.octets.length ?? 0);
    const idle = everything().connections.map((conn) => ({
      ...conn,
      transactions: conn.transactions.map((tx) => ({ ...tx, nodes: [] })),
    }));
    const r1 = binaryFormat(formatNamed('R1')!, { r1KeepTxRecord: false });
    const { losses } = writeState({ ...everything(), connections: idle }, r1, { onLoss: 'warn' });
    expect(losses.filter(({ row }) => row === 'txId')).toHaveLength(1);
  });
});
