import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunResult } from '../engine/scenario.ts';
import { pageData, pageHtml } from '../report/page/index.ts';
import { Unusable } from './image/io.ts';
import { reasonOf } from './terminal/output.ts';

/** A part of the page: beside this module's source, its compiled module, or the bundled program. */
function part(near: string, ...others: readonly string[]): string {
  const places = [near, ...others].map((place) => join(import.meta.dirname, place));
  return readFileSync(places.find((file) => existsSync(file)) ?? join(import.meta.dirname, near), 'utf8');
}

/** Write the page of a run. `replay`: the command that runs it again. Errors: Unusable. */
export function writeReport(file: string, result: RunResult, replay: string): void {
  const css = part(
    '../report/page/view.css',
    '../../../scenarios/report/page/view.css',
    '../../scenarios/report/page/view.css',
  );
  const script = part(
    '../report/page/view.js',
    '../../../scenarios/report/page/view.js',
    '../../scenarios/report/page/view.js',
  );
  try {
    writeFileSync(file, pageHtml(pageData(result, replay), { css, script }));
  } catch (error) {
    throw new Unusable(`--report ${file}: ${reasonOf(error)}`);
  }
}
