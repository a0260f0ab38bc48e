import { describe, expect, it } from 'vitest';
import { Streams } from '../../../../sim/index.ts';
import { formatFailure } from '../../../../store/format/index.ts';
import {
  type DaemonState,
  differencesText,
  diffStates,
  LAB_FORMATS,
  type LabFormat,
  mergeShares,
  reduceState,
  splitByDomain,
  writeState,
} from '../../../../store/format/model/index.ts';

function stateOf(format: LabFormat, octets: Uint8Array, domid?: number): DaemonState {
  const read = format.read(octets, domid === undefined ? {} : { domid });
  if (!read.ok) throw new Error(`${format.name}: ${formatFailure(read.failure)}`);
  return read.value.state;
}

/** What a state has become by way of a format. */
function through(format: LabFormat, state: DaemonState): DaemonState {
  const written = writeState(state, format, { onLoss: 'warn' });
  if (!written.ok) throw new Error(`${format.name}: ${written.failure && formatFailure(written.failure)}`);
  const states = written.files.map(({ octets, domid }) => ({ state: stateOf(format, octets, domid) }));
  return format.carriage.oneDomain ? mergeShares(states) : states[0]!.state;
}

/** What the table says it should have become. */
function predicted(format: LabFormat, state: DaemonState): DaemonState {
  const { state: reduced } = reduceState(state, format.carriage);
  return format.carriage.oneDomain ? mergeShares(splitByDomain(reduced).shares) : reduced;
}

/** A file of one domain has a ring, whether the state had one or not; it says nothing of a scope. */
const compared = (format: LabFormat, state: DaemonState, wanted: DaemonState): DaemonState =>
  format.carriage.oneDomain && wanted.connections.length === 0 ? { ...state, connections: [] } : state;

const SEEDS = ['1', '2', '3', '4'];

describe.each(LAB_FORMATS.map((format) => [format.name, format] as const))(
  'files of %s made at random',
  (name, from) => {
    it.each(LAB_FORMATS.map((format) => [format.name, format] as const))(
      'are in %s what is left of them, and come back',
      (_, to) => {
        for (const seed of SEEDS) {
          const made = from.generate(new Streams(seed).for(`test/${name}`), 30);
          if (!made.ok) throw new Error(formatFailure(made.failure));
          const state = stateOf(from, made.value, from.carriage.oneDomain ? 5 : undefined);
          const there = through(to, state);
          const wanted = predicted(to, state);
          expect(differencesText(diffStates(wanted, compared(to, there, wanted))), `seed ${seed}, there`).toBe('');
          const back = through(from, there);
          const left = predicted(from, there);
          expect(differencesText(diffStates(left, compared(from, back, left))), `seed ${seed}, back`).toBe('');
        }
      },
    );
  },
);
