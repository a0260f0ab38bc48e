import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Compile once before the tests: some of them run the program as users do. */
export function setup(): void {
  const root = join(import.meta.dirname, '../..');
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
}
