/** What keys do, for the help and for whoever presses them; letters as they are typed. */
export const KEYS = [
  ['ArrowRight', 'the next record'],
  ['ArrowLeft', 'the record before'],
  ['Shift+ArrowRight', 'the next record of this lane'],
  ['Shift+ArrowLeft', 'the record before in this lane'],
  ['PageDown', 'a hundred records on'],
  ['PageUp', 'a hundred records back'],
  ['Home', 'the first record'],
  ['End', 'the last record'],
  ['n', 'the next finding'],
  ['N', 'the finding before'],
  ['u', 'the next update or migration'],
  ['U', 'the update or migration before'],
  ['v', 'the finding, with what led to it'],
  ['+', 'nearer'],
  ['-', 'further'],
  ['0', 'the whole run'],
  ['o', 'by time, or every record as far from the next'],
  ['/', 'search: a path (/local/domain/3/data), or a name of a connection or program (domU3)'],
  ['Enter', 'what was searched, once more'],
  ['d', 'dark or light'],
  ['?', 'these keys'],
] as const;

export type Key = (typeof KEYS)[number][0];

/** The key that an event is of; `undefined`: it is none of ours. */
export function keyOf({ key, shiftKey, ctrlKey, metaKey, altKey }: KeyboardEvent): Key | undefined {
  if (ctrlKey || metaKey || altKey) return undefined;
  const name = shiftKey && key.startsWith('Arrow') ? `Shift+${key}` : key === '=' ? '+' : key;
  return KEYS.find(([each]) => each === name)?.[0];
}

/** Whether somebody types there: keys are theirs. */
export function takesKeys(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return target.type !== 'range' && target.type !== 'checkbox';
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}
