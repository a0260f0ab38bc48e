/** What a file says once its words are taken out: comments, texts and patterns, which may name anything. */

const BEFORE_PATTERN = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|=>|\b(?:return|typeof|case|yield|void|in|of|else|do))\s*$/;

/**
 * The code of a TypeScript file, of the same length and with the same lines: what stands in comments, strings,
 * templates (but for their `${…}`) and regular expressions is blanked; the quotes of strings stay.
 * Errors: none; an end that is missing lasts to the end of the file.
 */
export function codeOf(text: string): string {
  const out: string[] = [];
  const blank = (part: string) => out.push(part.replace(/[^\n]/g, ' '));
  let line = ''; // what stands before on this line, to tell a pattern from a division
  const keep = (part: string) => {
    out.push(part);
    line = part.includes('\n') ? part.slice(part.lastIndexOf('\n') + 1) : line + part;
  };
  const templates: number[] = []; // for each open `${`, the braces open within it
  let at = 0;
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? text.slice(at);
    at += found.length;
    return found;
  };
  const template = () => {
    blank(take(/(?:[^\\`$]|\\[\s\S]|\$(?!\{))*/y));
    if (text.startsWith('${', at)) {
      templates.push(0);
      keep(take(/\$\{/y));
    } else keep(take(/`|$/y));
  };
  while (at < text.length) {
    const open = templates.at(-1);
    if (text.startsWith('//', at)) blank(take(/[^\n]*/y));
    else if (text.startsWith('/*', at)) blank(take(/\/\*[\s\S]*?\*\//y));
    else if (text[at] === "'" || text[at] === '"') {
      const quoted = take(text[at] === "'" ? /'(?:[^\\'\n]|\\[\s\S])*'?/y : /"(?:[^\\"\n]|\\[\s\S])*"?/y);
      keep(quoted[0] as string);
      blank(quoted.slice(1, -1));
      if (quoted.length > 1) keep(quoted.at(-1) as string);
    } else if (text[at] === '`') {
      keep(take(/`/y));
      template();
    } else if (open === 0 && text[at] === '}') {
      templates.pop();
      keep(take(/\}/y));
      template();
    } else if (text[at] === '/' && BEFORE_PATTERN.test(line)) {
      blank(take(/\/(?:[^\\/[\n]|\\.|\[(?:[^\\\]\n]|\\.)*\])*\/?[a-z]*/y));
      line += '/';
    } else {
      if (open !== undefined && text[at] === '{') templates[templates.length - 1] = open + 1;
      if (open !== undefined && text[at] === '}') templates[templates.length - 1] = open - 1;
      keep(take(/[\w$]+|[\s\S]/y));
    }
  }
  return out.join('');
}

/** A call by which the host could get into a run, and why it is refused. */
interface Banned {
  readonly call: RegExp;
  readonly why: string;
}

/** Refused everywhere: what they give depends on the machine, on its language or on the engine. */
const NOWHERE: readonly Banned[] = [
  { call: /\bMath\s*\.\s*random\b/, why: 'chance comes from named streams of the seed' },
  { call: /\blocaleCompare\b|\btoLocale\w+|\bIntl\b/, why: 'follows the language of the host' },
  { call: /\bMath\s*\.\s*(?:exp|expm1|log\w*|pow|a?(?:sin|cos|tan)h?|cbrt|hypot)\b/, why: 'follows the engine' },
  { call: /\.\s*(?:sort|toSorted)\(\s*\)/, why: 'puts 10 before 9: say by what' },
];

/** Refused where the scheduler rules. */
const NOT_UNDER_THE_SCHEDULER: readonly Banned[] = [
  { call: /\bDate\b|\bperformance\b/, why: 'time is clock.nowNs' },
  { call: /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/, why: "timers belong to the machine's clock" },
  { call: /\basync\b|\bawait\b|\bPromise\b/, why: "order is the scheduler's: a queue of microtasks cannot be asked" },
  { call: /(?<![.\w])process\s*[.[]|\bglobalThis\b/, why: 'only the command line looks at the host' },
  { call: /(?<![.\w])crypto\b/, why: 'chance comes from named streams of the seed' },
  { call: /\bWeakRef\b|\bFinalizationRegistry\b/, why: 'follows the garbage collector' },
  { call: /\bBuffer\b/, why: 'octets are Uint8Array' },
  { call: /\bTextDecoder\b/, why: 'eats a byte order mark and replaces octets that are no text' },
];

/** Calls of `text` that let the host in, as `line: call: why`; `scheduled` where the scheduler rules. Errors: none. */
export function hostCalls(text: string, scheduled: boolean): string[] {
  const banned = scheduled ? [...NOWHERE, ...NOT_UNDER_THE_SCHEDULER] : NOWHERE;
  return codeOf(text)
    .split('\n')
    .flatMap((line, i) =>
      banned.flatMap(({ call, why }) => {
        const found = call.exec(line)?.[0];
        return found === undefined ? [] : [`${i + 1}: ${found}: ${why}`];
      }),
    );
}
