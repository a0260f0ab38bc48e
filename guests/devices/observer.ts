import type { GrantStatus } from '../../sim/index.ts';
import type { XenbusState } from './xenbus-state.ts';

/** Which end of a device speaks. */
export type Side = 'front' | 'back';

/** A device by `<kind>/<domid of its frontend>/<id>`: `vbd/3/51712`. */
export type DeviceName = string;

/** What a block request does. DISCARD and FLUSH carry no octets. */
export type BlkOp = 'read' | 'write' | 'flush' | 'barrier' | 'discard';

/**
 * What the two ends of a device, and the bridge between vifs, say of their work, each from its own knowledge alone: what an
 * end tells of a payload is computed over the octets that it has itself.
 */
export type DeviceNews =
  | { readonly what: 'probed' | 'removed'; readonly side: Side }
  | { readonly what: 'state'; readonly side: Side; readonly state: XenbusState }
  /** The frontend's ring keys are committed: grant references of its rings and its ports. */
  | { readonly what: 'published'; readonly refs: readonly number[]; readonly ports: readonly number[] }
  /** The frontend uses those rings no more. */
  | { readonly what: 'withdrawn' }
  /** The backend read these keys and mapped what they name. */
  | { readonly what: 'attached'; readonly refs: readonly number[]; readonly ports: readonly number[] }
  /** The backend has nothing of the frontend's mapped any more. */
  | { readonly what: 'detached' }
  /** The backend could not attach, though the frontend's state said that it could. `status`: of the map that was refused. `port`: the
   *  frontend's that could not be bound to. */
  | { readonly what: 'refused'; readonly why: string; readonly status?: GrantStatus; readonly port?: number }
  /** The backend could not get at a page of a request or packet, and answers it with an error. */
  | { readonly what: 'unreachable'; readonly status: GrantStatus }
  /** An end met an impossible index or slot and serves the ring no more (RNG-8). */
  | { readonly what: 'stopped'; readonly side: Side; readonly why: string }
  /** A request was put on the ring. `sums`: one per sector of what is to be written. */
  | ({ readonly what: 'submitted'; readonly id: number; readonly op: BlkOp } & Extent)
  /** The backend took a request off the ring. */
  | { readonly what: 'taken'; readonly id: number }
  /** The backend did it. `sums`: one per sector of what it wrote or read. */
  | ({ readonly what: 'executed'; readonly id: number; readonly op: BlkOp; readonly ok: boolean } & Extent)
  /** The frontend got its answer. `sums`: one per sector of what was read. */
  | { readonly what: 'completed'; readonly id: number; readonly ok: boolean; readonly sums: readonly number[] }
  /** Sums of all sectors of the disk behind a device, from the backend's domain, when all is over. */
  | { readonly what: 'disk'; readonly sums: readonly number[] }
  /** netback's side of the vif is on the bridge, or off it. */
  | { readonly what: 'plugged' | 'unplugged' }
  /** A packet was put on the tx ring. */
  | ({ readonly what: 'sent' } & Packet)
  /** The answers to all of the packet's slots came; `n` counts the packets of this frontend from 0. */
  | { readonly what: 'acked'; readonly n: number; readonly ok: boolean }
  /** netback took a packet off the tx ring and hands it to the bridge. */
  | ({ readonly what: 'carried' } & Packet)
  /** The bridge queued a packet for this vif. */
  | ({ readonly what: 'queued' } & Packet)
  /** The bridge or netback had to drop a packet for this vif. */
  | ({ readonly what: 'dropped'; readonly why: 'rx queue full' | 'no carrier' } & Packet)
  /** A packet that was queued for this vif is in no buffer of the guest's, and its netback has let go: the guest moves. */
  | ({ readonly what: 'lost' } & Packet)
  /** netfront took a packet out of its rx buffers. */
  | ({ readonly what: 'received' } & Packet);

/** News of a device. */
export type DeviceEvent = DeviceNews & { readonly dev: DeviceName };

/** Where a block request goes. */
interface Extent {
  readonly sector: number;
  readonly sectors: number;
  readonly sums: readonly number[];
}

/** A packet as its octets tell. */
export interface Packet {
  /** Hardware addresses in its header, as hex. */
  readonly to: string;
  readonly from: string;
  readonly len: number;
  readonly sum: number;
}

export interface DeviceObserver {
  note(dev: DeviceName, news: DeviceNews): void;
}
