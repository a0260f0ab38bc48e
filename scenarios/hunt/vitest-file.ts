import type { Signature } from './signature.ts';
import type { RunSpec } from './spec.ts';

/**
 * A test that stands alone: it needs this package and vitest, and fails for as long as the run does. `undefined`: updates go through
 * a module at a path, which a test elsewhere would not find.
 */
export function vitestFile(
  { scenario, seed, format, settings, cuts }: RunSpec,
  { text, key }: Signature,
): string | undefined {
  if (!/^[\w.-]+$/.test(format) || /\.[cm]?[jt]s$/.test(format)) return undefined;
  const isOwn = format === 'v1' || format === 'v2';
  const request = { seed, format, settings, ...(cuts === undefined ? {} : { cuts }), checks: true };
  const quoted = (words: string) => `'${words.replace(/[\\']/g, '\\$&')}'`;
  const lines = JSON.stringify(request, null, 2).split('\n').slice(1, -1);
  return `import { expect, it } from 'vitest';
import { SCENARIOS } from 'xenarium';
${isOwn ? '' : `import { formatOf } from 'xenarium/format/model';\n`}
// ${text.replace(/[\r\n\u2028\u2029]/g, ' ')}
it(${quoted(`${scenario} does not break ${key}`)}, () => {
  const scenario = SCENARIOS.find(({ name }) => name === ${quoted(scenario)});
  const result = scenario!.run({
${isOwn ? '' : `    lab: formatOf(${quoted(format)})!,\n`}${lines.map((line) => `  ${line}`).join('\n')},
  });
  expect(result.failure?.what).toBeUndefined();
  expect(result.waits?.map(({ who, what }) => \`\${who} waits for \${what}\`)).toBeUndefined();
  expect(result.verdicts.flatMap(({ violations }) => violations.map(({ detail }) => detail))).toEqual([]);
});
`;
}
