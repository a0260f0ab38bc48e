export { type Comparison, compareFormats, isBreaking, type Tally } from './compare.ts';
export type { CompareFinding } from './finding.ts';
export { rulesPage } from './page.ts';
export { DIRECTIONS, type Direction, type Proof, VERDICTS, type Verdict } from './prove.ts';
export { AREAS, CATEGORIES, type Category, COMPARE_RULES, type CompareRule, type CompareRuleId } from './table.ts';
export { comparisonText, tallyText } from './text.ts';
export { type Comparable, isText } from './texts.ts';
