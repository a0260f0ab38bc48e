import { type Actor, type Domid, PARK } from '../../sim/index.ts';
import { type Freezable, Freezer, type Thread } from '../kernel/index.ts';
import { type EventQueue, split, Xs } from '../xenstore/index.ts';
import type { DeviceKernel } from './kernel.ts';
import type { Side } from './observer.ts';
import { type DeviceBus, type Driver, type DriverInstance, readText, XenbusDevice } from './xenbus-device.ts';
import { parseState, XenbusState } from './xenbus-state.ts';

/** Where a bus has its devices, in how many levels, and where a device says who its other end is. */
const BUSES = {
  front: { root: 'device', levels: 3, otherend: 'backend' },
  back: { root: 'backend', levels: 4, otherend: 'frontend' },
} as const;

interface Registered {
  readonly device: XenbusDevice;
  driver: DriverInstance | undefined;
  /** Watches on behalf of the device, by token. */
  readonly watches: Map<string, string>;
  /** Of the one on the other end's state. */
  otherend: string | undefined;
}

/**
 * A bus of frontends, or of backends, and its thread: one actor that runs all callbacks of its drivers one after another, in
 * the order in which events come. Source: linux drivers/xen/xenbus/xenbus_probe.c, xenbus_probe_{front,back}end.c.
 */
export class Xenbus implements DeviceBus, Freezable {
  readonly #kernel: DeviceKernel;
  readonly #side: Side;
  readonly #drivers: Readonly<Record<string, Driver>>;
  readonly #loadNsMax: number;
  readonly #devices = new Map<string, Registered>();
  readonly #handlers = new Map<string, (path: string) => Actor>();
  readonly #jobs: { readonly device: XenbusDevice; readonly run: () => Actor }[] = [];
  readonly #errands: ((xs: Xs) => Actor)[] = [];
  #queue: EventQueue | undefined;
  #tokens = 0;
  readonly #freezer = new Freezer();
  #thread: Thread | undefined;
  /** The kernel is in a new domain, and the devices are not. */
  #mustResume = false;

  /** @param loadNsMax longest time from a device's coming to its driver's probe, ns: its module is loaded. Left out: it is there. */
  constructor(kernel: DeviceKernel, side: Side, drivers: Readonly<Record<string, Driver>>, loadNsMax = 0) {
    this.#kernel = kernel;
    this.#side = side;
    this.#drivers = drivers;
    this.#loadNsMax = loadNsMax;
  }

  /** Start the bus's thread. */
  start(): Thread {
    this.#thread = this.#kernel.os.start(`xenwatch-${this.#side}`, (me) => this.#run(me));
    return this.#thread;
  }

  /** Devices that have a driver. */
  get count(): number {
    return this.#devices.size;
  }

  /** Whether there is a device in a directory, relative as the bus names it. */
  knows(nodename: string): boolean {
    return this.#devices.has(nodename);
  }

  *watch(device: XenbusDevice, path: string, run: () => Actor): Actor<string | undefined> {
    const token = `${this.#side}${++this.#tokens}`;
    const { root } = BUSES[this.#side];
    this.#devices.get(device.nodename)?.watches.set(token, path);
    this.#handlers.set(token, run);
    if (this.#queue === undefined) throw new Error(`assertion: bus of ${root} is not started`);
    const reply = yield* this.#kernel.link.watch(this.#queue, path, token);
    if (reply.error === undefined) return token;
    this.#devices.get(device.nodename)?.watches.delete(token);
    this.#handlers.delete(token);
    return undefined;
  }

  *unwatch(path: string, token: string): Actor {
    this.#handlers.delete(token);
    for (const { watches } of this.#devices.values()) watches.delete(token);
    if (this.#queue !== undefined) yield* this.#kernel.link.unwatch(this.#queue.me, path, token);
  }

  /** K2: from now on no callback runs, and no driver's thread. A kernel that suspends itself out of a callback, in the one thread that
   *  it has for them, needs nothing for the first. */
  *freeze(me: Thread): Actor {
    yield* this.#freezer.freeze(me, this.#thread);
    for (const driver of this.#instances())
      if (driver.freezer !== undefined) yield* driver.freezer.freeze(me, driver.thread);
  }

  /** K11 to K14: callbacks run again, after every device was resumed if the kernel is in a new domain. */
  thaw(where: 'same' | 'new'): void {
    this.#mustResume ||= where === 'new';
    if (where === 'new') this.#kernel.grants.resume();
    else for (const driver of this.#instances()) driver.freezer?.thaw(driver.thread);
    this.#freezer.thaw(this.#thread);
  }

  #instances(): DriverInstance[] {
    return [...this.#devices.values()].flatMap(({ driver }) => driver ?? []);
  }

  /** dpm_resume over the bus: each device drops the watch on its old other end, looks who the new one is, and watches that.
   *  Source: linux drivers/xen/xenbus/xenbus_probe.c, xenbus_dev_resume. */
  *#resumeDevices(me: Thread): Actor {
    const xs = new Xs(this.#kernel.link, me);
    for (const registered of [...this.#devices.values()]) {
      const { device, driver } = registered;
      if (driver === undefined) continue;
      if (registered.otherend !== undefined) yield* this.unwatch(`${device.otherend}/state`, registered.otherend);
      registered.otherend = undefined;
      const found = yield* this.#otherendOf(xs, device.nodename);
      // One that is not in the new tree stays as it is; its thread finds its ring gone.
      if (found !== undefined) {
        device.movedTo(found.otherend, found.otherendId);
        device.note({ what: 'probed', side: this.#side });
      }
      yield* driver.resume?.(found !== undefined) ?? [];
      driver.freezer?.thaw(driver.thread);
      if (found !== undefined) registered.otherend = yield* this.#watchOtherend(device, driver);
    }
  }

  #watchOtherend(device: XenbusDevice, driver: DriverInstance): Actor<string | undefined> {
    return this.watch(device, `${device.otherend}/state`, function* () {
      yield* driver.otherendChanged(yield* device.otherendState());
    });
  }

  *#otherendOf(xs: Xs, nodename: string): Actor<{ readonly otherend: string; readonly otherendId: Domid } | undefined> {
    const key = BUSES[this.#side].otherend;
    const otherend = yield* readText(xs, `${nodename}/${key}`);
    const id = yield* readText(xs, `${nodename}/${key}-id`);
    if (otherend === undefined || id === undefined || !/^[0-9]{1,5}$/.test(id)) return undefined;
    return { otherend, otherendId: Number(id) };
  }

  post(device: XenbusDevice, run: () => Actor): void {
    this.#jobs.push({ device, run });
    this.#queue?.me.wake();
  }

  /** Have something done in the bus's thread on nobody's behalf, and wait for it. */
  *errand<T>(me: Thread, run: (xs: Xs) => Actor<T>): Actor<T> {
    let done: { readonly result: T } | undefined;
    this.#errands.push(function* (xs) {
      done = { result: yield* run(xs) };
      me.wake();
    });
    this.#queue?.me.wake();
    while (done === undefined) yield PARK;
    return done.result;
  }

  /** Devices whose other end a domain has, with their drivers. */
  devicesOf(domid: Domid): readonly { readonly device: XenbusDevice; readonly driver: DriverInstance }[] {
    return [...this.#devices.values()].flatMap(({ device, driver }) =>
      driver !== undefined && device.otherendId === domid ? [{ device, driver }] : [],
    );
  }

  /** [sim] Devices of a domain that were connected elsewhere: a driver is found for each, and nothing written. In the bus's thread.
   *  @returns why one cannot be had. */
  *adoptOf(xs: Xs, domid: Domid): Actor<string | undefined> {
    const { root } = BUSES[this.#side];
    for (const kind of Object.keys(this.#drivers)) {
      const listed = yield* xs.directory(`${root}/${kind}/${domid}`);
      if (listed.error !== undefined) continue;
      for (const id of split(listed.payload)) {
        const nodename = `${root}/${kind}/${domid}/${id}`;
        const why = this.#devices.has(nodename) ? undefined : yield* this.#adopt(xs, nodename);
        if (why !== undefined) return `${nodename}: ${why}`;
      }
    }
    return undefined;
  }

  *#adopt(xs: Xs, nodename: string): Actor<string | undefined> {
    const driver = this.#drivers[nodename.split('/')[1] ?? ''];
    const found = yield* this.#otherendOf(xs, nodename);
    if (driver?.adopt === undefined || found === undefined) return 'no driver takes it over';
    const device = new XenbusDevice(this, this.#kernel, xs, { side: this.#side, nodename, ...found });
    if ((yield* device.stateAsFound()) !== XenbusState.Connected) return 'it is not connected';
    const registered: Registered = { device, driver: undefined, watches: new Map(), otherend: undefined };
    this.#devices.set(nodename, registered);
    device.note({ what: 'probed', side: this.#side });
    const instance = yield* driver.adopt(device);
    if (typeof instance === 'string') {
      yield* this.#remove(registered);
      return instance;
    }
    registered.driver = instance;
    registered.otherend = yield* this.#watchOtherend(device, instance);
    return undefined;
  }

  *#run(me: Thread): Actor {
    const queue: EventQueue = { events: [], me };
    this.#queue = queue;
    const { root } = BUSES[this.#side];
    this.#handlers.set(root, (path) => this.#changed(path));
    yield* this.#kernel.link.watch(queue, root, root);
    for (;;) {
      yield* this.#freezer.rest();
      if (this.#mustResume) {
        this.#mustResume = false;
        yield* this.#resumeDevices(me);
        continue;
      }
      const event = queue.events.shift();
      const job = event === undefined ? this.#jobs.shift() : undefined;
      if (event !== undefined) {
        const run = this.#handlers.get(event.token);
        if (run !== undefined) yield* run(event.path);
      } else if (job === undefined) {
        const errand = this.#errands.shift();
        if (errand === undefined) yield PARK;
        else yield* errand(new Xs(this.#kernel.link, me));
      } else if (this.#devices.get(job.device.nodename)?.device === job.device) yield* job.run();
      for (const registered of [...this.#devices.values()])
        if (registered.device.isUnregistered) yield* this.#remove(registered);
    }
  }

  /** Something below the root changed: devices come and go (xenbus_dev_changed). */
  *#changed(path: string): Actor {
    const { root, levels } = BUSES[this.#side];
    const parts = path.split('/');
    const xs = new Xs(this.#kernel.link, (this.#queue as EventQueue).me);
    if (parts.length === 1) {
      // The initial event: whatever is there already (xenbus_probe_devices).
      yield* this.#enumerate(xs, root, levels - 1);
      return;
    }
    if (parts.length < 3) return;
    if ((yield* xs.directory(path)).error !== undefined) {
      for (const registered of [...this.#devices.values()]) {
        const { nodename } = registered.device;
        if (nodename === path || nodename.startsWith(`${path}/`)) yield* this.#remove(registered);
      }
      return;
    }
    if (parts.length < levels) return;
    const nodename = parts.slice(0, levels).join('/');
    if (!this.#devices.has(nodename)) yield* this.#probe(xs, nodename);
  }

  *#enumerate(xs: Xs, path: string, levels: number): Actor {
    if (levels === 0) {
      if (!this.#devices.has(path)) yield* this.#probe(xs, path);
      return;
    }
    const reply = yield* xs.directory(path);
    if (reply.error !== undefined) return;
    for (const name of split(reply.payload)) yield* this.#enumerate(xs, `${path}/${name}`, levels - 1);
  }

  /** A directory without a device: only one that is Initialising makes one. */
  *#probe(xs: Xs, nodename: string): Actor {
    const driver = this.#drivers[nodename.split('/')[1] ?? ''];
    if (driver === undefined) return;
    if (parseState(yield* readText(xs, `${nodename}/state`)) !== XenbusState.Initialising) return;
    const found = yield* this.#otherendOf(xs, nodename);
    if (found === undefined) return;
    const device = new XenbusDevice(this, this.#kernel, xs, { side: this.#side, nodename, ...found });
    const registered: Registered = { device, driver: undefined, watches: new Map(), otherend: undefined };
    this.#devices.set(nodename, registered);
    device.note({ what: 'probed', side: this.#side });
    if (this.#loadNsMax > 0) yield xs.me.draws.below(this.#loadNsMax);
    const instance = yield* driver.probe(device);
    if (instance === undefined) {
      yield* this.#remove(registered);
      return;
    }
    registered.driver = instance;
    registered.otherend = yield* this.#watchOtherend(device, instance);
    if (registered.otherend !== undefined) return;
    // xenbus_dev_probe: the driver is taken off the device, which stays as it is.
    yield* device.fail(`adding watch on ${device.otherend}/state`);
    yield* instance.removed();
    registered.driver = undefined;
  }

  *#remove(registered: Registered): Actor {
    const { device, driver, watches } = registered;
    if (this.#devices.get(device.nodename) !== registered) return;
    for (const [token, path] of [...watches]) yield* this.unwatch(path, token);
    if (driver !== undefined) yield* driver.removed();
    this.#devices.delete(device.nodename);
    device.forget();
    device.note({ what: 'removed', side: this.#side });
  }
}
