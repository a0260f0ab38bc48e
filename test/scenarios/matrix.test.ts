import { it } from 'vitest';
import { LAB_FORMATS } from '../../store/format/model/index.ts';
import { measure, wrongCells, emptyRows } from '../../scenarios/matrix/measure.ts';
import { populatedState } from '../../scenarios/matrix/populated.ts';
it('x', () => {
  console.log(emptyRows(populatedState()));
  for (const f of LAB_FORMATS) { const c = measure(f); console.log(f.name, c.failure, JSON.stringify(wrongCells(c))); }
});
