import { ofFamily } from '../bug.ts';

export const DUMP = ofFamily('dump', []);
