import { describe, expect, it } from 'vitest';
import { type Blkfront, type BlkIo, blkLoad, SECTOR_BYTES } from '../../../guests/devices/index.ts';
import { removeDevice, vbd } from '../../../guests/libxl/index.ts';
import { look, pass, run, until } from '../../support/host.ts';
import { addGuest, type DeviceGuest, type DeviceHost, deviceHost, states } from './host.ts';

function disk(options: Parameters<typeof deviceHost>[0] = {}, device = vbd()) {
  const bench = deviceHost(options);
  const guest = addGuest(bench, 'domU', { disks: [device], nics: [], isPersistent: options.isPersistent ?? true });
  until(bench, () => guest.disks.length === 1);
  return { bench, guest, front: guest.disks[0] as Blkfront };
}

/** One request and its status. */
function ask(bench: DeviceHost, guest: DeviceGuest, io: Partial<BlkIo> & Pick<BlkIo, 'op'>) {
  const front = guest.disks[0] as Blkfront;
  return run(
    bench,
    `ask-${bench.host.machine.nowNs}`,
    function* (me) {
      const sectors = io.sectors ?? 1;
      const pending = front.submit(me, { sector: 0, sectors, data: new Uint8Array(0), ...io });
      const status = yield* front.wait(pending);
      return { status, data: pending.data };
    },
    guest.os,
  );
}

function filled(sectors: number, with_: number): Uint8Array {
  return new Uint8Array(sectors * SECTOR_BYTES).fill(with_);
}

describe('a disk', () => {
  it('comes up through the states of either end, and tells what it is', () => {
    const { bench, front } = disk();
    expect(states(bench, 'vbd/1/51712', 'front')).toEqual([3, 4]);
    expect(states(bench, 'vbd/1/51712', 'back')).toEqual([2, 4]);
    expect(look(bench, '/local/domain/0/backend/vbd/1/51712/sectors')).toBe('2048');
    expect(look(bench, '/local/domain/0/backend/vbd/1/51712/sector-size')).toBe('512');
    expect(front.sectors).toBe(2_048);
    expect(front.hasDiscard).toBe(true);
  });

  it.each([
    [true, true],
    [true, false],
    [false, false],
  ])('gives every page back, persistent grants of the frontend %s, of the backend %s', (isFront, isBack) => {
    const bench = deviceHost({ isPersistent: isBack });
    const guest = addGuest(bench, 'domU', { nics: [], isPersistent: isFront });
    until(bench, () => guest.disks.length === 1);
    const mapped = bench.host.dom0.os.domain.maptrack;
    const idle = mapped.handles().length;
    let left = 200;
    const front = guest.disks[0] as Blkfront;
    run(
      bench,
      'load',
      (me) =>
        blkLoad(me, front, { first: 0, goesOn: () => left-- > 0, inFlightMax: 6, thinkNsMax: 3_000, asked: () => {} }),
      guest.os,
    );
    const answers = bench.events.filter((e) => e.what === 'completed');
    expect(answers).toHaveLength(200);
    expect(answers.every((e) => e.what === 'completed' && e.ok)).toBe(true);
    pass(bench, 1_000_000);
    // Only persistent grants of both ends outlive their request.
    if (isFront && isBack) expect(mapped.handles().length).toBeGreaterThan(idle);
    else expect(mapped.handles().length).toBe(idle);
    bench.host.machine.destroy(guest.os.domain);
    until(bench, () => bench.host.machine.domain(guest.domid) === undefined);
    expect(guest.kernel.grants.busy).toBe(0);
  });

  it('writes, reads back, discards, flushes, and keeps to segments that begin inside a page', () => {
    const { bench, guest } = disk();
    expect(ask(bench, guest, { op: 'write', sector: 5, sectors: 80, data: filled(80, 7) }).status).toBe(0);
    expect(ask(bench, guest, { op: 'read', sector: 5, sectors: 80 }).data).toEqual(filled(80, 7));
    expect(ask(bench, guest, { op: 'discard', sector: 6, sectors: 2 }).status).toBe(0);
    const { data } = ask(bench, guest, { op: 'read', sector: 4, sectors: 6 });
    expect(Array.from({ length: 6 }, (_, i) => data[i * SECTOR_BYTES])).toEqual([0, 7, 0, 0, 7, 7]);
    expect(ask(bench, guest, { op: 'flush' }).status).toBe(0);
    expect(ask(bench, guest, { op: 'barrier', sector: 9, data: filled(1, 3) }).status).toBe(0);
    expect(bench.disks.all[0]?.[1].flushes).toBe(2);
  });

  it('answers a barrier after all that came before it, and before all that came later', () => {
    const { bench, guest, front } = disk();
    run(
      bench,
      'writer',
      function* (me) {
        const all = Array.from({ length: 9 }, (_, i) =>
          front.submit(me, { op: i === 4 ? 'barrier' : 'write', sector: i, sectors: 1, data: filled(1, i) }),
        );
        for (const io of all) yield* front.wait(io);
      },
      guest.os,
    );
    const order = bench.events.flatMap((e) => (e.what === 'executed' ? [e.id] : []));
    const at = order.indexOf(5);
    expect(at).toBe(4);
    expect(order.slice(0, 4).sort()).toEqual([1, 2, 3, 4]);
    expect(order.slice(5).sort()).toEqual([6, 7, 8, 9]);
  });

  it('answers an error for what lies beyond its end, and for a write to what is read-only', () => {
    const { bench, guest } = disk({ sectors: 64 });
    expect(ask(bench, guest, { op: 'read', sector: 60, sectors: 8 }).status).toBe(-1);
    expect(ask(bench, guest, { op: 'read', sector: 56, sectors: 8 }).status).toBe(0);
    const readonly = disk({}, vbd({ readonly: true }));
    expect(ask(readonly.bench, readonly.guest, { op: 'write', data: filled(1, 1) }).status).toBe(-1);
    expect(ask(readonly.bench, readonly.guest, { op: 'read' }).status).toBe(0);
  });

  it('INV-H7: what was under way when it was closed is asked for again, and answered once', () => {
    const { bench, guest, front } = disk();
    let open = 0;
    guest.os.start('writer', function* (me) {
      const all = Array.from({ length: 20 }, (_, i) => {
        open++;
        return front.submit(me, { op: 'write', sector: 8 * i, sectors: 8, data: filled(8, i + 1) });
      });
      for (const io of all) {
        yield* front.wait(io);
        open--;
      }
    });
    until(bench, () => bench.events.some((e) => e.what === 'taken'));
    front.reopen();
    until(bench, () => open === 0);
    const count = (what: string) => bench.events.filter((e) => e.what === what).length;
    expect(count('submitted')).toBeGreaterThan(20);
    expect(count('completed')).toBe(20);
    expect(states(bench, 'vbd/1/51712', 'front')).toEqual([3, 4, 5, 6, 1, 3, 4]);
    expect(states(bench, 'vbd/1/51712', 'back')).toEqual([2, 4, 5, 6, 2, 4]);
    for (let i = 0; i < 20; i++) expect(ask(bench, guest, { op: 'read', sector: 8 * i }).data[0]).toBe(i + 1);
  });

  it('closes only when its last user lets go', () => {
    const { bench, front } = disk();
    front.open();
    let rc: unknown;
    bench.host.dom0.os.start('detach', function* (me) {
      ({ rc } = yield* removeDevice(me, bench.xl, 1, vbd(), 'off'));
    });
    until(bench, () => front.isClosing);
    pass(bench, 5_000_000);
    expect(states(bench, 'vbd/1/51712', 'front')).toEqual([3, 4]);
    front.release();
    until(bench, () => rc !== undefined);
    expect(rc).toBe(0);
    expect(states(bench, 'vbd/1/51712', 'front')).toEqual([3, 4, 6]);
  });
});
