import { octets, strings, XS } from '../../guests/index.ts';
import { RING_BYTES } from '../../sim/index.ts';
import { HEADER_BYTES, header } from '../../store/protocol/wire.ts';
import type { LabHost } from './lab-host.ts';
import type { Things } from './things.ts';

/** Four replies with such a value fill the ring to the last octet: nothing is half sent. */
const FITTING = 'f'.repeat(240);
/** Three whole replies with such a value, 76 octets of the fourth. */
const CUT_BYTES = 300;
const CUT_AT = RING_BYTES - 3 * (HEADER_BYTES + CUT_BYTES) - HEADER_BYTES;
/** Events that nobody takes are dropped after 20 s. */
const EXPIRED_NS = 21_000_000_000;
const PART_BYTES = 19;

/**
 * A value whose rest, from where it is cut, looks like a watch event that has not begun: taken for one, it is dropped by and
 * by, and the stream is torn. Whoever knows where messages end is not deceived.
 */
function deceptive(): Uint8Array {
  const value = new Uint8Array(CUT_BYTES).fill(0x64);
  value.set(header(XS.WATCH_EVENT, 0, 0, CUT_BYTES - CUT_AT - HEADER_BYTES), CUT_AT);
  return value;
}

/** What is on its way: replies, events, requests that have come in part or were put aside. */
export function traffic(host: LabHost, things: Things): void {
  const [full, cut, torn, holder, late] = host.guests(5, 6, 7, 8, 9);
  const value = deceptive();
  host.tool('WRITE', octets('/fitting\0', FITTING));
  host.tool('WRITE', octets('/cut\0', value));
  for (const path of ['/fitting', '/cut']) host.tool('SET_PERMS', strings(path, 'r0'));
  full.ask('WATCH', strings('/fitting', 'w'));
  full.events();
  full.isHeld = true;
  cut.isHeld = true;
  const ofFull = Array.from({ length: 6 }, () => full.send('READ', strings('/fitting')));
  const ofCut = Array.from({ length: 5 }, () => cut.send('READ', strings('/cut')));
  host.settle();
  host.tool('WRITE', octets('/fitting\0', FITTING));
  torn.send('READ', strings('/fitting'), 0, 0, PART_BYTES);
  const open = Number(holder.ask('TRANSACTION_START', '\0'));
  let putAside: number[] = [];
  host.update({
    asked: () => {
      // An update is due and waits for the transaction: one more START is put aside, and another is kept unread by it.
      putAside = [late.send('TRANSACTION_START', '\0'), late.send('TRANSACTION_START', '\0')];
      host.settle();
      holder.send('TRANSACTION_END', strings('T'), open);
    },
  });

  full.isHeld = false;
  host.settle();
  const replies = ofFull.map((reqId) => full.replyTo(reqId));
  things.note(
    'output',
    'replies behind a full ring',
    replies.slice(4).every((reply) => reply === FITTING),
  );
  things.note('output', 'an event behind them', full.events().join() === '/fitting w');
  torn.send('READ', strings('/fitting'), 0, PART_BYTES);
  host.settle();
  things.note('input', 'the first octets of a request', torn.replyTo(1) === FITTING);
  for (const [i, reqId] of putAside.entries())
    things.note('delayed', ['a START', 'another behind it'][i] ?? '', /^[1-9]/.test(late.replyTo(reqId)));

  host.settle(EXPIRED_NS);
  cut.isHeld = false;
  host.settle();
  const isWhole = ofCut.slice(3).every((reqId) => cut.replyTo(reqId) === String.fromCharCode(...value));
  things.note('outputBoundary', 'the rest of a reply that looks like an event', isWhole);
}
