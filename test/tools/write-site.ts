import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { siteOf } from '../../scenarios/site/site.ts';

/*
 * Writes the site: one page with the simulator in it. Argument: the file; left out: dist/site/index.html.
 */

const BROWSER = 'scenarios/site/browser';

/** A script in one piece, for browsers. */
async function bundled(input: string): Promise<string> {
  const bundle = await rolldown({ input, platform: 'browser', tsconfig: 'tsconfig.page.json', logLevel: 'warn' });
  const { output } = await bundle.generate({ format: 'iife' });
  await bundle.close();
  return output[0].code;
}

const [file = join('dist', 'site', 'index.html')] = process.argv.slice(2);
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
const style = ['scenarios/report/page/browser/page.css', `${BROWSER}/site.css`].map((path) =>
  readFileSync(path, 'utf8'),
);
const page = siteOf({
  script: await bundled(`${BROWSER}/main.ts`),
  simulator: await bundled(`${BROWSER}/worker.ts`),
  style: style.join('\n'),
  version,
});
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, page);
console.log(`${file}: ${page.length} octets`);
