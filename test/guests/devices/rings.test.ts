import { describe, expect, it } from 'vitest';
import { type Blkfront, blkLoad, netLoad, type Side } from '../../../guests/devices/index.ts';
import { vif } from '../../../guests/libxl/index.ts';
import type { Frame } from '../../../sim/index.ts';
import { IO_REQ_EVENT, IO_REQ_PROD, IO_RSP_EVENT, IO_RSP_PROD, mustNotify } from '../../../sim/io-ring.ts';
import { pass, run, until } from '../../support/host.ts';
import { addGuest, type DeviceGuest, type DeviceHost, deviceHost } from './host.ts';

/** The page behind a grant reference of version 1. */
function ringPage({ os }: DeviceGuest, gref: number): Frame {
  const { grants, memory } = os.domain;
  const frame = memory.frame(grants.frames[gref >> 9]?.load32(8 * (gref & 511) + 4) ?? -1);
  if (frame === undefined) throw new Error(`nothing is granted through ${gref}`);
  return frame;
}

function attached(bench: DeviceHost, dev: string) {
  const found = bench.events.findLast((e) => e.dev === dev && e.what === 'attached');
  if (found?.what !== 'attached') throw new Error(`${dev} is not attached`);
  return found;
}

function load(bench: DeviceHost, guest: DeviceGuest, requests: number, disk = guest.disks[0] as Blkfront): void {
  let left = requests;
  run(
    bench,
    'load',
    (me) =>
      blkLoad(me, disk, {
        first: 0,
        end: 1_024,
        goesOn: () => left-- > 0,
        inFlightMax: 6,
        thinkNsMax: 3_000,
        asked: () => {},
      }),
    guest.os,
  );
}

/** Two guests that talk until each has sent so many data packets. */
function talk(bench: DeviceHost, guests: readonly DeviceGuest[], packets: number): void {
  let finished = 0;
  for (const [i, g] of guests.entries()) {
    let left = 2 * packets;
    const nic = g.nics[0];
    const peer = guests[(i + 1) % guests.length]?.nics[0];
    if (nic === undefined || peer === undefined) throw new Error('no interface');
    g.os.start(`talk-${bench.host.machine.nowNs}`, (me) =>
      netLoad(me, nic, bench.host.machine.scheduler, {
        peers: [peer.address],
        goesOn: () => left > 0,
        windowMax: 4,
        thinkNsMax: 2_000,
        asked: () => left--,
        finished: () => finished++,
      }),
    );
  }
  until(bench, () => finished === guests.length);
}

function pair(options: Parameters<typeof deviceHost>[0] = {}, rxBuffers = 64) {
  const bench = deviceHost(options);
  const guests = [1, 2].map((n) =>
    addGuest(bench, `domU${n}`, { disks: [], nics: [vif({ mac: `00:16:3e:00:00:0${n}` })], rxBuffers }),
  );
  until(bench, () => guests.every((g) => g.nics.length === 1));
  return { bench, guests };
}

/** How many of its publications an end must signal, and may signal at most, by the indexes and thresholds on the page alone. */
function followRing(frame: Frame) {
  const due = { front: [0, 0], back: [0, 0] } as const satisfies Record<string, [number, number]>;
  /** The last publication of each end, whose threshold it may not have looked at yet. */
  const open: Partial<Record<Side, { readonly from: number; readonly to: number; mayNotify: boolean }>> = {};
  const eventAt = { front: IO_REQ_EVENT, back: IO_RSP_EVENT };
  const look = (side: Side) => {
    const last = open[side];
    if (last === undefined) return;
    if (!last.mayNotify && mustNotify(last.from, last.to, frame.load32(eventAt[side]))) {
      last.mayNotify = true;
      due[side][1]++;
    }
  };
  frame.subscribe((offset, from, to) => {
    if (offset === IO_REQ_EVENT) look('front');
    else if (offset === IO_RSP_EVENT) look('back');
    else if (offset === IO_REQ_PROD || offset === IO_RSP_PROD) {
      const side = offset === IO_REQ_PROD ? 'front' : 'back';
      open[side] = { from, to, mayNotify: false };
      look(side);
      if (open[side].mayNotify) due[side][0]++;
    }
  });
  return due;
}

describe('events of a ring', () => {
  it('RNG-2: neither end sends one that is not asked for, nor omits one that is', () => {
    const bench = deviceHost();
    const guest = addGuest(bench, 'domU', { nics: [] });
    const sends = { front: 0, back: 0 };
    until(bench, () => guest.disks.length === 1);
    const { refs, ports } = attached(bench, 'vbd/1/51712');
    const due = followRing(ringPage(guest, refs[0] ?? 0));
    const local = guest.os.domain.ports.get(ports[0] ?? 0);
    bench.host.machine.trace.observe((e) => {
      if (e.kind !== 'send') return;
      if (e.domid === guest.domid && e.port === ports[0]) sends.front++;
      if (e.domid === 0 && local !== undefined && 'remotePort' in local && e.port === local.remotePort) sends.back++;
    });
    load(bench, guest, 400);
    pass(bench, 1_000_000);
    for (const side of ['front', 'back'] as const) {
      const [least, most] = due[side];
      expect(sends[side], side).toBeGreaterThanOrEqual(least);
      expect(sends[side], side).toBeLessThanOrEqual(most);
      expect(least, side).toBeGreaterThan(20);
      expect(most, side).toBeLessThan(400);
    }
  });

  it('RNG-3: an end that sleeps has nothing to do; no request waits for an event that does not come', () => {
    for (const seed of ['1', '2', '3']) {
      const bench = deviceHost({ seed, jitter: { stepNs: 256, absentOneIn: 64, absentNsMax: 20_000 } });
      const guest = addGuest(bench, 'domU', { nics: [] });
      until(bench, () => guest.disks.length === 1);
      load(bench, guest, 300);
      const frame = ringPage(guest, attached(bench, 'vbd/1/51712').refs[0] ?? 0);
      pass(bench, 1_000_000);
      expect(frame.load32(IO_REQ_PROD)).toBe(frame.load32(IO_RSP_PROD)); // all was answered
      expect(frame.load32(IO_REQ_EVENT)).toBe(frame.load32(IO_REQ_PROD) + 1);
      expect(frame.load32(IO_RSP_EVENT)).toBe(frame.load32(IO_RSP_PROD) + 1);
    }
  });

  it('RNG-5: a guest that asks for no events at all hurts only itself', () => {
    const bench = deviceHost();
    const bad = addGuest(bench, 'bad', { nics: [] });
    const good = addGuest(bench, 'good', { nics: [] });
    until(bench, () => bad.disks.length === 1 && good.disks.length === 1);
    const frame = ringPage(bad, attached(bench, 'vbd/1/51712').refs[0] ?? 0);
    // Whatever it stores as its threshold, the backend finds one that is never reached.
    frame.subscribe((offset) => {
      if (offset === IO_RSP_EVENT) new DataView(frame.bytes.buffer).setUint32(IO_RSP_EVENT, 0x8000_0000, true);
    });
    let left = 100;
    const disk = bad.disks[0] as Blkfront;
    bad.os.start('load', (me) =>
      blkLoad(me, disk, {
        first: 0,
        end: 1_024,
        goesOn: () => left-- > 0,
        inFlightMax: 1,
        thinkNsMax: 3_000,
        asked: () => {},
      }),
    );
    pass(bench, 1_000_000);
    load(bench, good, 300);
    const answered = (dev: string) => bench.events.filter((e) => e.dev === dev && e.what === 'completed').length;
    expect(answered('vbd/2/51712')).toBe(300);
    pass(bench, 50_000_000);
    expect(answered('vbd/1/51712')).toBeLessThan(3); // it sleeps over its answers
    const done = bench.events.filter((e) => e.dev === 'vbd/1/51712' && e.what === 'executed').length;
    expect(done).toBeGreaterThan(answered('vbd/1/51712')); // which are there
  });

  it('RNG-5: a guest that takes no packets does not hold up the others', () => {
    const bench = deviceHost();
    const guests = [1, 2, 3].map((n) =>
      addGuest(bench, `domU${n}`, { disks: [], nics: [vif({ mac: `00:16:3e:00:00:0${n}` })] }),
    );
    until(bench, () => guests.every((g) => g.nics.length === 1));
    const [, , deaf] = guests;
    if (deaf === undefined) throw new Error('no third guest');
    bench.host.machine.pause(deaf.os.domain);
    const nic = guests[0]?.nics[0];
    const packet = new Uint8Array(1_000);
    packet.set([0x00, 0x16, 0x3e, 0, 0, 3, 0x00, 0x16, 0x3e, 0, 0, 1]);
    for (let i = 0; i < 2_000; i++) nic?.send(packet);
    talk(bench, guests.slice(0, 2), 100);
    const of = (what: string, dev: string) => bench.events.filter((e) => e.what === what && e.dev === dev).length;
    expect(of('received', 'vif/2/0')).toBeGreaterThan(200);
    pass(bench, 20_000_000);
    expect(of('received', 'vif/3/0')).toBe(0);
    // Its buffers are full, then the queue for it; then packets are dropped, as on a wire.
    expect(of('dropped', 'vif/3/0')).toBeGreaterThan(0);
    bench.host.machine.unpause(deaf.os.domain);
    pass(bench, 50_000_000);
    expect(of('received', 'vif/3/0')).toBe(of('queued', 'vif/3/0'));
  });

  it.each([33, 0x8000_0000])(
    'RNG-8: a producer index that is ahead by %i stops the disk, until it is opened anew',
    (by) => {
      const bench = deviceHost();
      const guest = addGuest(bench, 'domU', { nics: [] });
      until(bench, () => guest.disks.length === 1);
      load(bench, guest, 20);
      const { refs, ports } = attached(bench, 'vbd/1/51712');
      const frame = ringPage(guest, refs[0] ?? 0);
      frame.store32(IO_REQ_PROD, frame.load32(IO_RSP_PROD) + by, true);
      guest.os.hyper.send(ports[0] ?? 0);
      until(bench, () => bench.events.some((e) => e.what === 'stopped' && e.side === 'back'));
      const executed = () => bench.events.filter((e) => e.what === 'executed').length;
      const before = executed();
      const [disk] = guest.disks;
      if (disk === undefined) throw new Error('no disk');
      let status: number | undefined;
      guest.os.start('reader', function* (me) {
        status = yield* disk.wait(disk.submit(me, { op: 'read', sector: 0, sectors: 1, data: new Uint8Array(0) }));
      });
      pass(bench, 10_000_000);
      expect(executed()).toBe(before);
      expect(status).toBeUndefined();
      disk.reopen();
      until(bench, () => status !== undefined);
      expect(status).toBe(0);
    },
  );

  it('RNG-8: netback disables a vif whose producer index is impossible, and no other', () => {
    const { bench, guests } = pair();
    talk(bench, guests, 20);
    const { refs, ports } = attached(bench, 'vif/1/0');
    const [guest] = guests;
    if (guest === undefined) throw new Error('no guest');
    const frame = ringPage(guest, refs[0] ?? 0);
    frame.store32(IO_REQ_PROD, frame.load32(IO_RSP_PROD) + 257, true);
    guest.os.hyper.send(ports[0] ?? 0);
    until(bench, () => bench.events.some((e) => e.what === 'stopped' && e.dev === 'vif/1/0'));
    const carried = () => bench.events.filter((e) => e.what === 'carried' && e.dev === 'vif/1/0').length;
    const before = carried();
    guest.nics[0]?.send(new Uint8Array(64));
    pass(bench, 5_000_000);
    expect(carried()).toBe(before);
    expect(bench.events.some((e) => e.what === 'stopped' && e.dev === 'vif/2/0')).toBe(false);
  });

  it('RNG-7: answers come in the order in which the disk is done, each in the slot of a request that was taken', () => {
    const bench = deviceHost();
    const guest = addGuest(bench, 'domU', { nics: [] });
    until(bench, () => guest.disks.length === 1);
    load(bench, guest, 400);
    const ids = (what: string) => bench.events.flatMap((e) => (e.what === what && 'id' in e ? [e.id] : []));
    expect(ids('taken')).toEqual(ids('submitted'));
    expect(ids('completed')).not.toEqual(ids('submitted'));
    expect([...ids('completed')].sort((a, b) => a - b)).toEqual(ids('submitted').sort((a, b) => a - b));
  });
});
