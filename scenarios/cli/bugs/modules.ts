import { existsSync, readFileSync } from 'node:fs';
import { type Applied, applyChanges, type Bug, changesOf } from '../../bugs/index.ts';

/** The folder of the modules as they are loaded, wherever in it this one is: also from a bundle of them. */
const ROOT = rootAbove(import.meta.url);

function rootAbove(url: string): URL {
  for (let folder = new URL('./', url); ; folder = new URL('../', folder)) {
    if (existsSync(new URL('scenarios/cli.js', folder))) return folder;
    if (folder.pathname === '/') throw new Error(`assertion: ${url} lies in no package that was built`);
  }
}

/** Where the module of a source file is loaded from. `file`: from the root, as `store/tree/view.ts`. */
export function moduleUrl(file: string): URL {
  return new URL(file.replace(/\.ts$/, '.js'), ROOT);
}

/** Texts of the modules that bugs change, by URL. Errors: a change that does not fit what there is, as a reason. */
export function changedModules(bugs: readonly Bug[]): ReadonlyMap<string, Applied> {
  return new Map(
    [...changesOf(bugs)].map(([file, changes]) => {
      const url = moduleUrl(file);
      if (!existsSync(url)) return [url.href, { ok: false, reason: `${file}: there is no such module` }];
      return [url.href, applyChanges(readFileSync(url, 'utf8'), changes)];
    }),
  );
}

/** Why bugs cannot be switched on in the code of today; `undefined`: they can. */
export function misfit(bugs: readonly Bug[]): string | undefined {
  for (const applied of changedModules(bugs).values()) if (!applied.ok) return applied.reason;
  return undefined;
}
