import { describe, expect, it } from 'vitest';
import { Call } from '../../../guests/libxl/index.ts';
import { type RestoreEnd, restoreStream } from '../../../guests/libxl/stream-restore.ts';
import { type SaveEnd, saveStream } from '../../../guests/libxl/stream-save.ts';
import { resumeGuest } from '../../../guests/libxl/suspend.ts';
import { RESTORE_STEPS, SavedFile } from '../../../guests/save-helper/index.ts';
import { type Actor, DOMID_ANY, LAN, SHUTDOWN_REASONS } from '../../../sim/index.ts';
import { together } from '../../support/host.ts';
import { type SavedBench, savedBench } from './saved.ts';
import { differences, guest, pagesOf, restored, startRestore, startSave, twoHosts } from './two-hosts.ts';

const SUSPEND = SHUTDOWN_REASONS.indexOf('suspend');

/** A checkpointed stream of the bench's guest into `file`, until `count` checkpoints are in it. */
function* remus(
  bench: SavedBench,
  call: Call,
  file: SavedFile,
  count: number,
  snaps: Map<number, Uint8Array>[],
): Actor<SaveEnd> {
  const { os } = bench.host.dom0;
  const { domain } = bench.guest.os;
  let checkpoints = 0;
  return yield* saveStream(call, domain.domid, file.writer(), {
    type: 'hvm',
    live: true,
    *askSuspend() {
      os.hyper.domctl.remoteShutdown(domain.domid, SUSPEND);
      yield 10_000;
      snaps.push(pagesOf(domain));
      return true;
    },
    checkpointed: {
      *resume() {
        yield* resumeGuest(call.xs, os, { domid: domain.domid, how: 'fast' });
        return true;
      },
      intervalNs: 5_000_000,
      goesOn: () => ++checkpoints < count,
    },
    emulatorContext: () => Uint8Array.of(checkpoints),
  });
}

function* load(bench: SavedBench, call: Call, octets: Uint8Array): Actor<RestoreEnd> {
  const { machine, dom0 } = bench.host;
  const heir = machine.createDomain(DOMID_ANY, 'heir', { type: 'hvm' });
  const [store, console] = [dom0.os.hyper.allocUnbound(heir.domid, 0), dom0.os.hyper.allocUnbound(heir.domid, 0)];
  if (!store.ok || !console.ok) throw new Error('assertion: no ports');
  return yield* restoreStream(call, heir, new SavedFile(octets).reader(), {
    type: 'hvm',
    ports: { store: store.value, console: console.value },
    daemons: { storeDomid: 0, consoleDomid: 0 },
    checkpointed: true,
  });
}

describe('MIG-72, RM-1: a checkpointed stream', () => {
  it('ends anywhere: what its last whole checkpoint had is restored, emulator and all; before the first there is nothing', () => {
    const bench = savedBench('hvm', { pages: 12, hot: 4, hotPeriodNs: 1_000_000, background: 500, burstsOf100: 0 });
    const file = new SavedFile();
    const snaps: Map<number, Uint8Array>[] = [];
    const [saved] = together(bench, [
      [
        'remus',
        function* (me): Actor<SaveEnd> {
          const call = new Call(bench.xl, me);
          yield* call.enter();
          const end = yield* remus(bench, call, file, 3, snaps);
          call.leave();
          return end;
        },
      ],
    ]);
    expect(saved?.rc).toBe('failed'); // nobody wants another: it is an error of V, which libxl takes for the end
    expect(snaps).toHaveLength(3);
    const octets = file.octets;
    const cuts = Array.from({ length: 40 }, (_, i) => Math.floor((octets.length * i) / 39));
    const seen = new Set<number>();
    for (const cut of cuts) {
      const [end] = together(bench, [
        [
          'load',
          function* (me): Actor<RestoreEnd> {
            const call = new Call(bench.xl, me);
            yield* call.enter();
            const loaded = yield* load(bench, call, octets.subarray(0, cut));
            call.leave();
            return loaded;
          },
        ],
      ]);
      const { checkpoints } = end!.stats;
      seen.add(checkpoints);
      expect([cut, end!.rc]).toEqual([cut, checkpoints === 0 ? 'failed' : 0]);
      if (checkpoints > 0) {
        const { storeGfn, consoleGfn } = end!.restored!;
        const differ = differences(snaps[checkpoints - 1]!, pagesOf(end!.built!.domain));
        expect(differ.filter((gfn) => gfn !== storeGfn && gfn !== consoleGfn)).toEqual([]);
        expect(end!.emulatorContext).toEqual(Uint8Array.of(checkpoints - 1));
      }
      if (end!.built !== undefined) bench.host.machine.destroy(end!.built.domain);
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3]);
  });

  it('is refused where a plain one is expected', () => {
    const hosts = twoHosts(LAN);
    const source = guest(hosts.from, 20);
    startSave(hosts.from, source, hosts.link.near, { checkpointed: true });
    const load = startRestore(hosts.to, hosts.link.far);
    hosts.universe.timeline.run(1_000_000_000);
    expect(load.end).toMatchObject({
      kind: 'exit',
      value: { ok: false, failure: { reason: 'Found checkpoint in non-checkpointed stream' } },
    });
  });
});

describe('W is killed', () => {
  it.each(RESTORE_STEPS.filter((step) => step !== 'checkpoint'))(
    'at "%s": its mappings go with it, and the half-built domain stays for its parent',
    (step) => {
      const hosts = twoHosts(LAN);
      const source = guest(hosts.from, 40);
      const save = startSave(hosts.from, source, hosts.link.near);
      const load = startRestore(hosts.to, hosts.link.far, { dies: (at) => at === step });
      hosts.universe.timeline.run(1_000_000_000);
      expect(load.end).toEqual({ kind: 'killed', by: 'killed' });
      expect([load.heir.foreignMaps, load.heir.memory.frames.reduce((n, f) => n + f.refs, 0)]).toEqual([0, 0]);
      // The threads of the guest are still the source's: it goes on.
      hosts.to.machine.destroy(load.heir);
      hosts.universe.timeline.run(2_000_000_000);
      expect(hosts.to.machine.domain(load.heir.domid)).toBeUndefined();
      expect(save.end).toBeDefined();
    },
  );

  it('asks for no page twice, and takes what comes in pieces of one octet', () => {
    const hosts = twoHosts({ ...LAN, pieceBytes: 1 });
    const source = guest(hosts.from, 6);
    startSave(hosts.from, source, hosts.link.near);
    const load = startRestore(hosts.to, hosts.link.far);
    hosts.universe.timeline.run(100_000_000_000);
    const { storeGfn, consoleGfn } = restored(load);
    expect(differences(pagesOf(source), pagesOf(load.heir))).toEqual([storeGfn, consoleGfn]);
  });
});
