import { describe, expect, it } from 'vitest';
import { blkLoad } from '../../../guests/devices/index.ts';
import { addGuest, deviceHost, look, run, states, until } from './host.ts';

describe('a disk', () => {
  it('connects through the states of either end', () => {
    const host = deviceHost();
    const guest = addGuest(host, 'domU');
    until(host, () => guest.disks.length === 1 && guest.nics.length === 1);
    expect(states(host, 'vbd/1/51712', 'front')).toEqual([3, 4]);
    expect(states(host, 'vbd/1/51712', 'back')).toEqual([2, 4]);
    expect(states(host, 'vif/1/0', 'front')).toEqual([4]);
    expect(states(host, 'vif/1/0', 'back')).toEqual([2, 4]);
    expect(look(host, '/local/domain/0/backend/vbd/1/51712/sectors')).toBe('2048');
  });

  it.each([true, false])('reads back what was written, persistent grants: %s', (isPersistent) => {
    const host = deviceHost({ isPersistent });
    const guest = addGuest(host, 'domU');
    until(host, () => guest.disks.length === 1);
    const [disk] = guest.disks;
    let left = 300;
    if (disk === undefined) throw new Error('no disk');
    run(
      host,
      'load',
      (me) =>
        blkLoad(me, disk, {
          first: 0,
          end: 512,
          goesOn: () => left-- > 0,
          inFlightMax: 8,
          thinkNsMax: 2_000,
          asked: () => {},
        }),
      guest.os,
    );
    const done = host.events.filter((e) => e.what === 'completed');
    expect(done).toHaveLength(300);
    expect(done.every((e) => e.what === 'completed' && e.ok)).toBe(true);
  });
});
