import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A name that a door lets out. */
export interface Exported {
  readonly name: string;
  readonly isType: boolean;
  /** The file behind the door, and its name there. */
  readonly from: string;
  readonly as: string;
}

/** The names that `file` exports from other files, sorted. Errors: those of the file system. */
export function exportsOf(file: string): Exported[] {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const line = /^export (type )?\{([^}]*)\} from '([^']+)';/gm;
  const found = [...text.matchAll(line)].flatMap(([, allTypes, names, from]) =>
    names!
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '')
      .map((each) => {
        const [as, name = as] = each.replace(/^type /, '').split(' as ') as [string, string?];
        const isType = allTypes !== undefined || each.startsWith('type ');
        return { name, isType, from: join(dirname(file), from!), as };
      }),
  );
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The docstring of what a door exports, found behind however many doors; '' where there is none. */
export function docOf({ from, as }: Exported): string {
  const text = readFileSync(from, 'utf8');
  const declared = new RegExp(
    `(?:/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\n)?export (?:declare |abstract )?(?:function\\*?|class|const|type|interface) ${as}\\b`,
  ).exec(text);
  if (declared !== null) return declared[1]?.trim() ?? '';
  const next = exportsOf(from).find(({ name }) => name === as);
  return next === undefined ? '' : docOf(next);
}
