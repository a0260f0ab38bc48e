import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { textOf } from '../../../store/protocol/octets.ts';
import { opName } from '../../../store/protocol/wire.ts';
import { type Action, type MessageAction, txIdOf } from '../../drive/script.ts';

/** One action on which the two sides disagree, and what each of them said. */
export interface Disagreement {
  readonly action: Action;
  readonly daemon: readonly string[];
  readonly ours: readonly string[];
  /** All actions before it, updates among them; nothing where that does not matter. */
  readonly before?: readonly Action[];
}

/** A class of differences between a daemon and ours, which follows the C daemon. docs/daemons.md tells of each. */
export interface KnownDifference {
  readonly name: string;
  readonly is: (what: Seen) => boolean;
  /** From here on the two have different trees, watches or transactions: what follows cannot be compared. */
  readonly parts: boolean;
}

/** A disagreement taken apart. Replies are those of the action itself, events all the rest. */
interface Seen {
  readonly action: Action;
  readonly before: readonly Action[];
  /** Of a message; '' for other actions. */
  readonly op: string;
  readonly payload: string;
  /** A transaction is named, whether it is there or not. */
  readonly inTransaction: boolean;
  readonly theirs: Reply;
  readonly ours: Reply;
  /** Whether only the lines behind the action's own differ. */
  readonly sameReply: boolean;
  /** Whether only the action's own lines differ. */
  readonly sameRest: boolean;
}

interface Reply {
  /** `EINVAL`; '' for a success, or no reply. */
  readonly error: string;
  readonly payload: string;
  readonly isDead: boolean;
  /** Lines behind the action's own. */
  readonly rest: readonly string[];
}

const NO_TRANSACTIONS: ReadonlyMap<string, number> = new Map();

/** The class that a disagreement belongs to; `undefined`: nobody knows it. */
export function knownDifference(
  what: Disagreement,
  classes: readonly KnownDifference[] = OXENSTORED,
): KnownDifference | undefined {
  const { action, daemon, ours } = what;
  if (classes === OXENSTORED && daemon.includes(BUSY)) return busyOrMore(what);
  const message = action.kind === 'message' ? (action as MessageAction) : undefined;
  const seen: Seen = {
    action,
    before: what.before ?? [],
    op: message === undefined ? '' : String(message.op),
    payload: message === undefined ? '' : String.fromCharCode(...message.payload),
    inTransaction: message !== undefined && message.tx !== 0 && txIdOf(message.tx, NO_TRANSACTIONS) !== 0,
    theirs: replyOf(daemon),
    ours: replyOf(ours),
    sameReply: daemon[0] === ours[0],
    sameRest: daemon.slice(1).join('\n') === ours.slice(1).join('\n'),
  };
  return classes.find((one) => one.is(seen));
}

/** What an update came to that an oxenstored has refused for as long as it was asked. */
const BUSY = '{"liveUpdate": "failed", "reason": "BUSY"}';
/** Ours refuses likewise, and says why; or it does the update, which can make it forget what the daemon still knows. */
const UPDATE_BUSY: KnownDifference = { name: 'update-busy', parts: false, is: () => true };
const UPDATE_DONE_HERE: KnownDifference = { name: 'update-done-here', parts: true, is: () => true };

/** An update of the action's own, or one behind it: what else there is is looked at without it. */
function busyOrMore({ action, daemon, ours }: Disagreement): KnownDifference | undefined {
  const isUpdate = (line: string) => line.startsWith('{"liveUpdate": ');
  const others = (lines: readonly string[]) => lines.filter((line) => !isUpdate(line));
  const isRefusedHere = ours.some((line) => line.startsWith('{"liveUpdate": "failed"'));
  const busy = isRefusedHere ? UPDATE_BUSY : UPDATE_DONE_HERE;
  const [theirs, own] = [others(daemon), others(ours)];
  if (theirs.join('\n') === own.join('\n')) return busy;
  const more = added(own, theirs);
  if (!isRefusedHere && more.length > 0 && more.every((line) => line.includes('"event": '))) return busy; // the update's
  if (action.kind === 'liveUpdate') return undefined;
  const known = knownDifference({ action, daemon: theirs, ours: own });
  return known === undefined ? undefined : { ...known, parts: known.parts || busy.parts };
}

function replyOf(lines: readonly string[]): Reply {
  const own = JSON.parse(lines[0] ?? '{}') as { reply?: string; payload?: string; dead?: boolean };
  const payload = own.payload ?? '';
  return {
    error: own.reply === 'ERROR' ? payload.replace(/\0$/, '') : '',
    payload,
    isDead: own.dead === true,
    rest: lines.slice(1),
  };
}

/** The error that an action's lines begin with; '' for a success, or no reply. */
export function errorOf(lines: readonly string[]): string {
  return replyOf(lines).error;
}

function errors(seen: Seen, theirs: string, ours: string): boolean {
  return seen.theirs.error === theirs && seen.ours.error === ours;
}

function sortedNames(payload: string): string {
  return payload.split('\0').sort().join('\0');
}

function sorted(lines: readonly string[]): string {
  return [...lines].sort().join('\n');
}

const LOOKS = new Set(['READ', 'DIRECTORY', 'GET_PERMS']);
const DOMAIN_OPS = new Set(['INTRODUCE', 'RELEASE', 'RESUME', 'SET_TARGET', 'GET_DOMAIN_PATH', 'IS_DOMAIN_INTRODUCED']);
const QUOTA_ERRORS = new Set(['EQUOTA', 'ENOSPC', 'E2BIG']);
/** The special names stand in the root's list there. */
const SPECIALS = ['@introduceDomain', '@releaseDomain'];

function withoutSpecials(payload: string): string {
  return sortedNames(payload)
    .split('\0')
    .filter((name) => !SPECIALS.includes(name))
    .join('\0');
}

/** Both refuse, each for a reason of its own. */
function bothRefuse({ theirs, ours }: Seen): boolean {
  return theirs.error !== '' && ours.error !== '';
}

/** Replies to `raw` requests that differ in the error only. */
function sameButErrors(seen: Seen): boolean {
  const [theirs, ours] = [seen.theirs.rest, seen.ours.rest];
  const isError = (line: string | undefined) => line?.includes('"reply": "ERROR"') === true;
  return (
    theirs.length === ours.length && theirs.every((line, i) => line === ours[i] || (isError(line) && isError(ours[i])))
  );
}

/** Replies to `raw` requests that differ in the order of names only. */
function sameButOrder(seen: Seen): boolean {
  const [theirs, ours] = [seen.theirs.rest, seen.ours.rest];
  const names = (line: string) => withoutSpecials((JSON.parse(line) as { payload?: string }).payload ?? '');
  return (
    theirs.length === ours.length &&
    theirs.every(
      (line, i) =>
        line === ours[i] || (line.includes('"reply": "DIRECTORY"') && names(line) === names(ours[i] ?? '{}')),
    )
  );
}

/** They say all that we say, and more events. */
function moreEvents(seen: Seen): boolean {
  const more = added(seen.theirs.rest, seen.ours.rest);
  return seen.sameReply && more.length > 0 && more.every((line) => line.includes('"event": '));
}

/** What one says beyond all that the other says; nothing, if it does not say all of that. */
function added(lines: readonly string[], to: readonly string[]): readonly string[] {
  const left = [...lines];
  for (const line of to) {
    const at = left.indexOf(line);
    if (at < 0) return [];
    left.splice(at, 1);
  }
  return left;
}

/** We tell of the end of a domain once more, and nothing else differs. */
function toldAgain(seen: Seen): boolean {
  const more = added(seen.ours.rest, seen.theirs.rest);
  return seen.sameReply && more.length > 0 && more.every((line) => line.includes('"event": "@releaseDomain\\u0000'));
}

/** Requests that have one path and nothing else. */
const ONE_PATH = new Set(['READ', 'DIRECTORY', 'GET_PERMS', 'MKDIR', 'RM']);

/** Not one string with its NUL at the end. */
function isMalformedPath(op: string, payload: string): boolean {
  return ONE_PATH.has(op) && (payload === '' || payload.indexOf('\0') !== payload.length - 1);
}

/** Whether an action is such a request, or octets put in by hand hold one, as far as whole messages are among them. */
export function holdsMalformedPath(action: Action): boolean {
  return wholeRequests(action).some(({ type, payload }) => isMalformedPath(opName(type), textOf(payload)));
}

/** The request of an action, or those that its octets hold whole. */
export function wholeRequests(action: Action): readonly { readonly type: number; readonly payload: Uint8Array }[] {
  if (action.kind === 'message') return [action];
  if (action.kind !== 'raw') return [];
  const reader = new MessageReader('refused');
  reader.push(action.octets);
  return reader.all();
}

/** Whether a watch has a depth. */
export function watchesToDepth(actions: readonly Action[]): boolean {
  return actions.some(
    (action) =>
      action.kind === 'message' && action.op === 'WATCH' && (textOf(action.payload).match(/\0/g)?.length ?? 0) >= 3,
  );
}

function isUpdate(action: Action): boolean {
  return (
    action.kind === 'liveUpdate' ||
    (action.kind === 'message' && action.op === 'CONTROL' && textOf(action.payload).startsWith('live-update\0-s'))
  );
}

/** The largest number of requests outstanding, of a domain and of all, left out. */
function withoutOutstandingMax(text: string): string {
  return text.replace(/^(outstanding *: *\d+ \(max *)\d+/m, '$1N').replace(/^(outstanding *: *)\d+$/m, '$1N');
}

/** An update came after a watch with a depth, or is what the two disagree about. */
function isBehindDepth({ action, before }: Seen): boolean {
  const all = [...before, action];
  return all.some((one, at) => isUpdate(one) && watchesToDepth(all.slice(0, at)));
}

/**
 * Where a C daemon answers with whatever errno came last, so that nobody can say with which (docs/daemons.md): both refuse, and
 * the two go on alike.
 */
export const C_DAEMONS: readonly KnownDifference[] = [
  { name: 'left-over-errno', parts: false, is: (d) => isMalformedPath(d.op, d.payload) && d.sameRest && bothRefuse(d) },
  {
    name: 'left-over-errno',
    parts: false,
    is: (d) => d.action.kind === 'raw' && holdsMalformedPath(d.action) && d.sameReply && sameButErrors(d),
  },
  {
    name: 'left-over-errno',
    parts: false,
    // Whether it may is asked of a node that nobody has looked up (4.17).
    is: (d) => d.op === 'SET_PERMS' && d.payload.startsWith('@') && d.sameRest && bothRefuse(d),
  },
  { name: 'depth-over-update', parts: true, is: isBehindDepth },
  // 1. A guest has written until little of its credit is left. 2. The stand-in's clock stands still while the daemon works, the
  // simulated one does not quite. 3. So one of the two keeps the guest's next request waiting, and the other does not.
  // 4. Meanwhile an event of the request before leaves, or it has not left yet: one more was outstanding, at most.
  {
    name: 'throttled-maximum',
    parts: false,
    is: (d) =>
      d.op === 'CONTROL' &&
      d.payload.startsWith('quota\0') &&
      d.sameRest &&
      withoutOutstandingMax(d.theirs.payload) === withoutOutstandingMax(d.ours.payload),
  },
  {
    name: 'left-over-errno',
    parts: false,
    // Overwriting is refused for memory: here that is ENOMEM.
    is: (d) =>
      (d.op === 'WRITE' || d.op === 'SET_PERMS') && d.ours.error === 'ENOMEM' && d.sameRest && d.theirs.error !== '',
  },
];

/** Classes that are told by the daemon's BUSY, whatever else there is. */
export const OXENSTORED_BUSY: readonly KnownDifference[] = [UPDATE_BUSY, UPDATE_DONE_HERE];

/** What oxenstored does otherwise; the order matters: the first that fits names the difference. */
export const OXENSTORED: readonly KnownDifference[] = [
  { name: 'empty-body', parts: true, is: (d) => d.theirs.isDead && d.payload === '' },
  { name: 'directory-part', parts: false, is: (d) => d.op === 'DIRECTORY_PART' && d.theirs.error === 'ENOSYS' },
  { name: 'unknown-transaction', parts: false, is: (d) => d.theirs.error === 'EIO' && d.ours.error === 'ENOENT' },
  { name: 'unknown-operation', parts: false, is: (d) => /^\d+$/.test(d.op) && d.theirs.error !== d.ours.error },
  { name: 'control-sets', parts: true, is: (d) => d.op === 'CONTROL' && d.payload.includes('\0set\0') },
  { name: 'control', parts: false, is: (d) => d.op === 'CONTROL' },
  {
    name: 'event-order',
    parts: false,
    is: (d) => d.sameReply && sorted(d.theirs.rest) === sorted(d.ours.rest),
  },
  {
    name: 'sorted-directory',
    parts: false,
    is: (d) =>
      d.op === 'DIRECTORY' &&
      d.theirs.error === '' &&
      d.ours.error === '' &&
      withoutSpecials(d.theirs.payload) === sortedNames(d.ours.payload),
  },
  { name: 'sorted-directory', parts: false, is: (d) => d.op === '' && d.sameReply && sameButOrder(d) },
  { name: 'directory-size', parts: false, is: (d) => d.op === 'DIRECTORY' && d.ours.error === 'E2BIG' },
  { name: 'missing-shown', parts: false, is: (d) => LOOKS.has(d.op) && errors(d, 'ENOENT', 'EACCES') },
  { name: 'missing-shown', parts: false, is: (d) => d.op === '' && d.sameReply && sameButErrors(d) },
  { name: 'special-names', parts: false, is: (d) => d.payload.startsWith('@') && bothRefuse(d) },
  { name: 'special-nodes', parts: true, is: (d) => d.payload.startsWith('@') },
  {
    name: 'missing-removed',
    parts: false,
    is: (d) => d.op === 'RM' && d.theirs.error !== 'EACCES' && d.ours.error === 'EACCES',
  },
  { name: 'root-removed', parts: true, is: (d) => d.op === 'RM' && /^\/\0$/.test(d.payload) },
  { name: 'set-perms-order', parts: false, is: (d) => d.op === 'SET_PERMS' && bothRefuse(d) },
  { name: 'set-perms-rules', parts: true, is: (d) => d.op === 'SET_PERMS' && d.theirs.error !== d.ours.error },
  {
    name: 'existing-made',
    parts: false,
    is: (d) => d.op === 'MKDIR' && d.theirs.error === '' && d.ours.error === 'EACCES',
  },
  {
    name: 'value-size',
    parts: true,
    is: (d) => d.op === 'WRITE' && (d.theirs.error === 'E2BIG' || d.ours.error === 'ENOSPC'),
  },
  {
    name: 'quotas',
    parts: true,
    is: (d) => d.theirs.error === 'EQUOTA' || QUOTA_ERRORS.has(d.ours.error),
  },
  { name: 'strings-of-watch', parts: false, is: (d) => /^(UN)?WATCH$/.test(d.op) && bothRefuse(d) },
  { name: 'watch-rules', parts: true, is: (d) => /^(UN)?WATCH$/.test(d.op) && d.theirs.error !== d.ours.error },
  {
    name: 'domain-requests',
    parts: true,
    is: (d) => DOMAIN_OPS.has(d.op) && (d.theirs.error !== d.ours.error || d.theirs.isDead),
  },
  { name: 'commit', parts: true, is: (d) => d.op === 'TRANSACTION_END' && d.theirs.error !== d.ours.error },
  { name: 'snapshot', parts: true, is: (d) => d.inTransaction },
  {
    name: 'inherited-owner',
    parts: true,
    is: (d) => d.op === 'GET_PERMS' && d.theirs.error === '' && d.ours.error === '',
  },
  {
    name: 'inherited-owner',
    parts: true,
    // It shows late, too: who has made a node may not see it there, and is not told of it.
    is: (d) =>
      (d.op === 'WRITE' || d.op === 'MKDIR') &&
      d.theirs.error === '' &&
      moreEvents({ ...d, theirs: d.ours, ours: d.theirs }),
  },
  {
    name: 'orphan-events',
    parts: false,
    // A connection that consumed nothing meanwhile sees it only when it is freed.
    is: (d) => /^(destroy|free)$/.test(d.action.kind) && moreEvents({ ...d, theirs: d.ours, ours: d.theirs }),
  },
  {
    name: 'shutdown-told-again',
    parts: false,
    // Behind an update, which may be a silent one between two actions.
    is: toldAgain,
  },
  {
    name: 'protocol-break',
    parts: true,
    is: (d) => d.action.kind === 'raw' && d.ours.rest.some((line) => line.includes('"closed": true')),
  },
  { name: 'removal-events', parts: false, is: (d) => moreEvents(d) },
];
