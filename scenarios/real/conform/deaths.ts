import { type Action, formatAction } from '../../drive/script.ts';
import { errorOf, holdsMalformedPath } from './known.ts';

/** A daemon's end in the middle of a script. */
export interface Death {
  /** The last action that it was given: a script's, or a silent update between two. */
  readonly action: Action;
  /** What ours gave for it. */
  readonly ours: readonly string[];
  readonly lastWords: string;
}

/** A way to end that is known of a daemon; docs/daemons.md tells of each, and where Xen's tree has the cause. */
export interface KnownDeath {
  readonly name: string;
  readonly is: (death: Death) => boolean;
}

export const KNOWN_DEATHS: readonly KnownDeath[] = [
  { name: 'not-introduced-in-image', is: (d) => isUpdate(d) && d.lastWords.includes('referenced domain not found') },
  {
    name: 'owner-not-introduced-in-image',
    is: (d) => isUpdate(d) && d.lastWords.includes('write node error restoring node'),
  },
  { name: 'watch-over-path-max', is: (d) => isUpdate(d) && d.lastWords.includes('allocation error for read watch') },
  { name: 'refused-without-errno', is: (d) => isAssertion(d) && isOverwrite(d.action) && errorOf(d.ours) === 'ENOMEM' },
  { name: 'no-errno-yet', is: (d) => isAssertion(d) && holdsMalformedPath(d.action) },
];

export function knownDeath(death: Death): KnownDeath | undefined {
  return KNOWN_DEATHS.find((one) => one.is(death));
}

/** What two deaths have in common that have one cause, as far as their last words tell. */
export function causeOf(death: Death): string {
  const known = knownDeath(death)?.name;
  if (known !== undefined) return known;
  const words = death.lastWords.split('\n').filter((line) => line !== '');
  return `${death.action.kind} ${words.slice(-2).join(' ').replace(/\d+/g, 'N')}`;
}

/** By hand it is a request for it, or the end of the last transaction that it has waited for: the words tell. */
function isUpdate({ action }: Death): boolean {
  if (action.kind === 'message') return action.op === 'CONTROL' || action.op === 'TRANSACTION_END';
  return action.kind !== 'domain' && action.kind !== 'socket';
}

function isAssertion({ lastWords }: Death): boolean {
  return /Assertion .* failed/.test(lastWords);
}

function isOverwrite(action: Action): boolean {
  return action.kind === 'message' && (action.op === 'WRITE' || action.op === 'SET_PERMS');
}

/** One line: what the daemon was told last, and what became of it. */
export function deathText(death: Death): string {
  return `${formatAction(death.action)}: ${death.lastWords.trim().split('\n').slice(-2).join(', ')}`;
}
