import { ofFamily } from '../bug.ts';

export const RING = ofFamily('ring', []);
