import { fail } from './errors.ts';
import type { CarriedChannel, CarriedPlace, CarriedPort, PortsImage } from './events/carry.ts';
import type { CarriedFrame, GrantsImage } from './grants/carry.ts';
import type { Port } from './ids.ts';
import { PAGE_BYTES } from './memory.ts';

/*
 * What the hypervisor keeps of a domain beside its memory and its vCPUs, as octets for a stream. No release of Xen has such a
 * record (NC-2); this layout is this project's own. Everything is little endian:
 *
 *   u32 'XGPL', u32 1
 *   u32 n, n times a port: u32 number, u8 kind (1 unbound, 2 interdomain, 4 VIRQ, 5 IPI: the codes of EVTCHNOP_status),
 *     u8 bits (1 pending, 2 masked), u16 vCPU, u16 domid of the peer or number of the VIRQ, u16 priority
 *   4096 octets of shared_info
 *   u32 n, n times a vcpu_info: u32 vCPU, u32 offset, u64 gfn
 *   u32 0: 2-level; 1: FIFO, then u32 n and n control blocks as vcpu_info, u32 n and n times u64 gfn of an array page
 *   u32 port of the store, u32 port of the console
 *   u32 version of the grant table, u32 n and n frames (u64 gfn, 4096 octets), u32 n and n status frames
 */

export interface PlatformImage {
  readonly ports: PortsImage;
  readonly grants: GrantsImage;
  /** The guest's ends for the store and the console, as its kernel was told them when it was loaded; 0: none. */
  readonly storePort: Port;
  readonly consolePort: Port;
}

const MAGIC = 0x4c504758;
const VERSION = 1;
const KINDS = { unbound: 1, interdomain: 2, virq: 4, ipi: 5 } as const;
const PENDING = 1;
const MASKED = 2;

export function encodePlatform({ ports, grants, storePort, consolePort }: PlatformImage): Uint8Array {
  const out = new Out();
  out.u32(MAGIC, VERSION, ports.ports.length);
  for (const { port, channel, vcpu, priority, pending, masked } of ports.ports) {
    out.u32(port);
    out.u8(KINDS[channel.kind], (pending ? PENDING : 0) | (masked ? MASKED : 0));
    out.u16(vcpu, channel.kind === 'virq' ? channel.virq : channel.kind === 'ipi' ? 0 : channel.remoteDomid, priority);
  }
  out.octets(ports.sharedInfo);
  putPlaces(out, ports.vcpuInfo);
  out.u32(ports.fifo === undefined ? 0 : 1);
  if (ports.fifo !== undefined) {
    putPlaces(out, ports.fifo.blocks);
    out.u32(ports.fifo.pages.length);
    for (const gfn of ports.fifo.pages) out.u64(gfn);
  }
  out.u32(storePort, consolePort, grants.version);
  for (const frames of [grants.frames, grants.statusFrames]) {
    out.u32(frames.length);
    for (const { gfn, octets } of frames) {
      out.u64(gfn);
      out.octets(octets);
    }
  }
  return out.all();
}

function putPlaces(out: Out, places: readonly CarriedPlace[]): void {
  out.u32(places.length);
  for (const { vcpu, gfn, at } of places) {
    out.u32(vcpu, at);
    out.u64(gfn);
  }
}

/** Errors: EINVAL, with the offset and what is wrong there. What the values mean is for the calls that take them. */
export function decodePlatform(octets: Uint8Array): PlatformImage {
  const input = new In(octets);
  if (input.u32() !== MAGIC) fail('EINVAL', 'offset 0: no image of a platform');
  if (input.u32() !== VERSION) fail('EINVAL', 'offset 4: another version');
  const ports = input.list(12, () => takePort(input));
  const sharedInfo = input.octets(PAGE_BYTES);
  const vcpuInfo = input.list(16, () => takePlace(input));
  const abi = input.u32();
  if (abi > 1) fail('EINVAL', `offset ${input.at - 4}: ABI ${abi}`);
  const fifo =
    abi === 0
      ? {}
      : { fifo: { blocks: input.list(16, () => takePlace(input)), pages: input.list(8, () => input.u64()) } };
  const [storePort, consolePort] = [input.u32(), input.u32()];
  const version = input.u32();
  if (version !== 1 && version !== 2) fail('EINVAL', `offset ${input.at - 4}: grant table version ${version}`);
  const frame = (): CarriedFrame => ({ gfn: input.u64(), octets: input.octets(PAGE_BYTES) });
  const frames = input.list(8 + PAGE_BYTES, frame);
  const statusFrames = input.list(8 + PAGE_BYTES, frame);
  if (input.at !== octets.length) fail('EINVAL', `offset ${input.at}: ${octets.length - input.at} octets too many`);
  return {
    ports: { ports, sharedInfo, vcpuInfo, ...fifo },
    grants: { version, frames, statusFrames },
    storePort,
    consolePort,
  };
}

function takePort(input: In): CarriedPort {
  const { at } = input;
  const port = input.u32();
  const [kind, bits] = [input.u8(), input.u8()];
  const [vcpu, of, priority] = [input.u16(), input.u16(), input.u16()];
  if (bits > (PENDING | MASKED)) fail('EINVAL', `offset ${at + 5}: bits 0x${bits.toString(16)}`);
  const channel = channelOf(kind, of) ?? fail('EINVAL', `offset ${at + 4}: port ${port} of kind ${kind}`);
  return { port, channel, vcpu, priority, pending: (bits & PENDING) !== 0, masked: (bits & MASKED) !== 0 };
}

function channelOf(kind: number, of: number): CarriedChannel | undefined {
  switch (kind) {
    case KINDS.unbound:
      return { kind: 'unbound', remoteDomid: of };
    case KINDS.interdomain:
      return { kind: 'interdomain', remoteDomid: of };
    case KINDS.virq:
      return { kind: 'virq', virq: of };
    case KINDS.ipi:
      return of === 0 ? { kind: 'ipi' } : undefined;
    default:
      return undefined;
  }
}

function takePlace(input: In): CarriedPlace {
  const [vcpu, at] = [input.u32(), input.u32()];
  return { vcpu, at, gfn: input.u64() };
}

class Out {
  readonly #pieces: Uint8Array[] = [];

  #number(bytes: number, put: (view: DataView) => void): void {
    const piece = new Uint8Array(bytes);
    put(new DataView(piece.buffer));
    this.#pieces.push(piece);
  }

  u8(...values: readonly number[]): void {
    for (const value of values) this.#number(1, (view) => view.setUint8(0, value));
  }

  u16(...values: readonly number[]): void {
    for (const value of values) this.#number(2, (view) => view.setUint16(0, value, true));
  }

  u32(...values: readonly number[]): void {
    for (const value of values) this.#number(4, (view) => view.setUint32(0, value, true));
  }

  u64(value: number): void {
    this.#number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }

  octets(octets: Uint8Array): void {
    this.#pieces.push(octets);
  }

  all(): Uint8Array {
    const all = new Uint8Array(this.#pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

class In {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  }

  #step(bytes: number): number {
    if (this.at + bytes > this.#octets.length) fail('EINVAL', `offset ${this.at}: ends within ${bytes} octets`);
    this.at += bytes;
    return this.at - bytes;
  }

  u8(): number {
    return this.#view.getUint8(this.#step(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#step(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#step(4), true);
  }

  u64(): number {
    const at = this.#step(8);
    const value = this.#view.getBigUint64(at, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) fail('EINVAL', `offset ${at}: gfn ${value}`);
    return Number(value);
  }

  octets(bytes: number): Uint8Array {
    const at = this.#step(bytes);
    return this.#octets.slice(at, at + bytes);
  }

  /** A count and so many of something of that size: not more than there are octets for. */
  list<T>(bytes: number, take: () => T): T[] {
    const { at } = this;
    const count = this.u32();
    if (count * bytes > this.#octets.length - this.at)
      fail('EINVAL', `offset ${at}: ${count} pieces of ${bytes} octets`);
    return Array.from({ length: count }, take);
  }
}
