import { octets, text } from '../../guests/index.ts';
import type { StateFormat } from '../../store/format/model/index.ts';
import { MovePair } from './move-pair.ts';
import { type MovePlay, PLAY_DOMID } from './move-plays.ts';

/** What a guest heard in all, and what became of the move. */
export interface Told {
  readonly heard: Uint8Array;
  /** `moved`, or why it stayed. */
  readonly outcome: string;
}

/** Let a guest live through a play: moved when it is caught, or, without a move, where it is. */
export function live(play: MovePlay, format: StateFormat, choices: readonly string[] | undefined): Told {
  const pair = new MovePair({ format });
  const guest = pair.from.guest(PLAY_DOMID);
  const goOn = play.begin(pair.from, guest, pair);
  let outcome = 'not asked';
  if (choices === undefined) pair.order('from', 'thaw', String(PLAY_DOMID));
  else outcome = pair.move(guest, ...choices);
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
