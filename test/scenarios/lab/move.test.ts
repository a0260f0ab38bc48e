import { describe, expect, it } from 'vitest';
import { MOVE_PLAYS } from '../../../scenarios/lab/move-plays.ts';
import { differ, live } from '../../../scenarios/lab/move-twin.ts';
import { LAB_FORMATS } from '../../../store/format/model/index.ts';
import { named } from '../../support/odd-formats.ts';

describe('a guest that is moved without its help hears what its twin hears that stays', () => {
  it.each(MOVE_PLAYS.map((play) => [play.label, play.name, play] as const))('%s: %s (G4.1)', (_, __, play) => {
    const twin = live(play, named('G4.1'), undefined);
    const moved = live(play, named('G4.1'), []);
    expect(moved.outcome).toBe('moved');
    expect(differ(twin.heard, moved.heard)).toBeUndefined();
    expect(twin.heard.length).toBeGreaterThan(20);
  });
});

/** The document's formats, and what each promises: rows of migration.md 6 in which the guest notices nothing. */
describe('every format keeps what it promises, and refuses the rest', () => {
  it.each(LAB_FORMATS.map((format) => [format.name, format] as const))('%s', (_, format) => {
    const outcomes = MOVE_PLAYS.map((play) => {
      const twin = live(play, format, undefined);
      const moved = live(play, format, []);
      // Moved or not: octet for octet the same.
      const same = differ(twin.heard, moved.heard);
      return `${play.label} ${moved.outcome === 'moved' ? 'moved' : 'stayed'}${same === undefined ? '' : ` ${same} ${moved.outcome}`}`;
    });
    console.log(format.name, outcomes.join('; '));
  });
});
