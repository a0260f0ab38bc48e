import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { LAB_FORMATS, type LabFormat } from '../../store/format/model/index.ts';
import { type Column, measure } from '../lab/measure.ts';
import { measureMoves, moveSurprises } from '../lab/move-matrix.ts';
import { movePage } from '../lab/move-page.ts';
import { matrixPage, surpriseLines, trialLines } from '../lab/page.ts';
import { type Trial, tryFormat } from '../lab/verdict.ts';
import { tell, writeOctets } from './image/io.ts';
import { namedFormat } from './image/named.ts';
import { Progress } from './progress.ts';
import { print, printJsonText } from './terminal/output.ts';

export interface MatrixOptions {
  /** Names, or paths of modules; none: every format of the lab. */
  readonly format: readonly string[];
  /** Of guests that are moved without their help, instead of live updates. */
  readonly migration?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

export interface Measured {
  readonly column: Column;
  readonly trial: Trial;
}

export function measureFormat(format: LabFormat): Measured {
  return { column: measure(format), trial: tryFormat(format) };
}

/** Print what each format loses, and write it as a page. Exit 1: a prediction did not hold. */
export async function matrixCommand(options: MatrixOptions): Promise<number> {
  const { format: asked, out, json, migration } = options;
  const names = asked.length === 0 ? LAB_FORMATS.map(({ name }) => name) : asked;
  const formats = await Promise.all(names.map(namedFormat));
  if (migration) return migrationMatrix(formats, options);
  const jobs = Math.min(availableParallelism(), names.length);
  const progress = new Progress();
  const done = (count: number) => progress.at(() => `${count}/${names.length} formats`);
  const measured = jobs > 1 ? await measureTogether(names, jobs, done) : formats.map(measureFormat);
  progress.clear();
  const columns = measured.map(({ column }) => column);
  const trials = measured.map(({ trial }) => trial);
  const page = matrixPage(columns, trials);
  if (json) printJsonText(`${JSON.stringify({ formats: columns, trials })}\n`);
  else print(page);
  if (out !== undefined) writeOctets(out, new TextEncoder().encode(page));
  const wrong = [...columns.flatMap(surpriseLines), ...trials.flatMap(trialLines)];
  return wrong.length === 0 ? 0 : tell(wrong);
}

/** The same of guests that are moved without their help. */
function migrationMatrix(formats: readonly LabFormat[], { out, json }: MatrixOptions): number {
  const progress = new Progress();
  const columns = formats.map((format, done) => {
    progress.at(() => `${done}/${formats.length} formats`);
    return measureMoves(format);
  });
  progress.clear();
  const page = movePage(columns);
  if (json) printJsonText(`${JSON.stringify({ formats: columns })}\n`);
  else print(page);
  if (out !== undefined) writeOctets(out, new TextEncoder().encode(page));
  const wrong = columns.flatMap(moveSurprises);
  return wrong.length === 0 ? 0 : tell(wrong);
}

/** On so many threads; what comes out is in the order of the names. Errors: rejects at a mistake of ours. */
async function measureTogether(
  names: readonly string[],
  jobs: number,
  done: (count: number) => void,
): Promise<readonly Measured[]> {
  const results: Measured[] = [];
  const workers: Worker[] = [];
  let given = 0;
  let taken = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      for (let i = 0; i < jobs; i++) {
        const worker = new Worker(new URL('./matrix-worker.js', import.meta.url));
        workers.push(worker);
        let current = given++;
        worker.postMessage(names[current]);
        worker.on('error', reject);
        worker.on('message', (measured: Measured) => {
          results[current] = measured;
          done(++taken);
          if (taken === names.length) resolve();
          if (given >= names.length) return;
          current = given++;
          worker.postMessage(names[current]);
        });
      }
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return results;
}
