import { type Actor, type OctetReader, type OctetWriter, readExactly } from '../../../sim/index.ts';
import { octetsOf } from '../../../store/protocol/octets.ts';

/**
 * What xl's two processes say to one another beside the stream (XM-4): fixed texts, compared octet by octet. All but the banner
 * end with a NUL. Source: tools/xl/xl.h.
 */
export const TEXTS = {
  banner: octetsOf('xl migration receiver ready, send binary domain data.\n'),
  ready: octetsOf('domain received, ready to unpause\0'),
  go: octetsOf('domain is yours, you are cleared to unpause\0'),
  report: octetsOf('my copy unpause results are as follows\0'),
} as const;

export type TextName = keyof typeof TEXTS;

/** What was read in the place of a text. */
export type Heard = 'ok' | 'unexpected data' | 'end of file';

/** migrate_read_fixedmessage: no time-out (XM-4), and whatever was read is gone. */
export function* hear(from: OctetReader, text: TextName): Actor<Heard> {
  const wanted = TEXTS[text];
  const got = yield* readExactly(from, wanted.length);
  if (got.length < wanted.length) return 'end of file';
  return wanted.every((octet, i) => octet === got[i]) ? 'ok' : 'unexpected data';
}

export function say(to: OctetWriter, text: TextName): Actor<'ok' | 'broken'> {
  return to.write(TEXTS[text]);
}

/** Octets of the handover, from the first of `ready` to the last of the `go` back (INJ-M2). */
export const HANDOVER_OCTETS: number = TEXTS.ready.length + TEXTS.go.length + TEXTS.report.length + 1 + TEXTS.go.length;
