import { ofFamily } from '../bug.ts';

export const PERMISSION = ofFamily('permission', []);
