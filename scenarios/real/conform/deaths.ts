import { textOf } from '../../../store/protocol/octets.ts';
import { XS } from '../../../store/protocol/wire.ts';
import { type Action, formatAction } from '../../drive/script.ts';
import { errorOf, holdsMalformedPath, watchesToDepth, wholeRequests } from './known.ts';

/** A daemon's end in the middle of a script. */
export interface Death {
  /** All that it was given before. */
  readonly before: readonly Action[];
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
  { name: 'depth-over-update', is: (d) => isUpdate(d) && /FATAL/.test(d.lastWords) && watchesToDepth(d.before) },
  {
    name: 'special-owner-gone',
    is: (d) => d.lastWords.includes('SIGSEGV') && ownsSpecial(d.before) && isEnd(d.action),
  },
  { name: 'target-gone', is: (d) => d.lastWords.includes('SIGSEGV') && hadTarget(d.before) },
  { name: 'not-introduced-in-image', is: (d) => isUpdate(d) && d.lastWords.includes('referenced domain not found') },
  {
    name: 'owner-not-introduced-in-image',
    is: (d) => isUpdate(d) && d.lastWords.includes('write node error restoring node'),
  },
  { name: 'watch-over-path-max', is: (d) => isUpdate(d) && d.lastWords.includes('allocation error for read watch') },
  {
    name: 'refused-without-errno',
    is: (d) => isAssertion(d) && isOverwrite(d.action) && d.ours.some((line) => errorOf([line]) === 'ENOMEM'),
  },
  { name: 'no-errno-yet', is: (d) => isAssertion(d) && (holdsMalformedPath(d.action) || isSpecialPerms(d.action)) },
];

export function knownDeath(death: Death): KnownDeath | undefined {
  return KNOWN_DEATHS.find((one) => one.is(death));
}

/** What two deaths have in common that have one cause, as far as their last words tell. */
export function causeOf(death: Death): string {
  const known = knownDeath(death)?.name;
  if (known !== undefined) return known;
  return `${death.action.kind} ${end(death).replace(/\d+/g, 'N')}`;
}

/** What a daemon says of requests that it has refused, and of itself when it begins. */
const NOISE =
  /\[ERR\] process_messageClient unknown operation -?\d+|Client tried to feed us \d+|xenstored is ready|\[ERR\] \w+/g;

function end({ lastWords }: Death): string {
  const lines = lastWords.replace(NOISE, '').split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .slice(-2)
    .join(', ');
}

/** By hand it is a request for it, or the end of the last transaction that it has waited for: the words tell. */
function isUpdate({ action }: Death): boolean {
  if (action.kind === 'message') return action.op === 'CONTROL' || action.op === 'TRANSACTION_END';
  return action.kind !== 'domain' && action.kind !== 'socket';
}

/** The end of a domain, or of what the store knows of it. */
function isEnd(action: Action): boolean {
  return action.kind === 'destroy' || (action.kind === 'message' && action.op === 'RELEASE');
}

/** A domain that was somebody's target, or had one, has ended since. */
function hadTarget(before: readonly Action[]): boolean {
  const at = before.findIndex((action) => action.kind === 'message' && action.op === 'SET_TARGET');
  return at >= 0 && before.slice(at).some(isEnd);
}

/** A special node was given to a domain other than the privileged one. */
function ownsSpecial(before: readonly Action[]): boolean {
  return before.some(
    (action) =>
      action.kind === 'message' && action.op === 'SET_PERMS' && /^@[^\0]*\0[nrwb][1-9]/.test(textOf(action.payload)),
  );
}

function isAssertion({ lastWords }: Death): boolean {
  return /Assertion .* failed/.test(lastWords);
}

function isSpecialPerms(action: Action): boolean {
  return action.kind === 'message' && action.op === 'SET_PERMS' && textOf(action.payload).startsWith('@');
}

function isOverwrite(action: Action): boolean {
  return wholeRequests(action).some(({ type }) => type === XS.WRITE || type === XS.SET_PERMS);
}

/** One line: what the daemon was told last, and what became of it. */
export function deathText(death: Death): string {
  return `${formatAction(death.action)}: ${end(death)}`;
}
