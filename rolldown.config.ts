import { defineConfig } from 'rolldown';

/**
 * The program in a few files, beside the modules that `tsc` has made: most of its start is Node's finding and compiling some five
 * hundred of them. Only what turns users' formats into JavaScript, and what talks to a fleet, stay outside: they are large, and rarely called.
 */
export default defineConfig({
  input: {
    xenarium: 'dist/scenarios/cli.js',
    'sweep-worker': 'dist/scenarios/cli/sweep-worker.js',
    'matrix-worker': 'dist/scenarios/cli/matrix-worker.js',
    'facts-worker': 'dist/scenarios/cli/hunt/facts-worker.js',
    'verify-child': 'dist/scenarios/cli/hunt/verify-child.js',
  },
  platform: 'node',
  external: ['jiti', 'bullmq', 'ioredis'],
  logLevel: 'warn',
  output: { dir: 'dist/bin', format: 'esm', chunkFileNames: '[name].js' },
});
