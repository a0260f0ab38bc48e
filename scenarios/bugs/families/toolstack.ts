import { ofFamily } from '../bug.ts';

export const TOOLSTACK = ofFamily('toolstack', []);
