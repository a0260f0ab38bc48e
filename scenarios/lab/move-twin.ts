import { octets, text } from '../../guests/index.ts';
import type { StateFormat } from '../../store/format/model/index.ts';
import { messageEnd, messageType, XS } from '../../store/protocol/wire.ts';
import { MovePair } from './move-pair.ts';
import { type MovePlay, PLAY_DOMID } from './move-plays.ts';

/** What a guest heard in all, and what became of the move. */
export interface Told {
  readonly heard: Uint8Array;
  /** `moved`, or why it stayed. */
  readonly outcome: string;
}

/** When it is moved, and what is put up with. */
export interface MoveWay {
  readonly choices: readonly string[];
  /** What is on its way is finished before the guest is stopped, if it could not be held. */
  readonly finishFirst: boolean;
}

/** Let a guest live through a play: moved when it is caught, or, without a way, left where it is. */
export function live(play: MovePlay, format: StateFormat, way: MoveWay | undefined): Told {
  const pair = new MovePair({ format });
  const guest = pair.from.guest(PLAY_DOMID);
  const goOn = play.begin(pair.from, guest, pair);
  let outcome: string | undefined = 'not asked';
  if (way === undefined) pair.order('from', 'thaw', String(PLAY_DOMID));
  else {
    outcome = way.finishFirst ? pair.finishFirst(guest, ...way.choices) : undefined;
    outcome ??= pair.move(guest, ...way.choices);
  }
  goOn(outcome === 'moved' ? pair.to : pair.from);
  pair.settle();
  return { heard: octets(...guest.heard), outcome };
}

/** Where two guests that should have heard the same did not; `undefined`: octet for octet they did. */
export function differ(one: Uint8Array, other: Uint8Array): string | undefined {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  if (at === one.length && at === other.length) return undefined;
  const shown = (all: Uint8Array) => JSON.stringify(text(all.subarray(Math.max(0, at - 20), at + 60)));
  return `at octet ${at} of ${one.length} and ${other.length}: ${shown(one)}, ${shown(other)}`;
}

/** Whether all that one heard was heard by the other, in that order, and nothing besides but watch events. */
export function hasOnlyMoreEvents(one: Uint8Array, other: Uint8Array): boolean {
  const due = messagesIn(one);
  let at = 0;
  for (const message of messagesIn(other)) {
    if (due[at] !== undefined && differ(due[at] as Uint8Array, message) === undefined) at++;
    else if (messageType(message, 0) !== XS.WATCH_EVENT) return false;
  }
  return at === due.length;
}

/** Whole messages, and behind them what is left. */
function messagesIn(heard: Uint8Array): Uint8Array[] {
  const all: Uint8Array[] = [];
  let at = 0;
  for (let end = messageEnd(heard, at); end !== undefined; end = messageEnd(heard, at)) {
    all.push(heard.subarray(at, end));
    at = end;
  }
  return at === heard.length ? all : [...all, heard.subarray(at)];
}
