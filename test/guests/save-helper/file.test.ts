import { describe, expect, it } from 'vitest';
import { LINUX_HABITS } from '../../../guests/index.ts';
import { domainRename } from '../../../guests/libxl/domain-tree.ts';
import { operation } from '../../../guests/libxl/index.ts';
import { DirtyMemory } from '../../../guests/load/index.ts';
import { SavedFile } from '../../../guests/save-helper/index.ts';
import { checkLibxl } from '../../../store/format/enclosing/check.ts';
import { decodeXl } from '../../../store/format/enclosing/xl.ts';
import { look, pass, run } from '../../support/host.ts';
import { restore, type SavedBench, save, savedBench } from './saved.ts';
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

  it('SV-5: a file that keeps its domid is refused while the id is recent, and each try makes it recent again', () => {
    const bench = savedBench('pvh');
    const { domid } = bench.guest.os.domain;
    expect(save(bench, { keepsDomid: true }).exit).toBe(0);
    for (let i = 0; i < 3; i++) {
      pass(bench, 40_000_000_000);
      expect(restore(bench)).toMatchObject({ exit: 1, load: undefined });
    }
    pass(bench, 61_000_000_000);
    expect(restore(bench).built?.domain.domid).toBe(domid);
  });

  it('MIG-24: restored a second time, the first copy renamed: a guest without threads, which begins in its memory', () => {
    const bench = savedBench('pvh');
    save(bench);
    expect(restore(bench)).toMatchObject({ exit: 0, restored: { hasThreads: true } });
    const first = bench.guest.os.domain;
    rename(bench, first.domid, 'guest', 'first');
    const second = again(bench, bench.file);
    expect(second.back).toMatchObject({ exit: 0, restored: { hasThreads: false } });
    expect([...second.memory!.check()]).toEqual([]);
    expect([first.isRunning, second.back.built?.domain.isRunning]).toEqual([true, true]);
    // Both have one uuid: DE4 made /vm/U anew under the first (DST-7).
    const vm = look(bench, `/local/domain/${first.domid}/vm`);
    expect(look(bench, `/local/domain/${second.back.built!.domain.domid}/vm`)).toBe(vm);
    expect(look(bench, `${vm}/name`)).toBe('guest');
  });

  it('a file is restored in another world, octets the same: the guest begins in what was its memory', () => {
    const bench = savedBench('pvh');
    save(bench);
    const elsewhere = savedBench('pvh', { pages: 3, hot: 1, hotPeriodNs: 1_000_000, background: 10, burstsOf100: 0 });
    pass(elsewhere, 1_000_000);
    save(elsewhere); // its own guest makes room for the name
    const file = new SavedFile(bench.file.octets);
    const { back, memory } = again(elsewhere, file);
    expect(back).toMatchObject({ exit: 0, restored: { hasThreads: false } });
    expect([memory?.pages, [...(memory?.check() ?? [])]]).toEqual([60, []]);
    const writes = memory!.writes;
    pass(elsewhere, 20_000_000);
    expect(memory!.writes).toBeGreaterThan(writes);
    expect([...memory!.check()]).toEqual([]);
    expect(file.octets).toEqual(bench.file.octets);
  });
});

/** Restore a guest whose threads are not to be had: a kernel of this world begins, and its program is found in its memory. */
function again(bench: SavedBench, file: SavedFile) {
  let memory: DirtyMemory | undefined;
  const back = restore(bench, {
    file,
    boot: (built, program) => {
      const { os } = bench.host.boot(built, { ...LINUX_HABITS, tornOneIn: 0 });
      memory = DirtyMemory.find(os, program);
      os.start('dirty', (me) => memory!.run(me));
    },
  });
  return { back, memory };
}

function rename(bench: SavedBench, domid: number, old: string, to: string): void {
  const { host, xl } = bench;
  const uuid = xl.shared.handleOf(host.machine.domain(domid)!);
  const rc = run(bench, 'rename', (me) =>
    operation(me, xl, (call) => domainRename(call, domid, { old, new: to, uuid })),
  );
  if (rc.rc !== 0) throw new Error(`not renamed: ${rc.rc}`);
}
