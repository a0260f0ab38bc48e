import { describe, expect, it } from 'vitest';
import { netLoad } from '../../../guests/devices/index.ts';
import { vif } from '../../../guests/libxl/index.ts';
import { addGuest, type DeviceGuest, deviceHost, until } from './host.ts';

function address(n: number): string {
  return `00163e0000${n.toString(16).padStart(2, '0')}`;
}

function nic(n: number) {
  return vif({ mac: address(n).replace(/(..)(?=.)/g, '$1:') });
}

describe('two guests on a bridge', () => {
  it.each([true, false])('exchange packets in order, split event channels: %s', (hasSplitPorts) => {
    const host = deviceHost({ hasSplitPorts });
    const guests: DeviceGuest[] = [];
    for (const n of [1, 2]) guests.push(addGuest(host, `domU${n}`, { nics: [nic(n)], disks: [] }));
    until(host, () => guests.every((g) => g.nics.length === 1));
    let finished = 0;
    for (const [i, g] of guests.entries()) {
      let left = 200;
      const [card] = g.nics;
      if (card === undefined) throw new Error('no interface');
      g.os.start('load', (me) =>
        netLoad(me, card, host.world.machine.scheduler, {
          peers: [address(2 - i)],
          goesOn: () => left-- > 0,
          windowMax: 8,
          thinkNsMax: 2_000,
          asked: () => {},
          finished: () => finished++,
        }),
      );
    }
    until(host, () => finished === 2);
    const of = (what: string, dev: string) => host.events.flatMap((e) => (e.what === what && e.dev === dev ? [e] : []));
    expect(of('sent', 'vif/1/0').length).toBeGreaterThan(400);
    expect(of('dropped', 'vif/1/0')).toEqual([]);
    const sums = (events: typeof host.events) => events.map((e) => ('sum' in e ? `${e.from}>${e.to} ${e.sum}` : ''));
    expect(sums(of('received', 'vif/2/0'))).toEqual(sums(of('sent', 'vif/1/0')));
  });
});
