import { ofFamily } from '../bug.ts';

export const QUOTA = ofFamily('quota', []);
