import { readFileSync } from 'node:fs';
import type { RunResult } from '../engine/scenario.ts';
import { packageFile } from '../real/package-file.ts';
import { type PageParts, pageOf } from '../report/page/page.ts';
import { type PageDress, pageDataOf } from '../report/page/page-data.ts';
import { Unusable, writeOctets } from './image/io.ts';

/** Write the page of a run. Errors: Unusable. */
export function writeReport(file: string, result: RunResult, dress: PageDress): void {
  writeOctets(file, new TextEncoder().encode(pageOf(pageDataOf(result, dress), pageParts())));
}

/** What the bundler has made of the page's script and style. Errors: Unusable, where it was never called. */
function pageParts(): PageParts {
  try {
    const read = (name: string) => readFileSync(packageFile(`dist/page/${name}`), 'utf8');
    return { script: read('page.js'), style: read('page.css') };
  } catch {
    throw new Unusable('--report: the script of the page is missing; `npm run build` makes it');
  }
}
