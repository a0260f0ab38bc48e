import { describe, expect, it } from 'vitest';
import { XenbusState } from '../../../guests/devices/index.ts';
import { Xs } from '../../../guests/index.ts';
import { addDevice, removeDevice, vbd, vif } from '../../../guests/libxl/index.ts';
import { WRITE_TYPE, writes } from './asked.ts';
import { addGuest, deviceHost, look, pass, run, states, until, write } from './host.ts';

const VBD = {
  name: 'vbd/1/51712',
  front: '/local/domain/1/device/vbd/51712',
  back: '/local/domain/0/backend/vbd/1/51712',
};
const VIF = { name: 'vif/1/0', front: '/local/domain/1/device/vif/0', back: '/local/domain/0/backend/vif/1/0' };

function connected(options: Parameters<typeof deviceHost>[0] = {}) {
  const host = deviceHost(options);
  const guest = addGuest(host, 'domU');
  until(host, () => guest.disks.length === 1 && guest.nics.length === 1);
  return { host, guest };
}

describe('the states of a device', () => {
  it('HS-1: each side writes its own state and no other', () => {
    const { host } = connected();
    const paths = new Set(
      writes(host)
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
    const { host } = connected();
    const requests = writes(host, 'domU/xenwatch-front', false);
    const at = requests.findIndex(({ type, path }) => type === WRITE_TYPE && path === 'device/vbd/51712/state');
    const tx = requests[at]?.tx ?? 0;
    expect(tx).toBeGreaterThan(0);
    const names = requests.filter((r) => r.tx === tx || r === requests[at]).map(({ type, path }) => `${type} ${path}`);
    expect(names.slice(0, 2)).toEqual(['2 device/vbd/51712/state', '11 device/vbd/51712/state']);
  });

  it('HS-2: a node that was removed is not brought back by a change of state', () => {
    const { host, guest } = connected();
    run(host, 'rm', function* (me) {
      const xs = new Xs(host.world.dom0.client, me);
      yield* xs.rm(VBD.back);
    });
    until(host, () => host.events.some((e) => e.dev === VBD.name && e.what === 'removed' && e.side === 'back'));
    pass(host, 5_000_000);
    expect(look(host, `${VBD.back}/state`)).toBeUndefined();
    expect(guest.disks[0]?.isClosing).toBe(true);
  });

  it('HS-3: the same state over and over changes nothing', () => {
    const { host } = connected();
    const before = host.events.length;
    for (let i = 0; i < 5; i++) {
      for (const path of [VBD.front, VBD.back, VIF.front, VIF.back]) write(host, `${path}/state`, '4');
      pass(host, 500_000);
    }
    expect(host.events.slice(before).map((e) => e.what)).toEqual([]);
  });

  it('HS-4: a driver that cannot go on says why in its own tree, and closes', () => {
    const host = deviceHost();
    const guest = addGuest(host, 'domU', { hasDrivers: false, nics: [] });
    write(host, `${VBD.front}/protocol`, 'x86_32-abi');
    write(host, `${VBD.front}/ring-ref`, '8');
    write(host, `${VBD.front}/event-channel`, '3');
    write(host, `${VBD.front}/state`, '3');
    until(host, () => look(host, '/local/domain/0/error/backend/vbd/1/51712/error') !== undefined);
    pass(host, 2_000_000);
    expect(look(host, '/local/domain/0/error/backend/vbd/1/51712/error')).toBe('unknown protocol x86_32-abi');
    expect(look(host, `${VBD.back}/state`)).toBe(String(XenbusState.Closing));
    expect(guest.disks).toEqual([]);
  });

  it('HS-5: without a state of the frontend the backend lets go of the device', () => {
    const { host } = connected();
    run(host, 'rm', function* (me) {
      yield* new Xs(host.world.dom0.client, me).rm(`${VBD.front}/state`);
    });
    until(host, () => host.events.some((e) => e.dev === VBD.name && e.what === 'removed' && e.side === 'back'));
    expect(states(host, VBD.name, 'back').at(-1)).toBe(XenbusState.Closed);
    const { dom0 } = host.world;
    expect(dom0.os.domain.maptrack.handles().length).toBe(4); // two store rings, and the vif's two rings
  });

  it('HS-5: a backend without a state is a closed one for the frontend', () => {
    const { host, guest } = connected();
    run(host, 'rm', function* (me) {
      yield* new Xs(host.world.dom0.client, me).rm(`${VIF.back}/state`);
    });
    until(host, () => states(host, VIF.name, 'front').at(-1) === XenbusState.Closed);
    expect(guest.nics[0]?.isClosing).toBe(true);
  });

  it('netback shows 4 only when the script has said that the vif is on its bridge', () => {
    const host = deviceHost({ fate: (device) => (device.kind === 'vif' ? 'silent' : 'works') });
    const guest = addGuest(host, 'domU');
    until(host, () => guest.disks.length === 1);
    pass(host, 20_000_000);
    expect(states(host, VIF.name, 'front')).toEqual([4]);
    expect(states(host, VIF.name, 'back')).toEqual([2]);
    write(host, `${VIF.back}/hotplug-status`, 'connected');
    until(host, () => guest.nics.length === 1);
    expect(states(host, VIF.name, 'back')).toEqual([2, 4]);
  });

  it('netback passes through every state between two', () => {
    const { host } = connected();
    const before = states(host, VIF.name, 'back').length;
    write(host, `${VIF.front}/state`, '6');
    until(host, () => states(host, VIF.name, 'back').at(-1) === XenbusState.Closed);
    write(host, `${VIF.front}/state`, '1');
    until(host, () => states(host, VIF.name, 'back').at(-1) === XenbusState.InitWait);
    expect(states(host, VIF.name, 'back').slice(before)).toEqual([5, 6, 2]);
  });

  it('a disk that grows is told by 4 once more', () => {
    const { host, guest } = connected();
    expect(guest.disks[0]?.sectors).toBe(2_048);
    host.disks.all[0]?.[1].resize(4_096);
    until(host, () => guest.disks[0]?.sectors === 4_096);
    until(host, () => states(host, VBD.name, 'back').length === 3);
    expect(states(host, VBD.name, 'back')).toEqual([2, 4, 4]);
  });

  it('a device that xl adds to a running guest comes up, and goes when xl removes it', () => {
    const { host, guest } = connected();
    const device = vbd({ devid: (202 << 8) | 16 });
    expect(run(host, 'attach', (me) => addDevice(me, host.xl, guest.domid, device)).rc).toBe(0);
    until(host, () => guest.disks.length === 2);
    expect(run(host, 'detach', (me) => removeDevice(me, host.xl, guest.domid, device)).rc).toBe(0);
    const name = 'vbd/1/51728';
    expect(states(host, name, 'front')).toEqual([3, 4, 6]);
    expect(states(host, name, 'back')).toEqual([2, 4, 6]);
    expect(look(host, '/local/domain/0/backend/vbd/1/51728')).toBeUndefined();
    const nic = vif({ devid: 1, mac: '00:16:3e:00:00:77' });
    expect(run(host, 'attach', (me) => addDevice(me, host.xl, guest.domid, nic)).rc).toBe(0);
    until(host, () => guest.nics.length === 2);
    expect(guest.nics[1]?.address).toBe('00163e000077');
    expect(run(host, 'detach', (me) => removeDevice(me, host.xl, guest.domid, nic)).rc).toBe(0);
  });
});

describe('a frontend that dies', () => {
  it('leaves nothing mapped, and no zombie, when it is destroyed', () => {
    const { host, guest } = connected();
    const { machine, dom0 } = host.world;
    machine.destroy(guest.os.domain);
    until(host, () => machine.domain(guest.domid) === undefined);
    until(host, () =>
      ['vbd', 'vif'].every((kind) => host.events.some((e) => e.dev.startsWith(kind) && e.what === 'removed')),
    );
    expect(dom0.os.domain.maptrack.handles()).toHaveLength(1); // the store's own ring of dom0
    expect(states(host, VBD.name, 'back').at(-1)).toBe(XenbusState.Closed);
    expect(states(host, VIF.name, 'back').at(-1)).toBe(XenbusState.Closed);
  });

  it('is a zombie as long as its backend maps its rings', () => {
    const { host, guest } = connected();
    const { machine } = host.world;
    machine.pause(host.world.dom0.os.domain);
    machine.destroy(guest.os.domain);
    pass(host, 5_000_000);
    expect(machine.domain(guest.domid)?.dying).toBe('dead');
    machine.unpause(host.world.dom0.os.domain);
    until(host, () => machine.domain(guest.domid) === undefined);
  });
});
