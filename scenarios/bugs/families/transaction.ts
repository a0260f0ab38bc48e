import { ofFamily } from '../bug.ts';

export const TRANSACTION = ofFamily('transaction', []);
