import { copyFileSync, mkdirSync } from 'node:fs';
import { defineConfig } from 'rolldown';

const HERE = 'scenarios/report/page/browser';

/** The script of the page that `--report` writes, in one piece for the browser, and its style beside it. */
export default defineConfig({
  input: { page: `${HERE}/main.ts` },
  platform: 'browser',
  tsconfig: 'tsconfig.page.json',
  logLevel: 'silent',
  output: { dir: 'dist/page', format: 'iife', entryFileNames: '[name].js' },
  plugins: [
    {
      name: 'style',
      writeBundle() {
        mkdirSync('dist/page', { recursive: true });
        copyFileSync(`${HERE}/page.css`, 'dist/page/page.css');
      },
    },
  ],
});
