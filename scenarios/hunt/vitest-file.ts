import type { Signature } from './signature.ts';
import type { RunSpec } from './spec.ts';

/**
 * A test that stands alone: it needs this package and vitest, and fails for as long as the run does. `undefined`: updates go through
 * a format of one's own, which is code that no test file could hold.
 */
export function vitestFile(
  { scenario, seed, format, settings, cuts }: RunSpec,
  { text, key }: Signature,
): string | undefined {
  if (format !== 'v1' && format !== 'v2') return undefined;
  const request = { seed, format, settings, ...(cuts === undefined ? {} : { cuts }), checks: true };
  const name = key.replaceAll("'", "\\'");
  return `import { expect, it } from 'vitest';
import { SCENARIOS } from 'xenarium';

// ${text.replaceAll('\n', ' ')}
it('${scenario} does not break: ${name}', () => {
  const scenario = SCENARIOS.find(({ name }) => name === '${scenario}');
  const result = scenario?.run(${JSON.stringify(request, null, 2).replaceAll('\n', '\n  ')});
  expect(result?.failure?.what).toBeUndefined();
  expect(result?.waits?.map(({ who, what }) => \`\${who} waits for \${what}\`)).toBeUndefined();
  expect(result?.verdicts.flatMap(({ violations }) => violations.map(({ detail }) => detail))).toEqual([]);
});
`;
}
