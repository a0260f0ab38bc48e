/** What a guest is told of its processor. Source: xen_cpuid_leaf_t, xen_msr_entry_t in xen/include/public/arch-x86/xen.h. */
export interface CpuPolicy {
  /** 24 octets each: leaf, subleaf, eax, ebx, ecx, edx. */
  readonly leaves: Uint8Array;
  /** 16 octets each: index, flags, u64 value. */
  readonly msrs: Uint8Array;
}

/** Leaves 0 and 1, 7, 0x80000000 and 0x80000008 of a host's processor: as much as tells two streams apart. */
const LEAVES: readonly (readonly number[])[] = [
  [0, 0xffff_ffff, 0xd, 0x756e_6547, 0x6c65_746e, 0x4965_6e69],
  [1, 0xffff_ffff, 0x0005_0657, 0x0010_0800, 0xfffa_3203, 0x1f83_fbff],
  [7, 0, 0, 0xd19f_4fbb, 0x0000_0008, 0xbc00_0400],
  [0x8000_0000, 0xffff_ffff, 0x8000_0008, 0, 0, 0],
  [0x8000_0008, 0xffff_ffff, 0x0000_302e, 0, 0, 0],
];
/** MSR_INTEL_PLATFORM_INFO, MSR_ARCH_CAPABILITIES. */
const MSRS: readonly (readonly [index: number, value: bigint])[] = [
  [0xce, 0x8000_0000n],
  [0x10a, 0x2bn],
];

export function defaultCpuPolicy(): CpuPolicy {
  const leaves = new Uint8Array(LEAVES.length * 24);
  const leafView = new DataView(leaves.buffer);
  LEAVES.flat().forEach((word, i) => {
    leafView.setUint32(4 * i, word, true);
  });
  const msrs = new Uint8Array(MSRS.length * 16);
  const msrView = new DataView(msrs.buffer);
  MSRS.forEach(([index, value], i) => {
    msrView.setUint32(16 * i, index, true);
    msrView.setBigUint64(16 * i + 8, value, true);
  });
  return { leaves, msrs };
}
