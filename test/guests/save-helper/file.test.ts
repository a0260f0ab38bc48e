import { describe, expect, it } from 'vitest';
import { SavedFile } from '../../../guests/save-helper/index.ts';
import { checkLibxl } from '../../../store/format/enclosing/check.ts';
import { decodeXl } from '../../../store/format/enclosing/xl.ts';
import { look, pass } from '../../support/host.ts';
import { restore, save, savedBench } from './saved.ts';
import { differences, pagesOf } from './two-hosts.ts';

const TYPES = ['pv', 'pvh', 'hvm'] as const;

describe('xl save and xl restore', () => {
  it.each(TYPES)('SV-1, SV-3: a %s guest goes on in a new domain with all of its memory', (type) => {
    const bench = savedBench(type);
    const source = bench.guest.os.domain;
    let parked: ReturnType<typeof pagesOf> | undefined;
    let loaded: ReturnType<typeof pagesOf> | undefined;
    const saved = save(bench, {
      parked: () => {
        parked = pagesOf(source);
      },
    });
    expect(saved).toMatchObject({ exit: 0, guest: 'destroyed', outcome: 'suspended' });
    const back = restore(bench, {
      loaded: (heir) => {
        loaded = pagesOf(heir);
      },
    });
    expect(back).toMatchObject({ exit: 0, restored: { hasThreads: true } });
    const { storeGfn, consoleGfn } = back.restored!;
    const excepted = type === 'pv' ? [consoleGfn] : [storeGfn, consoleGfn]; // SUS-6, SUS-7
    expect(differences(parked!, loaded!).filter((gfn) => !excepted.includes(gfn))).toEqual([]);
    const { writes } = bench.memory;
    pass(bench, 20_000_000);
    expect(bench.guest.os.domain).toBe(back.built?.domain);
    expect(bench.memory.writes).toBeGreaterThan(writes);
    expect([...bench.memory.check()]).toEqual([]);
    expect(look(bench, `/local/domain/${back.built!.domain.domid}/name`)).toBe('guest');
  });

  it.each(TYPES)('what a %s guest is saved to reads back, and breaks no rule', (type) => {
    const bench = savedBench(type);
    save(bench);
    const read = decodeXl(bench.file.octets);
    expect(read.ok).toBe(true);
    if (!read.ok) return;
    expect(checkLibxl(read.value.stream)).toEqual([]);
    expect(read.value.trailing).toBeUndefined();
    const image = read.value.stream.records.find(({ libxc }) => libxc !== undefined)?.libxc;
    const kinds = [...new Set(image?.records.map(({ kind }) => kind))];
    expect(kinds).toEqual(
      type === 'pv'
        ? [
            'X86_PV_INFO',
            'X86_CPUID_POLICY',
            'X86_MSR_POLICY',
            'STATIC_DATA_END',
            'X86_PV_P2M_FRAMES',
            'PAGE_DATA',
            'X86_TSC_INFO',
            'SHARED_INFO',
            'X86_PV_VCPU_BASIC',
            'X86_PV_VCPU_EXTENDED',
            'END',
          ]
        : [
            'X86_CPUID_POLICY',
            'X86_MSR_POLICY',
            'STATIC_DATA_END',
            'PAGE_DATA',
            'X86_TSC_INFO',
            'HVM_CONTEXT',
            'HVM_PARAMS',
            'END',
          ],
    );
  });

  it('MIG-25: saved with -c it goes on, and a restore is refused by its name while it lives', () => {
    const bench = savedBench('pvh');
    const { domid } = bench.guest.os.domain;
    expect(save(bench, { afterwards: 'resume' })).toMatchObject({ exit: 0, guest: 'resumed' });
    const writes = bench.memory.writes;
    pass(bench, 20_000_000);
    expect(bench.guest.os.domain.domid).toBe(domid);
    expect(bench.memory.writes).toBeGreaterThan(writes);
    const before = bench.host.machine.domains().length;
    expect(restore(bench)).toMatchObject({ exit: 1, load: undefined });
    expect(bench.host.machine.domains().length).toBe(before);
  });

  it('SV-2: with -p it is saved, and stays paused by its controller', () => {
    const bench = savedBench('pvh');
    expect(save(bench, { afterwards: 'pause' })).toMatchObject({ exit: 0, guest: 'paused' });
    const writes = bench.memory.writes;
    pass(bench, 20_000_000);
    expect([bench.memory.writes, bench.guest.os.domain.controllerPauses]).toEqual([writes, 1]);
    bench.host.machine.unpause(bench.guest.os.domain);
    pass(bench, 20_000_000);
    expect(bench.memory.writes).toBeGreaterThan(writes);
  });

  it('a file is restored in another world, octets the same: the guest begins in what was its memory', () => {
    const bench = savedBench('pvh');
    save(bench);
    const elsewhere = savedBench('pvh', {
      ...{ pages: 3, hot: 1, hotPeriodNs: 1_000_000, background: 10, burstsOf100: 0 },
    });
    save(elsewhere); // its own guest makes room for the name
    const file = new SavedFile(bench.file.octets);
    let booted = '';
    const back = restore(elsewhere, {
      file,
      boot: (_built, program) => {
        booted = program;
      },
    });
    expect(back).toMatchObject({ exit: 0, restored: { hasThreads: false } });
    expect(booted).toBe(bench.guest.os.domain.program);
    expect(file.octets).toEqual(bench.file.octets);
  });
});
