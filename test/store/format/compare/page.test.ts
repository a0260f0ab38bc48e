import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { COMPARE_RULES, rulesPage } from '../../../../store/format/compare/index.ts';

it('the page about the rules is the one in docs, and names them all', () => {
  const page = readFileSync(new URL('../../../../docs/format-rules.md', import.meta.url), 'utf8');
  expect(page).toBe(rulesPage());
  for (const id of Object.keys(COMPARE_RULES)) expect(page).toContain(`| \`${id}\` |`);
});
