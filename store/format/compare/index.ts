export { type Comparison, compareFormats, isBreaking, type Tally } from './compare.ts';
export type { CompareFinding } from './finding.ts';
export { rulesPage } from './page.ts';
export { DIRECTIONS, type Direction, type Proof, VERDICTS, type Verdict } from './prove.ts';
export { comparisonText, tallyText } from './report.ts';
export { AREAS, CATEGORIES, type Category, COMPARE_RULES, type CompareRule, type CompareRuleId } from './table.ts';
export { type Comparable, isText } from './text-dumps.ts';
