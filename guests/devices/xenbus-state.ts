/** States of either end of a split device. Source: xen/include/public/io/xenbus.h. */
export const XenbusState = {
  Unknown: 0,
  Initialising: 1,
  InitWait: 2,
  Initialised: 3,
  Connected: 4,
  Closing: 5,
  Closed: 6,
  Reconfiguring: 7,
  Reconfigured: 8,
} as const;
export type XenbusState = (typeof XenbusState)[keyof typeof XenbusState];

/** The state that a node's value says; what cannot be read or is no state is Unknown (HS-5). */
export function parseState(value: string | undefined): XenbusState {
  return value !== undefined && /^[1-8]$/.test(value) ? (Number(value) as XenbusState) : XenbusState.Unknown;
}
