import { escapeOctets } from '../../../store/format/index.ts';
import { type Message, opName } from '../../../store/protocol/wire.ts';
import { C_DAEMONS, OXENSTORED } from '../conform/known.ts';
import type { Traits } from '../lockstep/traits.ts';
import type { Beside, FirstDifference } from './comparison.ts';

/** Octets of a payload that are shown. */
const SHOWN_MAX = 120;

/** Beside what a daemon's run is held. */
export function besideOf({ compat, kind }: Traits): Beside {
  const isOcaml = kind === 'oxenstored';
  return { compat, known: isOcaml ? OXENSTORED : C_DAEMONS, comparesEvents: !isOcaml };
}

/** A difference in lines for people. */
export function differenceLines({ seq, timeNs, client, request, theirs, ours }: FirstDifference): readonly string[] {
  const to = request === undefined ? 'an event' : `the answer to ${messageText(request)}`;
  return [
    `first difference at seq ${seq}, ${timeNs} ns: ${client} sees in ${to}`,
    `the daemon: ${messageText(theirs)}`,
    `ours:       ${ours === undefined ? 'nothing more' : messageText(ours)}`,
  ];
}

function messageText({ type, reqId, txId, payload }: Message): string {
  const more = payload.length > SHOWN_MAX ? '…' : '';
  return `${opName(type)} req_id ${reqId} tx ${txId} ${escapeOctets(payload.subarray(0, SHOWN_MAX))}${more}`;
}
