import { type Actor, PARK } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import { split, Xs, type XsLink } from '../xenstore/index.ts';
import { type DeviceName, devicePaths } from './device-kinds.ts';
import type { SharedFiles } from './shared-files.ts';

export type ScriptAction = 'add' | 'remove';

/** How a script's run goes. `silent` ends well and says nothing (INJ-T7); `hangs` never ends. */
export type ScriptFate = 'works' | 'error' | 'busy' | 'silent' | 'hangs';

/** A bridge as `ip link` sees it. */
export interface ScriptBridge {
  addInterface(name: string): void;
  removeInterface(name: string): void;
}

/** The hotplug scripts of a host. */
export interface HotplugScripts {
  /** A short connection for one access of a script: each `xenstore-read` is a process (HS-12). */
  readonly connect: (me: Thread) => XsLink;
  readonly close: (me: Thread, link: XsLink) => void;
  /** Virtual time that a script's own work takes, ns. */
  readonly workNs: readonly [min: number, max: number];
  /** Virtual time of one process of a script, from its start to its first request, ns. */
  readonly processNs: readonly [min: number, max: number];
  /** The bridge that vif-bridge puts interfaces on; left out: none that anybody looks at. */
  readonly bridge?: ScriptBridge;
  /** What `stat -c %t:%T` says of a device node that other hosts have, too; `undefined`, and left out: each disk of the host has a
   *  number of its own. */
  readonly numberOf?: (params: string) => string | undefined;
  /** Left out: all work. */
  readonly fate?: (device: DeviceName, domid: number, action: ScriptAction) => ScriptFate;
  /** HS-15: whether udev runs the scripts of additions, as soon as a device is there, and libxl does not: run_hotplug_scripts=0 in
   *  xl.conf. Left out: libxl does. */
  readonly byUdev?: boolean;
  /** Called with each access. */
  readonly accessed?: () => void;
}

/** The lock that `claim_lock` of locking.sh takes on the whole host. */
const LOCK_POLL_NS = 1_000_000;

/** One run of a script, by an actor of its own. Its exit status is here when it has ended. */
export interface ScriptRun {
  status: number | undefined;
  /** SIGKILL: it does nothing more. */
  isKilled: boolean;
}

/**
 * Start the script of a device; wakes `waiter` when it ends. Source: tools/hotplug/Linux/vif-bridge, vif-common.sh, block,
 * block-common.sh, xen-hotplug-common.sh.in, xen-network-common.sh; what one access is: tools/xs-clients/xenstore_client.c.
 */
export function startScript(
  os: GuestOs,
  shared: SharedFiles,
  plan: HotplugScripts,
  run: {
    readonly name: string;
    readonly domid: number;
    readonly device: DeviceName;
    readonly action: ScriptAction;
    readonly waiter: Thread;
  },
): ScriptRun {
  const { domid, device, action, waiter } = run;
  const fate = plan.fate?.(device, domid, action) ?? 'works';
  const self: ScriptRun = { status: undefined, isKilled: false };
  os.start(run.name, function* (own): Actor {
    if (fate === 'hangs') return;
    const script = new Script(own, plan, self);
    self.status =
      device.kind === 'vif'
        ? yield* vifBridge(script, device, domid, action, fate)
        : yield* block(script, shared, self, device, domid, action, fate);
    if (shared.blockLock === self) shared.blockLock = undefined;
    waiter.wake();
  });
  return self;
}

/** A script that takes too long. Its lock is that of an open file, and goes with it. */
export function killScript(shared: SharedFiles, run: ScriptRun): void {
  run.isKilled = true;
  if (shared.blockLock === run) shared.blockLock = undefined;
}

/** A shell with a `xenstore-*` command for each access. */
class Script {
  readonly me: Thread;
  readonly #plan: HotplugScripts;
  readonly #run: ScriptRun;

  constructor(me: Thread, plan: HotplugScripts, run: ScriptRun) {
    this.me = me;
    this.#plan = plan;
    this.#run = run;
  }

  get bridge(): ScriptBridge | undefined {
    return this.#plan.bridge;
  }

  numberOf(params: string): string | undefined {
    return this.#plan.numberOf?.(params);
  }

  *work(): Actor {
    const [min, max] = this.#plan.workNs;
    yield this.me.draws.between(min, max);
  }

  /** One process with a connection of its own. */
  *#process<T>(body: (xs: Xs) => Actor<T>): Actor<T> {
    const [min, max] = this.#plan.processNs;
    yield this.me.draws.between(min, max);
    while (this.#run.isKilled) yield PARK;
    const link = this.#plan.connect(this.me);
    this.#plan.accessed?.();
    const result = yield* body(new Xs(link, this.me));
    this.#plan.close(this.me, link);
    return result;
  }

  read(path: string): Actor<string | undefined> {
    return this.#process(function* (xs) {
      const reply = yield* xs.read(path);
      return reply.error === undefined ? text(reply.payload) : undefined;
    });
  }

  list(path: string): Actor<readonly string[]> {
    return this.#process(function* (xs) {
      const reply = yield* xs.directory(path);
      return reply.error === undefined ? split(reply.payload) : [];
    });
  }

  /** Several keys are written in one transaction. @returns whether it worked. */
  write(...pairs: readonly (readonly [path: string, value: string])[]): Actor<boolean> {
    return this.#process(function* (xs) {
      if (pairs.length === 1) {
        for (const [path, value] of pairs) if ((yield* xs.write(path, value)).error !== undefined) return false;
        return true;
      }
      for (;;) {
        const begun = yield* xs.begin();
        if ('error' in begun) return false;
        let isWritten = true;
        for (const [path, value] of pairs) isWritten &&= (yield* xs.write(path, value, begun.txId)).error === undefined;
        const failed = yield* xs.end(begun.txId, isWritten);
        if (failed !== 'EAGAIN') return isWritten && failed === undefined;
      }
    });
  }
}

/** Paths of scripts are relative: the daemon puts the home of the script's domain before them. */
function xenbusPath(device: DeviceName, domid: number): string {
  return devicePaths(domid, device).backend.replace(/^\/local\/domain\/\d+\//, '');
}

function* fail(script: Script, base: string, status: 'error' | 'busy', message: string): Actor<number> {
  yield* script.write([`${base}/hotplug-error`, message], [`${base}/hotplug-status`, status]);
  return 1;
}

/** `vif-bridge online|offline type_if=vif`. */
function* vifBridge(
  script: Script,
  device: DeviceName,
  domid: number,
  action: ScriptAction,
  fate: ScriptFate,
): Actor<number> {
  const base = xenbusPath(device, domid);
  const vif = `vif${domid}.${device.devid}`; // by another name, if it is given one, it is the same interface
  yield* script.read(`${base}/vifname`);
  yield* script.read(`${base}/ip`);
  const bridge = yield* script.read(`${base}/bridge`);
  yield* script.work();
  if (fate === 'error' || fate === 'busy')
    return yield* fail(script, base, fate, `Could not find bridge device ${bridge ?? ''}`);
  if (action === 'remove') {
    script.bridge?.removeInterface(vif);
    return 0;
  }
  const mtu = yield* script.read(`${base}/mtu`);
  yield* script.write([`/local/domain/${domid}/device/vif/${device.devid}/mtu`, mtu ?? BRIDGE_MTU]);
  script.bridge?.addInterface(vif); // HS-14: before it says so
  if (fate === 'silent') return 0;
  return (yield* script.write([`${base}/hotplug-status`, 'connected'])) ? 0 : 1;
}

/** What `ip link show` says of the bridge. */
const BRIDGE_MTU = '1500';

/** `block add|remove` of a block device. */
function* block(
  script: Script,
  shared: SharedFiles,
  self: ScriptRun,
  device: DeviceName,
  domid: number,
  action: ScriptAction,
  fate: ScriptFate,
): Actor<number> {
  const base = xenbusPath(device, domid);
  yield* script.read(`${base}/type`);
  const params = yield* script.read(`${base}/params`);
  if (params === undefined) return yield* fail(script, base, 'error', `xenstore-read ${base}/params failed.`);
  const mode = yield* script.read(`${base}/mode`);
  if (mode === undefined) return yield* fail(script, base, 'error', `xenstore-read ${base}/mode failed.`);
  if (action === 'remove') return fate === 'error' || fate === 'busy' ? 1 : 0;
  if ((yield* script.read(`${base}/physical-device`)) !== undefined) return 0; // called twice
  yield* script.read(`${base}/frontend-id`);
  const vm = (yield* script.read(`/local/domain/${domid}/vm`)) ?? 'unknown';
  if (fate === 'error') return yield* fail(script, base, 'error', `${params} does not exist.`);
  while (shared.blockLock !== undefined) yield LOCK_POLL_NS;
  shared.blockLock = self;
  yield* script.work();
  const physical = script.numberOf(params) ?? majorMinor(domid, device.devid);
  if (fate === 'busy' || (yield* isShared(script, physical, mode, vm)))
    return yield* fail(script, base, 'busy', `Device ${params} is mounted in a guest domain`);
  if (fate === 'silent') return 0;
  const written =
    (yield* script.write([`${base}/physical-device`, physical])) &&
    (yield* script.write([`${base}/physical-device-path`, params])) &&
    (yield* script.write([`${base}/hotplug-status`, 'connected']));
  shared.blockLock = undefined;
  return written ? 0 : 1;
}

/** `stat -c %t:%T`: both in hex. Each disk of the host has one of its own, as logical volumes have. */
export function majorMinor(domid: number, devid: number): string {
  const DEVICE_MAPPER = 0xfd;
  return `${DEVICE_MAPPER.toString(16)}:${((domid << 8) | ((devid >> 4) & 0xff)).toString(16)}`;
}

/** Whether another guest has the device, too: all disks of the host are looked at (check_sharing). */
function* isShared(script: Script, physical: string, mode: string, vm: string): Actor<boolean> {
  for (const dom of yield* script.list('backend/vbd')) {
    for (const dev of yield* script.list(`backend/vbd/${dom}`)) {
      if ((yield* script.read(`backend/vbd/${dom}/${dev}/physical-device`)) !== physical) continue;
      if (mode !== 'w' && (yield* script.read(`backend/vbd/${dom}/${dev}/mode`)) !== 'w') continue;
      if ((yield* script.read(`/local/domain/${dom}/vm`)) !== vm) return true;
    }
  }
  return false;
}
