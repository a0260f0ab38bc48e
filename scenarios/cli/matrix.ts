import { LAB_FORMATS } from '../../store/format/model/index.ts';
import { measure } from '../matrix/measure.ts';
import { matrixPage, surpriseLines, trialLines } from '../matrix/page.ts';
import { tryFormat } from '../matrix/verdict.ts';
import { tell, writeOctets } from './image/io.ts';
import { namedFormat } from './image/named.ts';

export interface MatrixOptions {
  /** Names, or paths of modules; none: every format of the lab. */
  readonly format: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

/** Print what each format loses, and write it as a page. Exit 1: a prediction did not hold. */
export async function matrixCommand({ format: names, out, json }: MatrixOptions): Promise<number> {
  const formats = names.length === 0 ? LAB_FORMATS : await Promise.all(names.map(namedFormat));
  const columns = formats.map((format) => measure(format));
  const trials = formats.map(tryFormat);
  const page = matrixPage(columns, trials);
  process.stdout.write(json ? `${JSON.stringify({ formats: columns, trials })}\n` : page);
  if (out !== undefined) writeOctets(out, new TextEncoder().encode(page));
  const wrong = [...columns.flatMap(surpriseLines), ...trials.flatMap(trialLines)];
  return wrong.length === 0 ? 0 : tell(wrong);
}
