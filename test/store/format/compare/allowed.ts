import type { Category, Verdict } from '../../../../store/format/compare/index.ts';

/** What a reading may come to for the table to be right. */
export const ALLOWED: Readonly<Record<Category, readonly Verdict[]>> = {
  wire: ['refused', 'misread', 'lost'],
  meaning: ['misread', 'lost'],
  stricter: ['refused'],
  compatible: ['same'],
};
