import type { LabFormat } from '../../../store/format/model/index.ts';
import { Unusable } from './io.ts';

export async function loadFormat(path: string): Promise<LabFormat> {
  throw new Unusable(`${path}: not yet`);
}
