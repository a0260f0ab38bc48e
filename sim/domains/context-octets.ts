import { fail } from '../errors.ts';
import type { Gfn } from '../ids.ts';

/**
 * What the registers of a parked vCPU come to here: whose they are, since which park, and where the pages are that a start_info
 * page would tell of. A guest's threads are no octets: a context names them, and the one who loads it has them again only as long
 * as they wait for it. `program` is what a kernel begins with when they are not to be had: in another process, or a second time.
 */
export interface ContextOctets {
  /** Of the domain whose vCPU it was. */
  readonly uniqueId: bigint;
  /** How often that domain had parked, and when it did the last time: two worlds of one seed may differ by then. */
  readonly parks: number;
  readonly parkedNs: number;
  readonly vcpu: number;
  /** 0: there is none. */
  readonly storeGfn: Gfn;
  readonly consoleGfn: Gfn;
  readonly program: string;
}

const FIXED_BYTES = 40;
/** Of a record of tools/libs/guest: no program's name is that long. */
const PROGRAM_BYTES_MAX = 1024;

/** u64 unique id, u32 parks, u32 vCPU, u64 store gfn, u32 console gfn, u32 length, u64 time of the park, program; little endian. */
export function encodeContext(context: ContextOctets): Uint8Array {
  const octets = new Uint8Array(FIXED_BYTES + context.program.length);
  const view = new DataView(octets.buffer);
  view.setBigUint64(0, context.uniqueId, true);
  view.setUint32(8, context.parks, true);
  view.setUint32(12, context.vcpu, true);
  view.setBigUint64(16, BigInt(context.storeGfn), true);
  view.setUint32(24, context.consoleGfn, true);
  view.setUint32(28, context.program.length, true);
  view.setBigUint64(32, BigInt(context.parkedNs), true);
  for (let i = 0; i < context.program.length; i++) octets[FIXED_BYTES + i] = context.program.charCodeAt(i);
  return octets;
}

/** Errors: EINVAL. */
export function decodeContext(octets: Uint8Array): ContextOctets {
  if (octets.length < FIXED_BYTES) fail('EINVAL', `a context of ${octets.length} octets`);
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const length = view.getUint32(28, true);
  const storeGfn = view.getBigUint64(16, true);
  if (length > PROGRAM_BYTES_MAX || octets.length !== FIXED_BYTES + length)
    fail('EINVAL', `a program of ${length} octets`);
  const parkedNs = view.getBigUint64(32, true);
  if (storeGfn > BigInt(Number.MAX_SAFE_INTEGER)) fail('EINVAL', `store page ${storeGfn}`);
  if (parkedNs > BigInt(Number.MAX_SAFE_INTEGER)) fail('EINVAL', `parked at ${parkedNs}`);
  return {
    uniqueId: view.getBigUint64(0, true),
    parks: view.getUint32(8, true),
    parkedNs: Number(parkedNs),
    vcpu: view.getUint32(12, true),
    storeGfn: Number(storeGfn),
    consoleGfn: view.getUint32(24, true),
    program: String.fromCharCode(...octets.subarray(FIXED_BYTES)),
  };
}

/** Names the park: the threads of that domain as they stood then. */
export function parkName({
  uniqueId,
  parks,
  parkedNs,
}: Pick<ContextOctets, 'uniqueId' | 'parks' | 'parkedNs'>): string {
  return `${uniqueId}/${parks}/${parkedNs}`;
}
