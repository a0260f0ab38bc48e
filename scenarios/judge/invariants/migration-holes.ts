import type { Copies } from '../copies.ts';
import type { Copy } from '../migrations.ts';
import type { Defect } from './finding.ts';
import type { Progress } from './migration-progress.ts';

/** Rows of 3.4 in which xl leaves nobody running, each with what it is known by. */
const HOLES = {
  'FP-7': 'SRC-7: a guest that took the request and parked late is resumed by nobody',
  'FP-9': 'SRC-6: a guest that answered over its suspend channel is taken for one that did not, and stays parked',
  'FP-10': 'LK-4: a link that stalls is waited for without an end, and the guest is parked',
  'FP-13': 'XM-6: a go that was lost on its way leaves both copies where they are',
  'FP-16': 'the word that gives the guest back was lost, and nobody has it',
  'FP-20': 'the sender was killed while the guest was parked: nobody resumes it',
  'MIG-19': 'XS_RESUME was lost: the store tells nobody that the guest has parked again',
  'FP-23': 'the receiver was killed between the go and the start of its copy',
} as const satisfies Readonly<Record<string, string>>;

const DEFECTS = Object.fromEntries(
  Object.entries(HOLES).map(([label, what]) => [label, { label, what } satisfies Defect]),
) as Readonly<Record<keyof typeof HOLES, Defect>>;

/**
 * Which of xl's known holes a guest without an owner fell into, by what the processes of its last migration said and by what was
 * left; `undefined`: none of them, and it is a discovery. Two copies that run are never xl's doing (FP-35).
 */
export function knownHole(migration: Progress, copies: readonly Copy[], states: Copies): Defect | undefined {
  if (copies.some((copy) => states.stateOf(copy) === 'running')) return undefined;
  const { source, target, sourceEnd, targetEnd, killed, goWritten, goRead, unpaused } = migration;
  const isParked = source !== undefined && states.stateOf(source) === 'parked';
  if (!isParked || unpaused) return undefined;
  const isLeft = target !== undefined && states.stateOf(target) === 'paused';
  if (sourceEnd === 'failed_suspend') {
    if (!migration.wasParked) return DEFECTS['FP-7'];
    return migration.isUntold ? DEFECTS['MIG-19'] : DEFECTS['FP-9'];
  }
  if (killed.has('S') && !goWritten) return DEFECTS['FP-20'];
  if (goRead && killed.has('R')) return DEFECTS['FP-23'];
  if (goWritten && sourceEnd === undefined) return DEFECTS['FP-10'];
  if (sourceEnd === undefined) return DEFECTS['FP-10'];
  if (sourceEnd !== 'failed_badly' && !killed.has('S')) return undefined;
  if (isLeft && !goRead) return DEFECTS['FP-13'];
  if (targetEnd === 'granted back' || targetEnd === 'left paused') return DEFECTS['FP-16'];
  return undefined;
}
