import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatFailure } from '../../../../store/format/index.ts';
import {
  differencesText,
  diffStates,
  LAB_FORMATS,
  type LabFinding,
  mergeShares,
  reduceState,
  splitByDomain,
  writeState,
} from '../../../../store/format/model/index.ts';
import { anyState } from './arbitrary.ts';

const isError = ({ severity }: LabFinding) => severity === 'error';

describe.each(LAB_FORMATS.map((format) => [format.name, format] as const))('a state as %s', (_, format) => {
  it('comes back without anything but what was told', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const written = writeState(state, format, { onLoss: 'warn' });
        if (!written.ok) throw new Error(written.failure && formatFailure(written.failure));
        const { state: reduced } = reduceState(state, format.carriage);
        const shares = written.files.map(({ octets, domid }) => {
          expect(format.validate(octets).filter(isError).map(formatFailure)).toEqual([]);
          const read = format.read(octets, domid === undefined ? {} : { domid });
          if (!read.ok) throw new Error(formatFailure(read.failure));
          return { state: read.value.state };
        });
        const wanted = format.carriage.oneDomain ? mergeShares(splitByDomain(reduced).shares) : reduced;
        const got = format.carriage.oneDomain ? mergeShares(shares) : shares[0]?.state;
        // A file of one domain always has its ring, also where the state has none.
        const hasNoDomain = format.carriage.oneDomain && wanted.connections.length === 0;
        const compared = got && hasNoDomain ? { ...got, connections: [] } : got;
        expect(compared && differencesText(diffStates(wanted, compared))).toBe('');
      }),
      { numRuns: 150 },
    );
  });
});
