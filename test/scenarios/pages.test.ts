import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PAGES, withTables } from '../tools/scenario-tables.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe('pages that are made of what scenarios say', () => {
  it.each(PAGES)('%s is current (npm run tables)', (path) => {
    const page = readFileSync(join(ROOT, path), 'utf8');
    expect(withTables(page) === page).toBe(true);
  });
});
