import { describe, expect, it } from 'vitest';
import { netLoad } from '../../../guests/devices/index.ts';
import { vif } from '../../../guests/libxl/index.ts';
import { until } from '../../support/host.ts';
import { addGuest, type DeviceGuest, deviceHost, states } from './host.ts';

function address(n: number): string {
  return `00163e0000${n.toString(16).padStart(2, '0')}`;
}

function nic(n: number) {
  return vif({ mac: address(n).replace(/(..)(?=.)/g, '$1:') });
}

describe('two guests on a bridge', () => {
  it.each([true, false])('exchange packets in order, split event channels: %s', (hasSplitPorts) => {
    const bench = deviceHost({ hasSplitPorts });
    const guests: DeviceGuest[] = [];
    for (const n of [1, 2]) guests.push(addGuest(bench, `domU${n}`, { nics: [nic(n)], disks: [] }));
    until(bench, () => guests.every((g) => g.nics.length === 1));
    let finished = 0;
    for (const [i, g] of guests.entries()) {
      let left = 400;
      const [card] = g.nics;
      if (card === undefined) throw new Error('no interface');
      g.os.start('load', (me) =>
        netLoad(me, card, bench.host.machine.scheduler, {
          peers: [address(2 - i)],
          goesOn: () => left > 0,
          windowMax: 8,
          thinkNsMax: 2_000,
          asked: () => left--,
          finished: () => finished++,
        }),
      );
    }
    until(bench, () => finished === 2);
    const of = (what: string, dev: string) =>
      bench.events.flatMap((e) => (e.what === what && e.dev === dev ? [e] : []));
    expect(of('sent', 'vif/1/0').length).toBeGreaterThan(390);
    expect(of('dropped', 'vif/1/0')).toEqual([]);
    const sums = (events: typeof bench.events) => events.map((e) => ('sum' in e ? `${e.from}>${e.to} ${e.sum}` : ''));
    expect(sums(of('received', 'vif/2/0'))).toEqual(sums(of('sent', 'vif/1/0')));
  });

  it('carries a packet of three pages whole, in several slots both ways', () => {
    const { bench, guests } = pair();
    const [a, b] = guests;
    const got: Uint8Array[] = [];
    const receiver = b?.nics[0];
    if (a === undefined || receiver === undefined) throw new Error('no guests');
    receiver.received = (packet) => got.push(packet);
    const packet = Uint8Array.from({ length: 12_000 }, (_, i) => (i * 7) >>> (i & 3));
    packet.set([0, 0x16, 0x3e, 0, 0, 2, 0, 0x16, 0x3e, 0, 0, 1]);
    a.nics[0]?.send(packet);
    until(bench, () => got.length === 1);
    expect(got[0]).toEqual(packet);
    until(bench, () => bench.events.some((e) => e.what === 'acked' && e.dev === 'vif/1/0'));
  });

  it('does not copy a packet shorter than its header: the slot is answered with an error', () => {
    const { bench, guests } = pair();
    guests[0]?.nics[0]?.send(new Uint8Array(10));
    until(bench, () => bench.events.some((e) => e.what === 'acked'));
    expect(bench.events.filter((e) => e.what === 'acked').map((e) => e.what === 'acked' && e.ok)).toEqual([false]);
    expect(bench.events.some((e) => e.what === 'carried')).toBe(false);
  });

  it.each(['1', '2'])('receives on its new rings whatever it was doing on the old ones, seed %s', (seed) => {
    const { bench, guests } = pair({ seed, jitter: { stepNs: 256, absentOneIn: 256, absentNsMax: 1_000_000 } });
    const [a, b] = guests.map((g) => g.nics[0]);
    if (a === undefined || b === undefined) throw new Error('no guests');
    let got = 0;
    b.received = () => got++;
    const packet = new Uint8Array(100).fill(9);
    packet.set([0, 0x16, 0x3e, 0, 0, 2, 0, 0x16, 0x3e, 0, 0, 1]);
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 200; i++) a.send(packet);
      const before = got;
      until(bench, () => got > before + 20 + 10 * round);
      b.reopen();
      until(bench, () => !b.hasCarrier);
      until(bench, () => b.hasCarrier && a.inFlight === 0);
      const now = got;
      a.send(packet);
      until(bench, () => got > now);
    }
  });

  it('goes on after a reconnection, through every state', () => {
    const { bench, guests } = pair();
    const [a, b] = guests;
    const got: Uint8Array[] = [];
    const [sender, receiver] = [a?.nics[0], b?.nics[0]];
    if (sender === undefined || receiver === undefined) throw new Error('no guests');
    receiver.received = (packet) => got.push(packet);
    sender.reopen();
    until(bench, () => states(bench, 'vif/1/0', 'back').length === 6 && sender.hasCarrier);
    expect(states(bench, 'vif/1/0', 'front')).toEqual([4, 5, 6, 1, 4]);
    expect(states(bench, 'vif/1/0', 'back')).toEqual([2, 4, 5, 6, 2, 4]);
    const packet = new Uint8Array(100).fill(9);
    packet.set([0, 0x16, 0x3e, 0, 0, 2, 0, 0x16, 0x3e, 0, 0, 1]);
    sender.send(packet);
    until(bench, () => got.length === 1);
    expect(a?.kernel.grants.busy).toBe(0);
  });
});

function pair(options: Parameters<typeof deviceHost>[0] = {}) {
  const bench = deviceHost(options);
  const guests = [1, 2].map((n) => addGuest(bench, `domU${n}`, { nics: [nic(n)], disks: [] }));
  until(bench, () => guests.every((g) => g.nics.length === 1 && g.nics[0]?.hasCarrier === true));
  return { bench, guests };
}
