import type { Comparison, Tally } from './compare.ts';
import type { CompareFinding } from './finding.ts';
import { DIRECTIONS, type Direction, type Proof } from './prove.ts';
import { COMPARE_RULES } from './table.ts';

/** A comparison as text: each finding with its two readings and their octets, and a line for each direction. */
export function comparisonText(comparison: Comparison, directions: readonly Direction[] = DIRECTIONS): string {
  const { old, new: fresh, findings } = comparison;
  const lines = [`${old} -> ${fresh}: ${findings.length} changes`, ''];
  for (const finding of findings) lines.push(...findingLines(finding, directions), '');
  for (const direction of directions)
    lines.push(
      `${direction}: ${tallyText(direction === 'old reads new' ? comparison.oldReadsNew : comparison.newReadsOld)}`,
    );
  return `${lines.join('\n')}\n`;
}

/** `breaks (1), meaning changes (0), compatible (3)`. */
export function tallyText({ breaks, meaning, compatible, unproven }: Tally): string {
  const rest = unproven === 0 ? '' : `, not proven (${unproven})`;
  return `breaks (${breaks}), meaning changes (${meaning}), compatible (${compatible})${rest}`;
}

function findingLines(finding: CompareFinding, directions: readonly Direction[]): string[] {
  const { rule, record, path, declared, detail, among } = finding;
  const place = [record ?? declared ?? 'file', path ?? ''].filter((part) => part !== '').join(' ');
  const lines = [`${rule}  ${place}: ${detail}`, `  ${COMPARE_RULES[rule].text}`];
  if (among.length > 0) lines.push(`  together with ${among.join(', ')}`);
  for (const direction of directions)
    lines.push(...proofLines(direction === 'old reads new' ? finding.oldReadsNew : finding.newReadsOld));
  return lines;
}

function proofLines({ direction, reader, writer, outcome, octets, marks, isBodyOnly }: Proof): string[] {
  const behind = isBodyOnly ? ", behind the writer's header and framing" : '';
  return [
    `  ${direction} (${reader} reads ${writer}${behind}): ${outcome}`,
    ...hexLines(octets, marks).map((line) => `    ${line}`),
  ];
}

/** Sixteen octets a line; `>` stands before each octet of the marked ranges. */
export function hexLines(octets: string, marks: readonly (readonly [number, number])[]): string[] {
  const all = octets.match(/../g) ?? [];
  const lines: string[] = [];
  for (let at = 0; at < all.length; at += 16) {
    const line = all.slice(at, at + 16).map((octet, i) => {
      const isMarked = marks.some(([from, to]) => at + i >= from && at + i < to);
      return `${isMarked ? '>' : ' '}${octet}`;
    });
    lines.push(`${at.toString(16).padStart(4, '0')} ${line.join('')}`);
  }
  return lines;
}
