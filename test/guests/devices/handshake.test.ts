import { describe, expect, it } from 'vitest';
import { XenbusState } from '../../../guests/devices/index.ts';
import { Xs } from '../../../guests/index.ts';
import { addDevice, removeDevice, vbd, vif } from '../../../guests/libxl/index.ts';
import { look, pass, run, until, write } from '../../support/host.ts';
import { WRITE_TYPE, writes } from './asked.ts';
import { addGuest, deviceHost, states } from './host.ts';

const VBD = {
  name: 'vbd/1/51712',
  front: '/local/domain/1/device/vbd/51712',
  back: '/local/domain/0/backend/vbd/1/51712',
};
const VIF = { name: 'vif/1/0', front: '/local/domain/1/device/vif/0', back: '/local/domain/0/backend/vif/1/0' };

function connected(options: Parameters<typeof deviceHost>[0] = {}) {
  const bench = deviceHost(options);
  const guest = addGuest(bench, 'domU');
  until(bench, () => guest.disks.length === 1 && guest.nics.length === 1);
  return { bench, guest };
}

describe('the states of a device', () => {
  it('HS-1: each side writes its own state and no other', () => {
    const { bench } = connected();
    const paths = new Set(
      writes(bench)
        .filter(({ path }) => path.endsWith('/state'))
        .map(({ actor, path }) => `${actor} ${path}`),
    );
    const drivers = [...paths].filter((line) => line.includes('xenwatch')).sort();
    expect(drivers).toEqual([
      'dom0/xenwatch-back backend/vbd/1/51712/state',
      'dom0/xenwatch-back backend/vif/1/0/state',
      'domU/xenwatch-front device/vbd/51712/state',
      'domU/xenwatch-front device/vif/0/state',
    ]);
  });

  it('HS-2: a state is written in a transaction that reads it first', () => {
    const { bench } = connected();
    const requests = writes(bench, 'domU/xenwatch-front', false);
    const at = requests.findIndex(({ type, path }) => type === WRITE_TYPE && path === 'device/vbd/51712/state');
    const tx = requests[at]?.tx ?? 0;
    expect(tx).toBeGreaterThan(0);
    const names = requests.filter((r) => r.tx === tx || r === requests[at]).map(({ type, path }) => `${type} ${path}`);
    expect(names.slice(0, 2)).toEqual(['2 device/vbd/51712/state', '11 device/vbd/51712/state']);
  });

  it('HS-2: a node that was removed is not brought back by a change of state', () => {
    const { bench, guest } = connected();
    run(bench, 'rm', function* (me) {
      const xs = new Xs(bench.host.dom0.client, me);
      yield* xs.rm(VBD.back);
    });
    until(bench, () => bench.events.some((e) => e.dev === VBD.name && e.what === 'removed' && e.side === 'back'));
    pass(bench, 5_000_000);
    expect(look(bench, `${VBD.back}/state`)).toBeUndefined();
    expect(guest.disks[0]?.isClosing).toBe(true);
  });

  it('HS-3: the same state over and over changes nothing', () => {
    const { bench } = connected();
    const before = bench.events.length;
    for (let i = 0; i < 5; i++) {
      for (const path of [VBD.front, VBD.back, VIF.front, VIF.back]) write(bench, `${path}/state`, '4');
      pass(bench, 500_000);
    }
    expect(bench.events.slice(before).map((e) => e.what)).toEqual([]);
  });

  it('HS-4: a driver that cannot go on says why in its own tree, and closes', () => {
    const bench = deviceHost();
    const guest = addGuest(bench, 'domU', { hasDrivers: false, nics: [] });
    write(bench, `${VBD.front}/protocol`, 'x86_32-abi');
    write(bench, `${VBD.front}/ring-ref`, '8');
    write(bench, `${VBD.front}/event-channel`, '3');
    write(bench, `${VBD.front}/state`, '3');
    until(bench, () => look(bench, '/local/domain/0/error/backend/vbd/1/51712/error') !== undefined);
    pass(bench, 2_000_000);
    expect(look(bench, '/local/domain/0/error/backend/vbd/1/51712/error')).toBe('unknown protocol x86_32-abi');
    expect(look(bench, `${VBD.back}/state`)).toBe(String(XenbusState.Closing));
    expect(guest.disks).toEqual([]);
  });

  it('HS-5: without a state of the frontend the backend lets go of the device', () => {
    const { bench } = connected();
    run(bench, 'rm', function* (me) {
      yield* new Xs(bench.host.dom0.client, me).rm(`${VBD.front}/state`);
    });
    until(bench, () => bench.events.some((e) => e.dev === VBD.name && e.what === 'removed' && e.side === 'back'));
    expect(states(bench, VBD.name, 'back').at(-1)).toBe(XenbusState.Closed);
    const { dom0 } = bench.host;
    expect(dom0.os.domain.maptrack.handles().length).toBe(4); // two store rings, and the vif's two rings
  });

  it('HS-5: a backend without a state is a closed one for the frontend', () => {
    const { bench, guest } = connected();
    run(bench, 'rm', function* (me) {
      yield* new Xs(bench.host.dom0.client, me).rm(`${VIF.back}/state`);
    });
    until(bench, () => states(bench, VIF.name, 'front').at(-1) === XenbusState.Closed);
    expect(guest.nics[0]?.isClosing).toBe(true);
  });

  it('netback shows 4 only when the script has said that the vif is on its bridge', () => {
    const bench = deviceHost({ fate: (device) => (device.kind === 'vif' ? 'silent' : 'works') });
    const guest = addGuest(bench, 'domU');
    until(bench, () => guest.disks.length === 1);
    pass(bench, 20_000_000);
    expect(states(bench, VIF.name, 'front')).toEqual([4]);
    expect(states(bench, VIF.name, 'back')).toEqual([2]);
    write(bench, `${VIF.back}/hotplug-status`, 'connected');
    until(bench, () => guest.nics.length === 1);
    expect(states(bench, VIF.name, 'back')).toEqual([2, 4]);
  });

  it('netback passes through every state between two', () => {
    const { bench } = connected();
    const before = states(bench, VIF.name, 'back').length;
    write(bench, `${VIF.front}/state`, '6');
    until(bench, () => states(bench, VIF.name, 'back').at(-1) === XenbusState.Closed);
    write(bench, `${VIF.front}/state`, '1');
    until(bench, () => states(bench, VIF.name, 'back').at(-1) === XenbusState.InitWait);
    expect(states(bench, VIF.name, 'back').slice(before)).toEqual([5, 6, 2]);
  });

  it('a disk that grows is told by 4 once more', () => {
    const { bench, guest } = connected();
    expect(guest.disks[0]?.sectors).toBe(2_048);
    bench.disks.all[0]?.[1].resize(4_096);
    until(bench, () => guest.disks[0]?.sectors === 4_096);
    until(bench, () => states(bench, VBD.name, 'back').length === 3);
    expect(states(bench, VBD.name, 'back')).toEqual([2, 4, 4]);
  });

  it('a device that xl adds to a running guest comes up, and goes when xl removes it', () => {
    const { bench, guest } = connected();
    const device = vbd({ devid: (202 << 8) | 16 });
    expect(run(bench, 'attach', (me) => addDevice(me, bench.xl, guest.domid, device)).rc).toBe(0);
    until(bench, () => guest.disks.length === 2);
    expect(run(bench, 'detach', (me) => removeDevice(me, bench.xl, guest.domid, device)).rc).toBe(0);
    const name = 'vbd/1/51728';
    expect(states(bench, name, 'front')).toEqual([3, 4, 6]);
    expect(states(bench, name, 'back')).toEqual([2, 4, 6]);
    expect(look(bench, '/local/domain/0/backend/vbd/1/51728')).toBeUndefined();
    const nic = vif({ devid: 1, mac: '00:16:3e:00:00:77' });
    expect(run(bench, 'attach', (me) => addDevice(me, bench.xl, guest.domid, nic)).rc).toBe(0);
    until(bench, () => guest.nics.length === 2);
    expect(guest.nics[1]?.address).toBe('00163e000077');
    expect(run(bench, 'detach', (me) => removeDevice(me, bench.xl, guest.domid, nic)).rc).toBe(0);
  });
});

describe('a frontend that dies', () => {
  it('leaves nothing mapped, and no zombie, when it is destroyed', () => {
    const { bench, guest } = connected();
    const { machine, dom0 } = bench.host;
    machine.destroy(guest.os.domain);
    until(bench, () => machine.domain(guest.domid) === undefined);
    until(bench, () =>
      ['vbd', 'vif'].every((kind) => bench.events.some((e) => e.dev.startsWith(kind) && e.what === 'removed')),
    );
    expect(dom0.os.domain.maptrack.handles()).toHaveLength(1); // the store's own ring of dom0
    expect(states(bench, VBD.name, 'back').at(-1)).toBe(XenbusState.Closed);
    expect(states(bench, VIF.name, 'back').at(-1)).toBe(XenbusState.Closed);
  });

  it('is a zombie as long as its backend maps its rings', () => {
    const { bench, guest } = connected();
    const { machine } = bench.host;
    machine.pause(bench.host.dom0.os.domain);
    machine.destroy(guest.os.domain);
    pass(bench, 5_000_000);
    expect(machine.domain(guest.domid)?.dying).toBe('dead');
    machine.unpause(bench.host.dom0.os.domain);
    until(bench, () => machine.domain(guest.domid) === undefined);
  });
});
