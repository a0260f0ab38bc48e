import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAGES, withTables } from './scenario-tables.ts';

// Writes the tables of pages that are made of what scenarios say; npm runs it in the root of the repository.
for (const page of PAGES) {
  const path = join(process.cwd(), page);
  writeFileSync(path, withTables(readFileSync(path, 'utf8')));
}
