import { describe, expect, it } from 'vitest';
import { measureMoves, moveSurprises } from '../../../scenarios/lab/move-matrix.ts';
import { MOVE_PLAYS } from '../../../scenarios/lab/move-plays.ts';
import { LAB_FORMATS } from '../../../store/format/model/index.ts';

const NAMES = LAB_FORMATS.map((format) => [format.name, format] as const);

describe('a guest that is moved without its help', () => {
  it.each(NAMES)('hears with %s what its twin hears that stays, or stays itself, as the carriage says', (_, format) => {
    const column = measureMoves(format);
    expect(moveSurprises(column)).toEqual([]);
    expect(column.cells).toHaveLength(3 * MOVE_PLAYS.length);
  });
});
