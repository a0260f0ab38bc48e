import { record } from '../codec/compile.ts';
import { extend, type Format, headerRule } from '../file/format.ts';
import { bigEndian, magic, note, reserved, since, u16, u32 } from '../schema/schema.ts';
import { imageRecord, LIBXC_RECORDS, LIBXL_RECORDS, UNRELEASED, XENSTORE_IMAGE } from './layouts.ts';

// The streams around a state image, as values of their own, so that they can be described and compared: what a reader
// of today makes of a stream with an image in it. What stands between their records (the libxc image behind
// LIBXC_CONTEXT) is not in them; `image enclose|extract|verify` know it.

/** Of libxl; a stream converted from the legacy format, which has another bit set, is not told here. */
export const libxl: Format = {
  name: 'libxl',
  title: 'Stream of libxl, version 2',
  source: 'docs/specs/libxl-migration-stream.pandoc, tools/libs/light/libxl_sr_stream_format.h, RELEASE-4.22.0',
  status: 'document',
  note: 'The libxc image follows LIBXC_CONTEXT without a record of its own. The reader fails on every type that it does not know, optional or not',
  header: headerRule(
    record('LIBXL_HEADER', -1, {
      ident: magic('LibxlFmt'),
      version: bigEndian(u32),
      options: note(bigEndian(u32), 'Bit 0: big endian.'),
    }),
    { version: 'version', byteOrder: { field: 'options', bit: 0 } },
  ),
  versions: [2],
  framing: { how: 'typed' },
  records: LIBXL_RECORDS.filter(({ name }) => !UNRELEASED.includes(name)),
  end: 'END',
  rules: [],
  order: [],
  knobs: { lenIncludesPad: false, unknownRecord: 'fatal', nonZeroPad: 'fatal' },
};

/** The same with the record that carries a whole state image. */
export const libxlWithImage: Format = extend(libxl, {
  name: 'libxl+image',
  title: 'Stream of libxl, version 2, with a state image',
  source: 'in no release; the number is the one that a87676c4a32f asked for',
  status: 'prototype',
  records: [imageRecord(XENSTORE_IMAGE)],
});

/** Records that came with version 3. */
const OF_VERSION_3: readonly string[] = ['STATIC_DATA_END', 'X86_CPUID_POLICY', 'X86_MSR_POLICY'];

export const libxc2: Format = {
  name: 'libxc-2',
  title: 'Image of libxc, version 2',
  source: 'docs/specs/libxc-migration-stream.pandoc, tools/libs/guest/xg_sr_stream_format.h, RELEASE-4.13.0',
  status: 'document',
  note: 'A record of an unknown type is skipped when bit 31 of the type says that it is optional, and fatal otherwise',
  header: headerRule(
    record('LIBXC_HEADER', -1, {
      marker: magic('\xff'.repeat(8)),
      id: magic('XENF'),
      version: bigEndian(u32),
      options: note(bigEndian(u16), 'Bit 0: big endian.'),
      reserved1: reserved(2),
      reserved2: reserved(4),
      domainType: note(u32, '1 PV, 2 HVM.'),
      pageShift: note(u16, 'Always 12.'),
      reserved3: reserved(2),
      xenMajor: u32,
      xenMinor: u32,
    }),
    { version: 'version', byteOrder: { field: 'options', bit: 0 } },
  ),
  versions: [2],
  framing: { how: 'typed' },
  records: LIBXC_RECORDS.filter(({ name }) => !OF_VERSION_3.includes(name)),
  end: 'END',
  rules: [],
  order: [],
  knobs: { lenIncludesPad: false, unknownRecord: 'fatal-unless-optional', nonZeroPad: 'fatal' },
};

export const libxc3: Format = extend(libxc2, {
  name: 'libxc-3',
  title: 'Image of libxc, version 3',
  source: 'docs/specs/libxc-migration-stream.pandoc, tools/libs/guest/xg_sr_stream_format.h, RELEASE-4.22.0',
  status: 'document',
  versions: [3, 2],
  records: LIBXC_RECORDS.filter(({ name }) => OF_VERSION_3.includes(name)).map((one) => since(3, one)),
});

export const enclosingFormats: readonly Format[] = [libxl, libxlWithImage, libxc2, libxc3];
