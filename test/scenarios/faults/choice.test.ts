import { describe, expect, it } from 'vitest';
import { isChosen } from '../../../scenarios/faults/choice.ts';

describe('a choice of faults', () => {
  it.each([
    ['off', false, false],
    ['all', false, true],
    ['swarm', false, false],
    ['swarm', true, true],
    ['INJ-G5', false, true],
    ['INJ-T5,INJ-G5', false, true],
    ['INJ-T5,INJ-G4', true, false],
    ['all,-INJ-G5', true, false],
    ['all,-INJ-G4', false, true],
    ['swarm,-INJ-G5', true, false],
    ['swarm,INJ-G5', false, true],
    ['-INJ-G5,all', false, true],
  ])('%s, in this swarm: %s, has INJ-G5: %s', (choice, isInSwarm, expected) => {
    expect(isChosen(choice, 'INJ-G5', isInSwarm)).toBe(expected);
  });
});
