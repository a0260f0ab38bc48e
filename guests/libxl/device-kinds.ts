import type { KeyValues } from '../xenstore/index.ts';

/** A device as libxl is asked for it, its keys in the order in which they are written. */
export interface Device {
  readonly kind: 'vif' | 'vbd' | 'console';
  readonly devid: number;
  readonly backendDomid: number;
  /** Frontend keys that the guest may write. */
  readonly front: KeyValues;
  /** Frontend keys that the guest may only read. */
  readonly frontRo: KeyValues;
  /** Given the domid of the device's domain. */
  readonly back: (domid: number) => KeyValues;
  /** The backend's own kind of start: a kernel's driver goes through state 2, QEMU's does not (HS-11). */
  readonly backendType: 'kernel' | 'qemu';
  /** As its configuration file asks for it; left out: it is not kept in any. */
  readonly config?: DeviceConfig;
}

/** What a configuration keeps of a device: enough to make it again elsewhere. */
export type DeviceConfig =
  | { readonly kind: 'vbd'; readonly options: VbdOptions }
  | { readonly kind: 'vif'; readonly options: VifOptions };

export interface DevicePaths {
  readonly frontend: string;
  readonly backend: string;
  readonly libxl: string;
}

/** Where a device's nodes are; console 0 has a place of its own. Source: libxl__device_frontend_path and others in libxl_device.c. */
export function devicePaths(domid: number, { kind, devid, backendDomid }: DeviceName): DevicePaths {
  const isConsole0 = kind === 'console' && devid === 0;
  return {
    frontend: isConsole0 ? `/local/domain/${domid}/console` : `/local/domain/${domid}/device/${kind}/${devid}`,
    backend: `/local/domain/${backendDomid}/backend/${kind}/${domid}/${devid}`,
    libxl: `/libxl/${domid}/device/${kind}/${devid}`,
  };
}

/** Which device of a domain. */
export type DeviceName = Pick<Device, 'kind' | 'devid' | 'backendDomid'>;

const SCRIPTS = '/etc/xen/scripts';
/** XenbusStateInitialising. */
const INITIALISING = '1';

export interface VifOptions {
  readonly devid?: number;
  readonly backendDomid?: number;
  /** Left out: made of the devid, with Xen's vendor part. */
  readonly mac?: string;
  readonly bridge?: string;
  readonly script?: string;
  /** Left out: 1500. The backend is told only if another one is given. */
  readonly mtu?: number;
  readonly vifname?: string;
  readonly ip?: string;
  readonly rate?: string;
  readonly trusted?: boolean;
}

/** Source: LIBXL_DEVICE_NIC_MTU_DEFAULT in tools/libs/light/libxl_nic.c. */
const MTU_DEFAULT = 1500;

/** Source: libxl__set_xenstore_nic in tools/libs/light/libxl_nic.c; what all asynchronous adds have: libxl__device_add_async. */
export function vif(options: VifOptions = {}): Device {
  const { devid = 0, backendDomid = 0, bridge = 'xenbr0', mtu = MTU_DEFAULT, trusted = true } = options;
  const mac = options.mac ?? `00:16:3e:00:00:${(devid & 0xff).toString(16).padStart(2, '0')}`;
  const given = (key: string, value: string | undefined): KeyValues => (value === undefined ? [] : [[key, value]]);
  return {
    kind: 'vif',
    config: { kind: 'vif', options: { ...options, mac } },
    devid,
    backendDomid,
    backendType: 'kernel',
    front: [
      ['backend-id', String(backendDomid)],
      ['state', INITIALISING],
      ['handle', String(devid)],
      ['mac', mac],
      ['trusted', trusted ? '1' : '0'],
    ],
    frontRo: [['mtu', String(mtu)]],
    back: (domid) => [
      ['frontend-id', String(domid)],
      ['online', '1'],
      ['state', INITIALISING],
      ['script', options.script ?? `${SCRIPTS}/vif-bridge`],
      ...given('vifname', options.vifname),
      ['mac', mac],
      ...given('ip', options.ip),
      ...given('rate', options.rate),
      ...given('mtu', mtu === MTU_DEFAULT ? undefined : String(mtu)),
      ['bridge', bridge],
      ['handle', String(devid)],
      ['type', 'vif'],
      ['hotplug-status', ''], // the backend waits for the script before it goes to 4
    ],
  };
}

export interface VbdOptions {
  /** Number of the virtual device; left out: xvda. */
  readonly devid?: number;
  readonly backendDomid?: number;
  /** Name of the virtual device, as in `xvda`. */
  readonly vdev?: string;
  /** What is behind it in the backend's domain. */
  readonly params?: string;
  readonly readonly?: boolean;
  readonly removable?: boolean;
  readonly script?: string;
  readonly directIoSafe?: boolean;
  readonly trusted?: boolean;
  /** Of 32-bit PV guests. */
  readonly protocol?: string;
}

/** xvda, as disk 0 without partition. Source: libxl__device_disk_dev_number in libxl_device.c. */
const XVDA = 202 << 8;

/** A disk behind a block device. Source: device_disk_add in tools/libs/light/libxl_disk.c, LIBXL_DISK_BACKEND_PHY. */
export function vbd(options: VbdOptions = {}): Device {
  const { devid = XVDA, backendDomid = 0, trusted = true } = options;
  const vdev = options.vdev ?? `xvd${String.fromCharCode(0x61 + ((devid >> 4) & 0xf))}`;
  return {
    kind: 'vbd',
    config: { kind: 'vbd', options },
    devid,
    backendDomid,
    backendType: 'kernel',
    front: [
      ['backend-id', String(backendDomid)],
      ['state', INITIALISING],
      ['virtual-device', String(devid)],
      ['device-type', 'disk'],
      ['trusted', trusted ? '1' : '0'],
      ...(options.protocol === undefined ? [] : ([['protocol', options.protocol]] as const)),
    ],
    frontRo: [],
    back: (domid) => [
      ['params', options.params ?? `/dev/vg/d${domid}-${vdev}`],
      ['script', options.script ?? `${SCRIPTS}/block`],
      ['frontend-id', String(domid)],
      ['online', '1'],
      ['removable', options.removable === true ? '1' : '0'],
      ['bootable', '1'],
      ['state', INITIALISING],
      ['dev', vdev],
      ['type', 'phy'],
      ['mode', options.readonly === true ? 'r' : 'w'],
      ['device-type', 'disk'],
      ...(options.directIoSafe === true ? ([['direct-io-safe', '1']] as const) : []),
      ['discard-enable', options.readonly === true ? '0' : '1'],
      ['specification', 'xen'],
    ],
  };
}

/** Source: LIBXL_XENCONSOLE_LIMIT, LIBXL_XENCONSOLE_PROTOCOL in tools/libs/light/libxl_internal.h. */
const CONSOLE_LIMIT = '1048576';
const CONSOLE_PROTOCOL = 'vt100';

export interface ConsoleOptions {
  readonly backendDomid?: number;
  readonly type?: 'xenconsoled' | 'ioemu';
  readonly output?: string;
}

/** The primary console, whose ring is grant 0. Source: libxl__device_console_add in tools/libs/light/libxl_console.c, with a state. */
export function console0(port: number, gfn: number, options: ConsoleOptions = {}): Device {
  const { backendDomid = 0, type = 'xenconsoled', output = 'pty' } = options;
  return {
    kind: 'console',
    devid: 0,
    backendDomid,
    backendType: 'qemu',
    front: [['backend-id', String(backendDomid)]],
    frontRo: [
      ['limit', CONSOLE_LIMIT],
      ['type', type],
      ['output', output],
      ['tty', ''],
      ['port', String(port)],
      ['ring-ref', String(gfn)],
    ],
    back: (domid) => [...consoleBack(domid)],
  };
}

export interface ConsoleNOptions extends ConsoleOptions {
  readonly devid: number;
  readonly name?: string;
  readonly connection?: string;
  readonly path?: string;
}

/** A further console, a channel for instance. Source: libxl__device_console_add in libxl_console.c, without a state. */
export function consoleN(options: ConsoleNOptions): Device {
  const { devid, backendDomid = 0, type = 'ioemu', output = 'pty', name, connection, path } = options;
  const given = (key: string, value: string | undefined): KeyValues => (value === undefined ? [] : [[key, value]]);
  return {
    kind: 'console',
    devid,
    backendDomid,
    backendType: 'qemu',
    front: [
      ['backend-id', String(backendDomid)],
      ['state', INITIALISING],
      ['protocol', CONSOLE_PROTOCOL],
    ],
    frontRo: [...given('name', name), ['limit', CONSOLE_LIMIT], ['type', type], ['output', output], ['tty', '']],
    back: (domid) => [
      ...consoleBack(domid),
      ...given('name', name),
      ...given('connection', connection),
      ...given('path', path),
    ],
  };
}

function consoleBack(domid: number): KeyValues {
  return [
    ['frontend-id', String(domid)],
    ['online', '1'],
    ['state', INITIALISING],
    ['protocol', CONSOLE_PROTOCOL],
  ];
}
