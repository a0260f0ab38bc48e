import { describe, expect, it } from 'vitest';
import { addDevice, type BuiltDomain, createDomain, type DomainPlan, vbd, vif } from '../../../guests/libxl/index.ts';
import { run } from '../../support/host.ts';
import { asked, type LibxlBench, libxlBench, startBackends, startConsoleDaemon, transaction } from './host.ts';

/*
 * What libxl asks of the store, request for request, as recorded at the ring. The order is that of the sources of Xen 4.22:
 * libxl_create.c (libxl__domain_make), libxl_dom.c (libxl__build_post), libxl_device.c (libxl__device_generic_add),
 * libxl_nic.c, libxl_disk.c, libxl_console.c.
 */

const UUID = '12345678-9abc-def0-1234-56789abcdef0';

function created(plan: Partial<DomainPlan> = {}): LibxlBench & { readonly built: BuiltDomain } {
  const h = libxlBench();
  startBackends(h);
  startConsoleDaemon(h);
  const made = run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g', uuid: UUID, ...plan }));
  expect([made.rc, made.introduced, made.requests]).toEqual([0, 'OK', asked(h, 'xl').length]);
  return { ...h, built: made.built as BuiltDomain };
}

const D = '/local/domain/1';
const VM = `/vm/${UUID}`;
const mknod = (path: string, perms: string) => [`WRITE ${path}`, `SET_PERMS ${path} ${perms}`];
const RO = 'n0 r1';
const RW = 'n1';

const TXN_A = [
  `RM ${D}`,
  ...mknod(D, RO),
  `RM ${VM}`,
  ...mknod(VM, RO),
  'RM /libxl/1',
  ...mknod('/libxl/1', 'n0'),
  ...mknod('/libxl/1/device', 'n0'),
  `WRITE ${D}/vm ${VM}`,
  `WRITE ${D}/name g`,
  `WRITE ${VM}/name g`,
  ...mknod(`${D}/cpu`, RO),
  ...mknod(`${D}/memory`, RO),
  ...mknod(`${D}/device`, RO),
  ...mknod(`${D}/device/suspend/event-channel`, RW),
  ...mknod(`${D}/control`, RO),
  ...['control/shutdown', 'control/feature-poweroff', 'control/feature-reboot'].flatMap((n) => mknod(`${D}/${n}`, RW)),
  ...['control/feature-suspend', 'control/sysrq'].flatMap((n) => mknod(`${D}/${n}`, RW)),
  ...['data', 'drivers', 'feature', 'attr', 'error'].flatMap((n) => mknod(`${D}/${n}`, RW)),
  `WRITE ${VM}/uuid ${UUID}`,
  `WRITE ${VM}/name g`,
  `WRITE ${D}/control/platform-feature-multiprocessor-suspend 1`,
  `WRITE ${D}/control/platform-feature-xs_reset_watches 1`,
  'WRITE /libxl/1/type pvh',
  'TRANSACTION_END T',
];

/** Steps 1 to 11 of a device's transaction (guests.md 2.2). */
function deviceAdd(
  at: { readonly front: string; readonly back: string; readonly libxl: string; readonly ofGuest?: string },
  keys: { readonly front: readonly string[]; readonly frontRo: readonly string[]; readonly back: readonly string[] },
): string[] {
  const withPerms = (list: readonly string[], perms: string) =>
    list.flatMap((kv) => [`WRITE ${at.front}/${kv}`.trimEnd(), `SET_PERMS ${at.front}/${kv.split(' ')[0]} ${perms}`]);
  return [
    `RM ${at.libxl}`,
    `WRITE ${at.libxl}/frontend ${at.front}`,
    `WRITE ${at.libxl}/backend ${at.back}`,
    `RM ${at.front}`,
    `MKDIR ${at.front}`,
    `SET_PERMS ${at.front} ${at.ofGuest ?? 'n1 r0'}`,
    `WRITE ${at.front}/backend ${at.back}`,
    ...withPerms(keys.front, 'n1 r0'),
    ...withPerms(keys.frontRo, 'n0 r1'),
    `RM ${at.back}`,
    `MKDIR ${at.back}`,
    `SET_PERMS ${at.back} n0 r1`,
    `WRITE ${at.back}/frontend ${at.front}`,
    ...keys.back.map((kv) => `WRITE ${at.back}/${kv}`.trimEnd()),
    ...keys.back.map((kv) => `WRITE ${at.libxl}/${kv}`.trimEnd()),
    'TRANSACTION_END T',
  ];
}

const VIF_AT = { front: `${D}/device/vif/0`, back: '/local/domain/0/backend/vif/1/0', libxl: '/libxl/1/device/vif/0' };
const VIF_ADD = deviceAdd(VIF_AT, {
  front: ['backend-id 0', 'state 1', 'handle 0', 'mac 00:16:3e:00:00:00', 'trusted 1'],
  frontRo: ['mtu 1500'],
  back: [
    'frontend-id 1',
    'online 1',
    'state 1',
    'script /etc/xen/scripts/vif-bridge',
    'mac 00:16:3e:00:00:00',
    'bridge xenbr0',
    'handle 0',
    'type vif',
    'hotplug-status',
  ],
});

const VBD_AT = {
  front: `${D}/device/vbd/51712`,
  back: '/local/domain/0/backend/vbd/1/51712',
  libxl: '/libxl/1/device/vbd/51712',
};
const VBD_ADD = deviceAdd(VBD_AT, {
  front: ['backend-id 0', 'state 1', 'virtual-device 51712', 'device-type disk', 'trusted 1'],
  frontRo: [],
  back: [
    'params /dev/vg/d1-xvda',
    'script /etc/xen/scripts/block',
    'frontend-id 1',
    'online 1',
    'removable 0',
    'bootable 1',
    'state 1',
    'dev xvda',
    'type phy',
    'mode w',
    'device-type disk',
    'discard-enable 1',
    'specification xen',
  ],
});

describe('what libxl asks of the store', () => {
  it('transaction A has every node in its place, with its permissions', () => {
    expect(transaction(asked(created(), 'xl'), 0)).toEqual(TXN_A);
  });

  it('transaction A of an HVM driver domain has its nodes more', () => {
    const extra = [
      ...mknod(`${D}/hvmloader`, RO),
      ...mknod(`${D}/control/feature-s3`, RW),
      ...mknod(`${D}/control/feature-s4`, RW),
      ...mknod(`${D}/libxl`, RW),
      ...mknod(`${D}/device-model`, RW),
      'WRITE /libxl/1/type hvm',
    ];
    const lines = transaction(asked(created({ type: 'hvm', isDriverDomain: true }), 'xl'), 0);
    expect(lines.filter((line) => !TXN_A.includes(line))).toEqual(extra);
    expect(lines.length).toBe(TXN_A.length + extra.length - 1);
  });

  it('transaction B has memory, ids, the store ring and the vCPUs', () => {
    const h = created({ vcpus: 3, vcpusOnline: 2, memoryKb: 65_536, videoKb: 1_024 });
    expect(h.built.domain.vcpus).toBe(3);
    expect(transaction(asked(h, 'xl'), 1)).toEqual([
      `WRITE ${D}/memory/static-max 65536`,
      `WRITE ${D}/memory/target 64512`,
      `WRITE ${D}/memory/videoram 1024`,
      `WRITE ${D}/domid 1`,
      `WRITE ${D}/store/port 1`,
      `WRITE ${D}/store/ring-ref ${h.built.ring.gfn}`,
      `WRITE ${D}/cpu/0/availability online`,
      `WRITE ${D}/cpu/1/availability online`,
      `WRITE ${D}/cpu/2/availability offline`,
      `WRITE ${VM}/start_time 0.00`,
      'TRANSACTION_END T',
    ]);
  });

  it.each([
    ['vif', vif(), VIF_AT, VIF_ADD],
    ['vbd', vbd(), VBD_AT, VBD_ADD],
  ] as const)('a %s is looked for and then written in three places', (_, device, at, lines) => {
    const h = created();
    expect(run(h, 'attach', (me) => addDevice(me, h.xl, 1, device)).rc).toBe(0);
    expect(transaction(asked(h, 'attach'), 0)).toEqual([`READ ${at.libxl}`, ...lines]);
  });

  it('console 0 is at a place of its own, which its backend owns, and nobody looks for it first', () => {
    const h = created({ console: 'attended' });
    const at = {
      front: `${D}/console`,
      back: '/local/domain/0/backend/console/1/0',
      libxl: '/libxl/1/device/console/0',
    };
    expect(transaction(asked(h, 'xl'), 2)).toEqual(
      deviceAdd(
        { ...at, ofGuest: 'n0 r1' },
        {
          front: ['backend-id 0'],
          frontRo: [
            'limit 1048576',
            'type xenconsoled',
            'output pty',
            'tty',
            'port 2',
            `ring-ref ${h.built.console?.ring.gfn}`,
          ],
          back: ['frontend-id 1', 'online 1', 'state 1', 'protocol vt100'],
        },
      ),
    );
  });

  it('a further console has a state and a name', () => {
    const h = created({ channels: [{ devid: 1, name: 'agent', connection: 'socket' }] });
    const front = `${D}/device/console/1`;
    expect(transaction(asked(h, 'xl'), 2)).toEqual(
      deviceAdd(
        { front, back: '/local/domain/0/backend/console/1/1', libxl: '/libxl/1/device/console/1' },
        {
          front: ['backend-id 0', 'state 1', 'protocol vt100'],
          frontRo: ['name agent', 'limit 1048576', 'type ioemu', 'output pty', 'tty'],
          back: ['frontend-id 1', 'online 1', 'state 1', 'protocol vt100', 'name agent', 'connection socket'],
        },
      ),
    );
  });

  it('what is outside of transactions comes in order: names of others, daemons, INTRODUCE, devices', () => {
    const h = created({
      disks: [vbd()],
      nics: [vif()],
      console: 'attended',
      featureMask: 3,
      quota: [['nodes', '500']],
    });
    const plain = asked(h, 'xl').filter(({ tx, line }) => tx === 0 && !line.startsWith('GET_DOMAIN_PATH'));
    expect(plain.map(({ line }) => line)).toEqual([
      'TRANSACTION_START',
      `READ ${D}/image/device-model-domid`,
      'READ /local/domain/0/name',
      `READ ${D}/name`,
      'WRITE /libxl/1/dm-version qemu_xen',
      'READ /tool/xenstored/domid',
      'READ /tool/xenconsoled/domid',
      `READ ${D}/vm`,
      'TRANSACTION_START',
      'GET_FEATURE',
      'SET_FEATURE 1 2',
      `INTRODUCE 1 ${h.built.ring.gfn} 1`,
      'SET_QUOTA 1 nodes 500',
      'WRITE /libxl/1/dm-version qemu_xen',
      'READ /libxl/1/type',
      'TRANSACTION_START',
      `WATCH ${VBD_AT.back}/state p0:3/0`,
      `READ ${VBD_AT.back}/state`,
      `UNWATCH ${VBD_AT.back}/state p0:3/0`,
      'READ domid',
      'TRANSACTION_START',
      'READ /libxl/1/type',
      'TRANSACTION_START',
      `WATCH ${VIF_AT.back}/state p0:3/1`,
      `READ ${VIF_AT.back}/state`,
      `UNWATCH ${VIF_AT.back}/state p0:3/1`,
      'READ domid',
      `WATCH ${D}/console/tty p0:3/2`,
      `READ ${D}/console/tty`,
      `UNWATCH ${D}/console/tty p0:3/2`,
      'READ /libxl/1/type',
    ]);
  });

  it('a boot costs what guests.md 4.2 says, within a fifth', () => {
    const h = created({ disks: [vbd()], nics: [vif()], console: 'attended' });
    const all = asked(h, 'xl');
    const devices = all.filter(
      ({ actor, line }) => actor.includes('/add-') || /device\/console|\/console\b|backend\/console/.test(line),
    ).length;
    expect(devices).toBeGreaterThan(160 * 0.8);
    expect(devices).toBeLessThan(160 * 1.2);
    expect(all.length - devices).toBeGreaterThan(90 * 0.8);
    expect(all.length - devices).toBeLessThan(90 * 1.2);
    // One transaction: 14 and twice the keys, as in 2.2; START and the first READ are not in the lists.
    expect(VIF_ADD.length + 2).toBe(14 + 2 * 6 + 2 * 9);
    expect(VBD_ADD.length + 2).toBe(14 + 2 * 5 + 2 * 13);
  });
});
