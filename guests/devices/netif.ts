import type { Gref } from '../../sim/index.ts';

/** Layouts and numbers of the network interface. Source of all: xen/include/public/io/netif.h. */
export const NETTXF_csum_blank = 1;
export const NETTXF_data_validated = 2;
export const NETTXF_more_data = 4;
export const NETTXF_extra_info = 8;
export const NETRXF_more_data = 4;

export const NETIF_RSP_OKAY = 0;
export const NETIF_RSP_ERROR = -1;
export const NETIF_RSP_DROPPED = -2;

/** Slots of 12 and of 8 octets: 256 of either on a page. */
export const NETIF_TX_SLOT_BYTES = 12;
export const NETIF_RX_SLOT_BYTES = 8;
/** Slots that every backend takes for one packet. */
export const NETIF_NR_SLOTS_MIN = 18;
/** A packet is no longer. */
export const NETIF_MAX_TX_SIZE = 0xffff;

export interface NetTxRequest {
  readonly gref: Gref;
  readonly offset: number;
  /** NETTXF_*. */
  readonly flags: number;
  readonly id: number;
  /** In the first slot of a packet: of all of it. */
  readonly size: number;
}

const view = (slot: Uint8Array) => new DataView(slot.buffer, slot.byteOffset, slot.byteLength);

export function encodeTxRequest(r: NetTxRequest, slot: Uint8Array): void {
  const v = view(slot);
  v.setUint32(0, r.gref, true);
  v.setUint16(4, r.offset, true);
  v.setUint16(6, r.flags, true);
  v.setUint16(8, r.id, true);
  v.setUint16(10, r.size, true);
}

/** @param slot a private copy (MEM-4), as everywhere here. */
export function decodeTxRequest(slot: Uint8Array): NetTxRequest {
  const v = view(slot);
  return {
    gref: v.getUint32(0, true),
    offset: v.getUint16(4, true),
    flags: v.getUint16(6, true),
    id: v.getUint16(8, true),
    size: v.getUint16(10, true),
  };
}

export interface NetTxResponse {
  readonly id: number;
  /** NETIF_RSP_*. */
  readonly status: number;
}

export function encodeTxResponse(r: NetTxResponse, slot: Uint8Array): void {
  const v = view(slot);
  v.setUint16(0, r.id, true);
  v.setInt16(2, r.status, true);
}

export function decodeTxResponse(slot: Uint8Array): NetTxResponse {
  const v = view(slot);
  return { id: v.getUint16(0, true), status: v.getInt16(2, true) };
}

export interface NetRxRequest {
  readonly id: number;
  readonly gref: Gref;
}

export function encodeRxRequest(r: NetRxRequest, slot: Uint8Array): void {
  const v = view(slot);
  v.setUint16(0, r.id, true);
  v.setUint16(2, 0, true);
  v.setUint32(4, r.gref, true);
}

export function decodeRxRequest(slot: Uint8Array): NetRxRequest {
  const v = view(slot);
  return { id: v.getUint16(0, true), gref: v.getUint32(4, true) };
}

export interface NetRxResponse {
  readonly id: number;
  readonly offset: number;
  /** NETRXF_*. */
  readonly flags: number;
  /** Octets in the buffer, or NETIF_RSP_*. */
  readonly status: number;
}

export function encodeRxResponse(r: NetRxResponse, slot: Uint8Array): void {
  const v = view(slot);
  v.setUint16(0, r.id, true);
  v.setUint16(2, r.offset, true);
  v.setUint16(4, r.flags, true);
  v.setInt16(6, r.status, true);
}

export function decodeRxResponse(slot: Uint8Array): NetRxResponse {
  const v = view(slot);
  return {
    id: v.getUint16(0, true),
    offset: v.getUint16(2, true),
    flags: v.getUint16(4, true),
    status: v.getInt16(6, true),
  };
}
