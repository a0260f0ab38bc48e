import { describe, expect, it } from 'vitest';
import type { XsLink } from '../../../guests/index.ts';
import {
  addDevice,
  createDomain,
  type HotplugScripts,
  removeDevice,
  type ScriptFate,
  vbd,
  vif,
} from '../../../guests/libxl/index.ts';
import { look, run, together } from '../../support/host.ts';
import { asked, type LibxlBench, libxlBench, startBackends } from './host.ts';

const SECOND_NS = 1_000_000_000;
const VIF = '/local/domain/0/backend/vif/1/0';
const VBD = '/local/domain/0/backend/vbd/1/51712';

interface Scripted extends LibxlBench {
  readonly open: Set<XsLink>;
  readonly counts: { connections: number; closed: number };
  /** What was done to the bridge, each with what the store said of the script by then. */
  readonly bridge: string[];
}

function scripted(fate: ScriptFate = 'works', only: 'add' | 'remove' = 'add'): Scripted {
  const counts = { connections: 0, closed: 0 };
  let link: XsLink | undefined;
  const bridge: string[] = [];
  const note = (what: string) =>
    bridge.push(`${what}, hotplug-status ${JSON.stringify(look(h, `${VIF}/hotplug-status`))}`);
  const hotplug: HotplugScripts = {
    connect: () => {
      counts.connections++;
      if (link === undefined) throw new Error('no store yet');
      return link;
    },
    close: () => {
      counts.closed++;
    },
    bridge: { addInterface: (name) => note(`add ${name}`), removeInterface: (name) => note(`remove ${name}`) },
    workNs: [10_000_000, 20_000_000],
    processNs: [500_000, 1_000_000],
    fate: (_device, _domid, action) => (action === only ? fate : 'works'),
  };
  const h: LibxlBench = libxlBench({ hotplug });
  link = h.host.dom0.client;
  startBackends(h);
  expect(run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g' })).rc).toBe(0);
  return { ...h, open: new Set(), counts, bridge };
}

const scriptOf = (h: LibxlBench, actor: string) =>
  asked(h, actor).filter((r) => /\/v(if|bd)-(add|remove)-\d+$/.test(r.actor));

describe('hotplug scripts', () => {
  it('HS-14: vif-bridge puts the interface on the bridge before it says connected, and takes it off again', () => {
    const h = scripted();
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    run(h, 'detach', (me) => removeDevice(me, h.xl, 1, vif(), 'on'));
    expect(h.bridge).toEqual(['add vif1.0, hotplug-status ""', 'remove vif1.0, hotplug-status "connected"']);
  });

  it('HS-12: each access of vif-bridge is a connection of its own, and the last one says connected', () => {
    const h = scripted();
    expect(run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif())).rc).toBe(0);
    const lines = scriptOf(h, 'attach').map(({ line }) => line);
    expect(lines).toEqual([
      'READ backend/vif/1/0/vifname',
      'READ backend/vif/1/0/ip',
      'READ backend/vif/1/0/bridge',
      'READ backend/vif/1/0/mtu',
      'WRITE /local/domain/1/device/vif/0/mtu 1500',
      'WRITE backend/vif/1/0/hotplug-status connected',
    ]);
    expect(h.counts).toEqual({ connections: lines.length, closed: lines.length });
    expect(look(h, `${VIF}/hotplug-status`)).toBe('connected');
  });

  it('block looks at every disk of the host, and writes the device in hex', () => {
    const h = scripted();
    expect(run(h, 'first', (me) => addDevice(me, h.xl, 1, vbd())).rc).toBe(0);
    expect(run(h, 'second', (me) => addDevice(me, h.xl, 1, vbd({ devid: 51728 }))).rc).toBe(0);
    expect(look(h, `${VBD}/physical-device`)).toMatch(/^[0-9a-f]+:[0-9a-f]+$/);
    expect(look(h, `${VBD}/physical-device-path`)).toBe('/dev/vg/d1-xvda');
    expect(look(h, `${VBD}/hotplug-status`)).toBe('connected');
    const second = scriptOf(h, 'second').map(({ line }) => line);
    expect(second).toContain('READ backend/vbd/1/51712/physical-device');
    expect(h.counts.connections).toBeGreaterThanOrEqual(20); // 4.2: 12 to 20 for a boot
  });

  it('one block script at a time: the others wait for its lock', () => {
    const h = scripted();
    const before = h.host.machine.nowNs;
    const outcomes = together(
      h,
      [0, 1, 2, 3].map((n) => [`attach${n}`, (me) => addDevice(me, h.xl, 1, vbd({ devid: 51712 + 16 * n }))] as const),
    );
    expect(outcomes.map(({ rc }) => rc)).toEqual([0, 0, 0, 0]);
    expect(h.host.machine.nowNs - before).toBeGreaterThan(4 * 10_000_000);
  });

  it.each([
    ['error', 'error', 'Could not find bridge device xenbr0'],
    ['busy', 'busy', 'Could not find bridge device xenbr0'],
  ] as const)(
    'HS-11: a script that fails (%s) says why, in one transaction, and the add fails',
    (fate, status, why) => {
      const h = scripted(fate);
      expect(run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif())).rc).toBe('ERROR_FAIL');
      expect(look(h, `${VIF}/hotplug-status`)).toBe(status);
      expect(look(h, `${VIF}/hotplug-error`)).toBe(why);
      const writes = scriptOf(h, 'attach').filter(({ line }) => line.startsWith('WRITE'));
      expect(writes.map(({ tx }) => tx !== 0)).toEqual([true, true]);
      expect(asked(h, 'attach').map(({ line }) => line)).toContain(`READ ${VIF}/hotplug-error`);
    },
  );

  it('INJ-T7: a script that ends well and never says connected is success for libxl', () => {
    const h = scripted('silent');
    expect(run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif())).rc).toBe(0);
    expect(look(h, `${VIF}/hotplug-status`)).toBe('');
  });

  it('INJ-T7: a script that never ends is killed after 40 s', () => {
    const h = scripted('hangs');
    const before = h.host.machine.nowNs;
    expect(run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif())).rc).toBe('ERROR_TIMEDOUT');
    expect(Math.round((h.host.machine.nowNs - before) / SECOND_NS)).toBe(40);
    // The lock of a killed script is free.
    expect(run(h, 'detach', (me) => removeDevice(me, h.xl, 1, vif())).rc).toBe(0);
  });

  it('a script that fails at a removal does not keep the nodes', () => {
    const h = scripted('error', 'remove');
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    expect(run(h, 'detach', (me) => removeDevice(me, h.xl, 1, vif())).rc).toBe(0);
    expect(look(h, '/libxl/1/device/vif')).toBeUndefined();
  });

  it('of a backend elsewhere that domain takes care: no script, and at a removal a wait until it is gone', () => {
    const h = scripted();
    run(h, 'xl2', (me) => createDomain(me, h.xl, { name: 'driver' }));
    const device = vif({ backendDomid: 2 });
    const back = '/local/domain/2/backend/vif/1/0';
    const [added] = together(h, [
      ['attach', (me) => addDevice(me, h.xl, 1, device)],
      [
        'driver',
        function* (me) {
          yield 5_000_000;
          yield* h.host.dom0.client.request(me, 11, octets(`${back}/state\0${2}`));
          return undefined;
        },
      ],
    ]);
    expect(added?.rc).toBe(0);
    expect(h.counts.connections).toBe(0);
    const [removed] = together(h, [
      ['detach', (me) => removeDevice(me, h.xl, 1, device)],
      [
        'devd',
        function* (me) {
          yield 5_000_000;
          yield* h.host.dom0.client.request(me, 11, octets(`${back}/state\0${6}`));
          yield 5_000_000;
          yield* h.host.dom0.client.request(me, 13, octets(`${back}\0`));
          return undefined;
        },
      ],
    ]);
    expect(removed?.rc).toBe(0);
    expect(look(h, back)).toBeUndefined();
    expect(look(h, '/libxl/1/device/vif')).toBeUndefined();
  });
});

function octets(payload: string): Uint8Array {
  return Uint8Array.from(payload, (c) => c.charCodeAt(0));
}
