import { type Fields, isObject, nameIn, notUnderstood, shown } from './fields.ts';

/**
 * What a script expects of the lines that were printed since its last action, or, with `ever`, since it began. A pattern names
 * fields of a line, and what each is: a value; `{"like": "…"}`, a regular expression in JavaScript's words that some part of it
 * matches; or `{"shown": "…"}`, what it is when each NUL is shown as a space, as the daemons' logs do.
 */
export interface Expectation {
  readonly kind: 'expect';
  /** `some`: one line is like one pattern; `none`: no line is; `all`: these lines, in this order, and no others. */
  readonly what: 'some' | 'none' | 'all';
  readonly patterns: readonly Pattern[];
  readonly ever?: true;
}

export type Pattern = Readonly<Record<string, unknown>>;

/** The expectation of a line with the key `expect` or `never`. */
export function expectationOf(fields: Fields, key: 'expect' | 'never'): Expectation {
  const value = fields[key];
  const isList = Array.isArray(value);
  if (isList && key === 'never') notUnderstood('never: must be one pattern, not a list');
  const patterns = (isList ? value : [value]).map((pattern) => patternOf(pattern, key));
  if (fields.ever !== undefined && fields.ever !== true)
    notUnderstood(`ever: must be true or left out, not ${shown(fields.ever)}`);
  const what = isList ? 'all' : key === 'never' ? 'none' : 'some';
  return { kind: 'expect', what, patterns, ...(fields.ever === true ? { ever: true } : {}) };
}

function patternOf(value: unknown, key: string): Pattern {
  if (!isObject(value)) notUnderstood(`${key}: a pattern is an object with fields of a line, not ${shown(value)}`);
  for (const [field, wanted] of Object.entries(value)) {
    if (!isObject(wanted)) continue;
    const [how, ...others] = Object.keys(wanted);
    if ((how !== 'like' && how !== 'shown') || others.length > 0)
      notUnderstood(`${key}: ${field}: must be a value, {"like": "…"} or {"shown": "…"}, not ${shown(wanted)}`);
    if (how === 'shown') {
      if (typeof wanted.shown !== 'string') notUnderstood(`${key}: ${field}: shown: must be a string`);
      continue;
    }
    try {
      new RegExp(nameIn(wanted, 'like'), 's');
    } catch (error) {
      notUnderstood(`${key}: ${field}: like: ${(error as Error).message}`);
    }
  }
  return value;
}

/** @returns why the lines, as they were printed, are not what is expected; `undefined`: they are. */
export function disappointment(expectation: Expectation, printed: readonly string[]): string | undefined {
  const lines = printed.map((line) => JSON.parse(line) as Fields);
  const { what, patterns } = expectation;
  const came = () => (printed.length === 0 ? 'nothing came' : `came ${printed.join(', ')}`);
  const wanted = () => patterns.map((pattern) => JSON.stringify(pattern)).join(', ');
  switch (what) {
    case 'some':
      if (lines.some((line) => isLike(line, patterns[0]!))) return undefined;
      return `expected ${wanted()}, ${came()}`;
    case 'none': {
      const at = lines.findIndex((line) => isLike(line, patterns[0]!));
      return at < 0 ? undefined : `never expected ${wanted()}, came ${printed[at]}`;
    }
    case 'all': {
      const isAll = lines.length === patterns.length && lines.every((line, i) => isLike(line, patterns[i]!));
      return isAll ? undefined : `expected exactly ${patterns.length === 0 ? 'nothing' : wanted()}, ${came()}`;
    }
  }
}

function isLike(line: Fields, pattern: Pattern): boolean {
  return Object.entries(pattern).every(([field, wanted]) => {
    const value = line[field];
    if (!isObject(wanted)) return JSON.stringify(value) === JSON.stringify(wanted);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (text === undefined) return false;
    if (typeof wanted.shown === 'string') return text.replaceAll('\0', ' ') === wanted.shown;
    return new RegExp(String(wanted.like), 's').test(text);
  });
}
