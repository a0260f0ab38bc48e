/** What goes on in a run that a rule may need for an occasion: rules say what they need, scenarios what they do. */
export const DOINGS = {
  creates: 'domains that are introduced',
  builds: 'domains that are made as `xl create` makes them, each by a process that may die',
  destroys: 'domains that are destroyed',
  remakes: 'domains that are made after others were destroyed',
  spares: 'five guests or more, so that one may end',
  bare: 'guests without devices',
  alone: 'guests of whom nobody but the store maps a page, so that their ids are free at once',
  updates: 'live updates',
  transacts: 'transactions of guests in nodes that others write',
  sockets: 'a store in dom0, with sockets',
  migrates: 'guests that are moved between hosts',
  looks: 'guests that are moved by a toolstack that looks at the answer to INTRODUCE',
  channels: 'guests that are asked to suspend over an event channel',
  ours: "this package's own store, which can be made to lack memory, and looks at an image before it executes its successor",
} as const;

export type Doing = keyof typeof DOINGS;

/** All of them: a scenario that says nothing. */
export const EVERYTHING: readonly Doing[] = Object.keys(DOINGS) as Doing[];

/** Those that are so. */
export function doings(are: Readonly<Partial<Record<Doing, boolean>>>): readonly Doing[] {
  return EVERYTHING.filter((doing) => are[doing] === true);
}

/** What a rule needs and does not find. */
export function lacking(needs: readonly Doing[] = [], has: readonly Doing[]): readonly Doing[] {
  return needs.filter((doing) => !has.includes(doing));
}
