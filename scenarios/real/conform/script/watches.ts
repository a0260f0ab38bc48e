import { PAYLOAD_MAX } from '../../../../store/protocol/wire.ts';
import type { ScriptState } from './state.ts';
import { somePath } from './words.ts';

const TOKENS = ['t', 'u', '', 'a token with spaces', 't/\xe9\x01'] as const;
const SPECIALS = ['@releaseDomain', '@introduceDomain', '/', '@other', '@'] as const;
const SPECIALS_422 = [
  ...SPECIALS,
  '@releaseDomain/1',
  '@releaseDomain/2',
  '@introduceDomain/3',
  '@introduceDomain/0',
  '@releaseDomain/x',
  '@releaseDomain/',
] as const;

/** As long as a message allows, or nearly: the event has a longer path than the watch. */
function longToken(script: ScriptState, path: string): string {
  const room = PAYLOAD_MAX - path.length - 2;
  return 'T'.repeat(Math.max(0, script.draw.pick([room, room - 1, room - 20, 3000, 2000, 1000])));
}

/** Something about watches, of nodes and special ones. */
export function watchRequest(script: ScriptState): void {
  const { pick, oneIn, below } = script.draw;
  const on = script.anyone();
  const path = oneIn(5) ? pick(script.is422 ? SPECIALS_422 : SPECIALS) : somePath(script, on);
  const token = oneIn(30) ? longToken(script, path) : pick(TOKENS);
  const tx = oneIn(10) ? 77 : 0; // ignored
  const roll = below(20);
  if (script.is422 && (script.all || !script.plan.liveUpdates) && oneIn(3)) {
    // Not before a live update: a 4.22 writes such a watch without its depth, and loses it or all that follows.
    const depth = pick(['0', '1', '2', '3', '7', '65535', '-1', 'x', ' 1', '99999999999', '']);
    return script.send(on, 'WATCH', `${path}\0${token}\0${depth}\0`, { tx });
  }
  if (roll < 12) return script.send(on, 'WATCH', `${path}\0${token}\0`, { tx });
  if (roll < 17) {
    // A name that 4.22 finds invalid is for 4.17 a watch that is not there: both say so, each in its way.
    return script.send(on, 'UNWATCH', `${path}\0${token}\0`, { tx });
  }
  if (roll === 17) {
    script.open.delete(on);
    return script.send(on, 'RESET_WATCHES', pick(['', '\0', 'anything']));
  }
  if (roll === 18)
    return script.send(on, pick(['WATCH', 'UNWATCH']), pick([`${path}\0`, path, '', '\0\0', `${path}\0t\0u\0v\0`]));
  return script.send(on, 'WATCH', `${path}\0${token}\0tail`);
}
