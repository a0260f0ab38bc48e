import { DOMID_FIRST_RESERVED, type Domid, type Gref, type Port } from '../sim/index.ts';

const U32_MAX = 0xffff_ffff;
/** Ports of the FIFO ABI, the larger of the two. Source: EVTCHN_FIFO_NR_CHANNELS in xen/include/public/event_channel.h. */
const PORTS = 1 << 17;

/** The id of a domain that can exist: 0 to 32,751. Errors: RangeError for what is none. Source: xen/include/public/xen.h. */
export function domid(id: number): Domid {
  return within('domid', id, 0, DOMID_FIRST_RESERVED - 1);
}

/** A grant reference, as a frontend writes it into `ring-ref`: 0 to 4,294,967,295. Errors: RangeError for what is none. */
export function gref(ref: number): Gref {
  return within('gref', ref, 0, U32_MAX);
}

/** An event channel port, as in `event-channel`: 1 to 131,071; 0 is none. Errors: RangeError for what is none. */
export function port(number: number): Port {
  return within('port', number, 1, PORTS - 1);
}

function within(kind: string, id: number, min: number, max: number): number {
  if (Number.isInteger(id) && id >= min && id <= max) return id;
  throw new RangeError(`${id} is no ${kind}: it is a whole number from ${min} to ${max}`);
}
