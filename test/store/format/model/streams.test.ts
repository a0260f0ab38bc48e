import { describe, expect, it } from 'vitest';
import {
  type Carrier,
  carriageOf,
  convertFile,
  detectFormat,
  diffStates,
  formatOf,
  mergeShares,
  reduceState,
  type StateRow,
} from '../../../../store/format/model/index.ts';
import { stream } from '../support.ts';
import { CELLS, COLUMNS, rowOf } from './published.ts';

/** What a recorded stream holds, counted by hand from its README and its dump. */
interface Content {
  readonly rings: number;
  readonly stale?: number;
  readonly halfSent?: number;
  readonly input?: number;
  /** A target whose connection comes earlier. */
  readonly target?: number;
  /** Nodes whose children do not come in descending order. */
  readonly unsorted: number;
  /** The default of 4.22 for @releaseDomain: any domain may read it. */
  readonly anyDomain?: number;
  /** Written by 4.22: quotas, features, unique ids. */
  readonly isNew?: true;
}

/** Besides: one socket, which waits for its OK; two special nodes; descriptors of the listener and of the device. */
const CONTENT: Readonly<Record<string, Content>> = {
  'c-4.17-empty.bin': { rings: 1, unsorted: 0 },
  'c-4.17-nodes.bin': { rings: 3, stale: 2, unsorted: 2 },
  'c-4.17-pending_out.bin': { rings: 3, halfSent: 2, unsorted: 2 },
  'c-4.17-watches.bin': { rings: 3, target: 1, unsorted: 1 },
  'c-4.22-empty.bin': { rings: 1, unsorted: 0, anyDomain: 1, isNew: true },
  'c-4.22-nodes.bin': { rings: 3, stale: 2, unsorted: 2, isNew: true },
  'c-4.22-partial_in.bin': { rings: 3, input: 2, unsorted: 1, anyDomain: 1, isNew: true },
  'c-4.22-transactions.bin': { rings: 3, unsorted: 2, anyDomain: 1, isNew: true },
};

const markOf = (carrier: Carrier, row: StateRow) =>
  CELLS.find((cell) => cell.carrier === carrier && rowOf(cell.title) === row)?.mark;

/** How many things of each row the published table takes from the content. */
function predicted(content: Content, carrier: Carrier): Record<string, number> {
  const { rings, stale = 0, halfSent = 0, input = 0, target = 0, unsorted, anyDomain = 0, isNew = false } = content;
  const lacks = (row: StateRow) => ['-', 'n/a', 'p3'].includes(markOf(carrier, row) ?? '');
  const hasSockets = !lacks('sockets');
  const counts: Partial<Record<StateRow, number>> = {
    staleAcl: stale,
    specialAcl: 2,
    output: halfSent + (hasSockets ? 1 : 0), // that of a socket goes with it
    outputBoundary: halfSent,
    input,
    target,
    sockets: 1,
    listeners: 1,
    evtchnFd: 1,
    port: rings,
    defaultQuotas: isNew ? 1 : 0,
    domainQuotas: isNew ? rings : 0,
    features: isNew ? rings : 0,
    uniqueId: isNew ? rings : 0,
    siblingOrder: unsorted,
  };
  const lost: Record<string, number> = {};
  for (const [row, count] of Object.entries(counts) as [StateRow, number][]) {
    const isLost = lacks(row) || (row === 'port' && markOf(carrier, row) === 'guest');
    if (isLost && count > 0) lost[row] = count;
  }
  // Entries for any domain are of 4.22: older daemons would take them for a domain that does not exist.
  if (anyDomain > 0 && ['C-4.16', 'Ox-c'].includes(carrier)) lost.specialAcl = anyDomain;
  return lost;
}

const PAIRS = Object.entries(CONTENT).flatMap(([name, content]) => COLUMNS.map((to) => ({ name, content, to })));

describe('a recorded stream', () => {
  it.each(PAIRS)('$name to $to loses what the table says, and nothing else', ({ name, content, to }) => {
    const octets = stream(name);
    const read = detectFormat(octets)?.read(octets);
    if (!read?.ok) throw new Error(`${name} cannot be read`);
    expect(read.value.warnings).toEqual([]);
    const { state, losses } = reduceState(read.value.state, carriageOf(to));
    const counts: Record<string, number> = {};
    for (const { row } of losses) counts[row] = (counts[row] ?? 0) + 1;
    expect(counts).toEqual(predicted(content, to));
    const rows = new Set(diffStates(read.value.state, state).map(({ row }) => row as string));
    if (to === 'G2') rows.delete('output'); // goes with the boundary
    expect([...rows].sort()).toEqual(Object.keys(counts).sort());
  });

  it.each(PAIRS.filter(({ to }) => to !== 'G1'))('$name is in a file of $to what is left of it', ({ name, to }) => {
    const octets = stream(name);
    const [from, format] = [detectFormat(octets), formatOf(to)];
    if (from === undefined || format === undefined) throw new Error('no format');
    expect(convertFile(octets, from, format).ok).toBe(reduced(name, to).losses.length === 0);
    const converted = convertFile(octets, from, format, { onLoss: 'warn' });
    if (!converted.ok) throw new Error(converted.failure?.reason);
    expect(converted.losses).toEqual(reduced(name, to).losses);
    expect(converted.files).toHaveLength(1);
    const back = format.read(converted.files[0]!.octets);
    if (!back.ok) throw new Error(back.failure.reason);
    expect(diffStates(reduced(name, to).state, back.value.state)).toEqual([]);
    expect(format.validate(converted.files[0]!.octets).filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it.each(Object.entries(CONTENT))('%s is in as many files of G1 as there are domains', (name, { rings }) => {
    const octets = stream(name);
    const g1 = formatOf('G1')!;
    const converted = convertFile(octets, detectFormat(octets)!, g1, { onLoss: 'silent' });
    if (!converted.ok) throw new Error(converted.failure?.reason);
    expect(converted.files.map(({ domid }) => domid)).toEqual(Array.from({ length: rings }, (_, i) => i));
    const shares = converted.files.map((file) => {
      const read = g1.read(file.octets, { domid: file.domid! });
      if (!read.ok) throw new Error(read.failure.reason);
      return read.value;
    });
    expect(diffStates(reduced(name, 'G1').state, mergeShares(shares))).toEqual([]);
    const alone = convertFile(octets, detectFormat(octets)!, g1, { onLoss: 'warn', domid: 0 });
    const others = alone.losses.filter(({ row }) => row === 'connections');
    expect(others).toHaveLength(rings - 1);
  });
});

function reduced(name: string, to: Carrier) {
  const read = detectFormat(stream(name))!.read(stream(name));
  if (!read.ok) throw new Error(read.failure.reason);
  return reduceState(read.value.state, carriageOf(to));
}
