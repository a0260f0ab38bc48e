/** The colours of the style that is in force, for what is drawn. */
export interface Colours {
  readonly back: string;
  readonly line: string;
  readonly text: string;
  readonly dim: string;
  readonly request: string;
  readonly reply: string;
  readonly event: string;
  readonly move: string;
  readonly fact: string;
  readonly fill: string;
  readonly update: string;
  readonly migration: string;
  readonly bad: string;
  readonly found: string;
  readonly chosen: string;
}

const NAMES = [
  'back', 'line', 'text', 'dim', 'request', 'reply', 'event', 'move',
  'fact', 'fill', 'update', 'migration', 'bad', 'found', 'chosen',
] as const; // biome-ignore format: a table

export function coloursNow(): Colours {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
  ) as unknown as Colours;
}
