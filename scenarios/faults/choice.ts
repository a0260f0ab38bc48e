/** Words that stand for more than one rule, or none. */
export const CHOICES = ['off', 'swarm', 'all'] as const;

/** The labels that a choice asks for by name. */
export function namedIn(choice: string): string[] {
  return choice.split(',').filter((word) => !word.startsWith('-') && !CHOICES.some((each) => each === word));
}

/** Whether chance has a say in a choice. */
export function hasSwarm(choice: string): boolean {
  return choice.split(',').includes('swarm');
}

/**
 * Whether a choice of faults names a rule. `choice`: words and ids with commas between them, from left to right; one with `-`
 * before it takes out (`all,-INJ-G5`). `isInSwarm`: whether this seed's swarm has the rule.
 */
export function isChosen(choice: string, id: string, isInSwarm: boolean): boolean {
  let chosen = false;
  for (const word of choice.split(',')) {
    if (word === id || word === 'all' || (word === 'swarm' && isInSwarm)) chosen = true;
    else if (word === `-${id}` || word === 'off') chosen = false;
  }
  return chosen;
}
