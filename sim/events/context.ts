import type { Port } from '../ids.ts';

/** What becomes of one edge on its way to a port's words. */
export type EdgeVerdict =
  | { readonly kind: 'pass' }
  /** The edge vanishes; the sender is told nothing (INJ-E4, INJ-E5). */
  | { readonly kind: 'drop' }
  /** The whole edge arrives later; the port may have another peer by then (INJ-E2). */
  | { readonly kind: 'delay'; readonly delayNs: number }
  /** PENDING is set at once and the upcall comes later, so that all edges until then coalesce (INJ-E1). */
  | { readonly kind: 'coalesce'; readonly delayNs: number };

/** What becomes of one kick of a vCPU whose upcall flag was just set. */
export type KickVerdict =
  | { readonly kind: 'pass' }
  /** The kick is lost: the flag stays set, and the vCPU sees it when it next enters the guest (INJ-E6). */
  | { readonly kind: 'lose' }
  | { readonly kind: 'delay'; readonly delayNs: number };

/** What a domain's channels have of the machine: its clock, and what a scenario breaks of this domain's events. */
export interface EventContext {
  /** Call `fire` at a later virtual time. */
  after(delayNs: number, fire: () => void): void;
  /** Call `fire` at `dueNs` of virtual time, or now if that is past. */
  at(dueNs: number, fire: () => void): void;
  /** The rules of EventFaults, asked of this domain; `undefined` and false: nothing is broken here. */
  edge(port: Port): EdgeVerdict | undefined;
  kick(vcpu: number): KickVerdict | undefined;
  queueContended(port: Port): boolean;
  linking(tail: Port): void;
}

/** Of a domain that no machine has taken in: all is well, and all is now. */
export const NO_CONTEXT: EventContext = {
  after: (_, fire) => fire(),
  at: (_, fire) => fire(),
  edge: () => undefined,
  kick: () => undefined,
  queueContended: () => false,
  linking: () => {},
};
