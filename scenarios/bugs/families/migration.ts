import { ofFamily } from '../bug.ts';

export const MIGRATION = ofFamily('migration', []);
