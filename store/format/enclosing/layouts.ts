import { type RecordSchema, record } from '../codec/compile.ts';
import { atLeast, constant, list, note, octets, reserved, rest, u8, u16, u32, u64 } from '../schema/schema.ts';

// What encloses a state image in a saved or migrated guest. Sources: docs/specs/libxl-migration-stream.pandoc,
// docs/specs/libxc-migration-stream.pandoc, tools/xl/xl.h. Headers are big endian, records in the order that they tell.

/** Of the libxl stream: `LibxlFmt`. */
export const libxlHeader = record('LIBXL_HEADER', -1, {
  ident: constant('u32', 0x4c696278),
  ident2: constant('u32', 0x6c466d74),
  version: constant('u32', 2),
  options: note(u32, 'Bit 0 big endian, bit 1 converted from a legacy stream.'),
});

const emulator = {
  emulatorId: note(u32, '0 unknown, 1 qemu traditional, 2 qemu upstream.'),
  index: u32,
} as const;

export const LIBXL_END = 0;
export const LIBXC_CONTEXT = 1;
export const CHECKPOINT_END = 4;
/** No released format has a place for a state image: this number is the one that the first document asked for. */
export const XENSTORE_IMAGE = 7;

/** Nor for what Xen keeps of a guest that is not told that it moves. */
export const GUEST_PLATFORM = 8;
/** Records of LIBXL_RECORDS that no release knows. */
export const UNRELEASED: readonly string[] = ['XENSTORE_IMAGE', 'GUEST_PLATFORM'];

/** A whole state image, in a record of any type that the stream does not use. */
export function imageRecord(type: number) {
  return record('XENSTORE_IMAGE', type, { image: rest }, 'Not in any release: a whole state image, uninterpreted.');
}

export const LIBXL_RECORDS = [
  record('END', LIBXL_END, {}),
  record('LIBXC_CONTEXT', LIBXC_CONTEXT, {}, 'Empty: the libxc image follows behind the record, to its own END.'),
  record('EMULATOR_XENSTORE_DATA', 2, {
    ...emulator,
    pairs: note(rest, 'key NUL value NUL, relative to the device model.'),
  }),
  record('EMULATOR_CONTEXT', 3, { ...emulator, context: rest }),
  record('CHECKPOINT_END', CHECKPOINT_END, {}),
  record('CHECKPOINT_STATE', 5, { id: note(u32, '0 new, 1 suspended, 2 ready, 3 resumed.') }),
  imageRecord(XENSTORE_IMAGE),
  record('GUEST_PLATFORM', GUEST_PLATFORM, { blob: rest }, 'Not in any release: ports and grants, uninterpreted.'),
] as const;

/** Of the libxc image: all ones, `XENF`. */
export const libxcHeader = record('LIBXC_HEADER', -1, {
  marker: constant('u32', 0xffff_ffff),
  marker2: constant('u32', 0xffff_ffff),
  id: constant('u32', 0x58454e46),
  version: note(atLeast(2, u32), '3; 2 is readable.'),
  options: note(u16, 'Bit 0 big endian.'),
  reserved1: reserved(2),
  reserved2: reserved(4),
});

export const domainHeader = record('DOMAIN_HEADER', -1, {
  type: note(u32, '1 PV, 2 HVM.'),
  pageShift: constant('u16', 12),
  reserved1: reserved(2),
  xenMajor: u32,
  xenMinor: u32,
});

const vcpu = { vcpu: u32, reserved1: reserved(4), context: rest } as const;

export const LIBXC_END = 0;

export const LIBXC_RECORDS = [
  record('END', LIBXC_END, {}),
  record('PAGE_DATA', 1, {
    count: u32,
    reserved1: reserved(4),
    pfns: note(list({ count: 'count' }, { pfn: u64 }), 'Bits 63..60 the type of the page.'),
    pages: rest,
  }),
  record('X86_PV_INFO', 2, { width: u8, levels: u8, reserved1: reserved(2), reserved2: reserved(4) }),
  record('X86_PV_P2M_FRAMES', 3, { start: u32, end: u32, frames: rest }),
  record('X86_PV_VCPU_BASIC', 4, vcpu),
  record('X86_PV_VCPU_EXTENDED', 5, vcpu),
  record('X86_PV_VCPU_XSAVE', 6, vcpu),
  record('SHARED_INFO', 7, { page: rest }),
  record('X86_TSC_INFO', 8, { mode: u32, khz: u32, nsec: u64, incarnation: u32, reserved1: reserved(4) }),
  record('HVM_CONTEXT', 9, { context: rest }),
  record('HVM_PARAMS', 10, {
    count: u32,
    reserved1: reserved(4),
    params: list({ count: 'count' }, { index: u64, value: u64 }),
  }),
  record('TOOLSTACK', 11, { blob: rest }, 'Deprecated.'),
  record('X86_PV_VCPU_MSRS', 12, vcpu),
  record('VERIFY', 13, {}),
  record('CHECKPOINT', 14, {}),
  record('CHECKPOINT_DIRTY_PFN_LIST', 15, { pfns: rest }, 'Of the back channel only.'),
  record('STATIC_DATA_END', 16, {}, 'Version 3.'),
  record('X86_CPUID_POLICY', 17, { leaves: rest }, 'Version 3.'),
  record('X86_MSR_POLICY', 18, { entries: rest }, 'Version 3.'),
] as const;

/** What xl puts before the libxl stream; integers in the order of the host that wrote it. */
export const xlHeader = record('XL_HEADER', -1, {
  byteorder: constant('u32', 0x01020304),
  mandatoryFlags: note(u32, 'Bit 0 the configuration is JSON, bit 1 a libxl stream follows.'),
  optionalFlags: u32,
  dataLength: u32,
  data: note(octets({ length: 'dataLength' }), 'u32 size, then the configuration and its NUL.'),
});

type ValueOfSchema<S> = S extends RecordSchema<infer V> ? V : never;
export type LibxlRecord = ValueOfSchema<(typeof LIBXL_RECORDS)[number]>;
export type LibxcRecord = ValueOfSchema<(typeof LIBXC_RECORDS)[number]>;
