import { type Carriage, extentOf, type StateFormat, type StateRow } from '../../store/format/model/index.ts';
import { liveUpdateMidTraffic } from '../catalogue/live-update-mid-traffic.ts';
import { FAMILIES, type Family } from '../judge/invariants/index.ts';
import { predict } from './predict.ts';

/** Which families of checks see the loss of a row in the headline scenario; in words: why none does. */
export const SEEN_BY: Readonly<Record<StateRow, readonly Family[] | string>> = {
  node: ['replies', 'watch-events', 'transactions', 'final-tree'],
  siblingOrder: ['replies', 'transactions'],
  acl: ['replies', 'transactions', 'final-tree'],
  staleAcl: 'nobody names a domain that does not exist',
  specialAcl: 'special nodes have the entries of a fresh start',
  generation: 'generations in DIRECTORY_PART may change with an update',
  watch: ['watch-events'],
  watchDepth: ['watch-events'],
  txId: ['transactions'],
  txWrites: ['transactions'],
  txDeletes: ['transactions'],
  txReads: ['transactions'],
  txBase: 'a carried transaction may end in EAGAIN',
  txEvents: ['watch-events'],
  output: ['replies', 'final-tree'],
  outputBoundary: 'the octets go out all the same, but for an event that waits for 20 s',
  // What follows on the ring is read out of step.
  input: ['ring-octets', 'replies', 'watch-events', 'final-tree'],
  delayed: 'updates wait for nobody, so nothing is put aside',
  target: 'nobody stands for another',
  binding: 'no format loses it',
  connections: 'rings do not depend on it, and sockets are told of by themselves',
  // A monitor and the operator wait for ever; with requests open the run does not come to its end.
  sockets: ['replies', 'watch-events', 'final-tree'],
  readOnly: 'nobody uses that socket',
  listeners: 'a new one is opened; whoever was waiting is turned away, and comes again',
  evtchnFd: 'ports are bound again',
  port: ['ring-octets', 'replies', 'watch-events', 'final-tree'],
  excPort: 'the successor binds it again',
  mfn: 'the ring is found through its grant',
  defaultQuotas: 'nobody changes any',
  domainQuotas: 'nobody changes any',
  unknownQuotas: 'nobody has any',
  features: 'nobody changes any',
  uniqueId: 'no number is given again during an update',
  flags: 'one more @releaseDomain for a domain that has shut down is allowed',
  ringWords: 'in guest memory',
};

/** What a lost row may break besides, by what the traffic happens to be. */
const MAY_ALSO: Partial<Record<StateRow, readonly Family[]>> = {
  siblingOrder: ['watch-events'], // a domain's nodes go in the order in which they are listed
  output: ['ring-octets', 'watch-events'], // the rest of a message is read as the head of the next one
  input: ['transactions'], // a request that was cut in two, and lost, may have been one of a transaction
  sockets: ['ring-octets'], // a request may have been on its way
};

export interface Forecast {
  /** Families that break with a few seeds. */
  readonly sure: readonly Family[];
  /** Families that may break, by what the traffic happens to be. */
  readonly possible: readonly Family[];
}

/** What breaks when the headline scenario is updated through a format with this carriage. */
export function predictBroken(carriage: Carriage): Forecast {
  const broken = new Set<Family>();
  const isLost = (row: StateRow) => predict(carriage, row).extent === 'none' && carriage.marks[row] !== 'memory';
  for (const [row, families] of Object.entries(SEEN_BY) as [StateRow, readonly Family[] | string][]) {
    if (typeof families === 'string' || !isLost(row)) continue;
    // Events that a transaction owes are missed only if it can commit.
    if (row === 'txEvents' && isLost('txBase')) continue;
    for (const family of families) broken.add(family);
  }
  // A fresh store lets everybody see @releaseDomain, by an entry for any domain.
  if (!carriage.knowsDomidAny && extentOf(carriage, 'specialAcl') !== 'none')
    for (const family of ['replies', 'final-tree'] as const) broken.add(family);
  // Who is cut off never learns what became of its transactions: only dom0, whose port its kernel tells, goes on.
  const isCutOff = isLost('port');
  const sure = FAMILIES.filter((family) => broken.has(family) && !(isCutOff && family === 'transactions'));
  const mayBreak = new Set(broken);
  for (const [row, families] of Object.entries(MAY_ALSO) as [StateRow, readonly Family[]][])
    if (isLost(row)) for (const family of families) mayBreak.add(family);
  return { sure, possible: FAMILIES.filter((family) => mayBreak.has(family) && !sure.includes(family)) };
}

export interface Trial {
  readonly format: string;
  readonly predicted: Forecast;
  readonly observed: readonly Family[];
  readonly seeds: number;
}

const SEEDS_MIN = 2;
/** Not every seed cuts a request in two; what was predicted and has not shown by then is a prediction that did not hold. */
const SEEDS_MAX = 6;
const TRAFFIC = { requests: 3_500, updates: 5 };
/** Such a run ends within a twentieth of this. */
const HORIZON_NS = 1_000_000_000;

/** Update the headline scenario through a format, with a few seeds, and see which families break in any of them. */
export function tryFormat(format: StateFormat): Trial {
  const predicted = predictBroken(format.carriage);
  const broken = new Set<Family>();
  let seeds = 0;
  while (seeds < SEEDS_MAX && (seeds < SEEDS_MIN || predicted.sure.some((family) => !broken.has(family)))) {
    seeds++;
    for (const family of brokenIn(format, String(seeds))) broken.add(family);
  }
  return { format: format.name, predicted, observed: FAMILIES.filter((family) => broken.has(family)), seeds };
}

/** Families that one seed breaks. */
export function brokenIn(format: StateFormat, seed: string): readonly Family[] {
  const { verdicts } = liveUpdateMidTraffic.run({
    seed,
    format: format.name,
    lab: format,
    asksForDepth: true,
    checks: true,
    horizonNs: HORIZON_NS,
    judgesUnfinished: true,
    settings: TRAFFIC,
  });
  return FAMILIES.filter((family) => verdicts.some((v) => v.invariant === family && v.violations.length > 0));
}

/** Everything broke that had to, and nothing that could not. */
export function isAsPredicted(trial: Trial): boolean {
  return FAMILIES.every((family) => isFamilyAsPredicted(trial, family));
}

export function isFamilyAsPredicted({ predicted, observed }: Trial, family: Family): boolean {
  return predicted.possible.includes(family) || predicted.sure.includes(family) === observed.includes(family);
}
