import { type Actor, shuffled } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import type { Traffic } from '../load/index.ts';
import { Xs, type XsLink } from '../xenstore/index.ts';
import { firstBeat, type Pace, paced, sleep } from './pace.ts';

/** Between two cycles. Source: xe-guest-utilities, xe-daemon/xe-daemon.go. */
const PERIOD_SECONDS = 60;

export interface XeDaemonPlan {
  readonly pace: Pace;
  /** Network devices, as under `device/vif`. */
  readonly vifs: readonly number[];
  /** Disks, as under `device/vbd`, and how many partitions each has. */
  readonly disks: readonly { readonly device: number; readonly partitions: number }[];
}

/** What the agent has written, so that it writes only what is new, and removes what it does not know any more. */
class WriteCache {
  readonly #xs: Xs;
  readonly #traffic: Traffic;
  readonly #keys = new Map<string, { value: string; isAlive: boolean }>();

  constructor(xs: Xs, traffic: Traffic) {
    this.#xs = xs;
    this.#traffic = traffic;
  }

  *write(key: string, value: string): Actor {
    const known = this.#keys.get(key);
    if (known !== undefined) known.isAlive = true;
    if (known?.value === value) return;
    const reply = yield* this.#xs.write(key, value);
    if (reply.error === undefined) this.#keys.set(key, { value, isAlive: true });
    else this.#traffic.refused(reply.error);
  }

  /** Remove every key that was not written since the last flush. */
  *flush(): Actor {
    for (const [key, entry] of shuffled(this.#xs.me.draws, [...this.#keys])) {
      if (entry.isAlive) entry.isAlive = false;
      else {
        const reply = yield* this.#xs.rm(key);
        if (reply.error !== undefined) return;
        this.#keys.delete(key);
      }
    }
  }

  /** The domain is another one: nothing that was written is known to be there. */
  clear(): void {
    this.#keys.clear();
  }
}

/**
 * The XenServer guest agent: a cycle of collectors every minute, all of whose keys are written in the first one and then only
 * those that changed. It ends if `unique-domain-id` cannot be read. Paths are relative to its own home.
 */
export function* xeDaemon(me: Thread, os: GuestOs, link: XsLink, traffic: Traffic, plan: XeDaemonPlan): Actor {
  const { pace } = plan;
  const xs = new Xs(link, me);
  const cache = new WriteCache(xs, traffic);
  const guest = new Model(me, plan);
  yield* firstBeat(os, me, traffic, pace, PERIOD_SECONDS);
  let lastId = yield* xs.read('unique-domain-id');
  for (let cycle = 0; !traffic.stopping; cycle++) {
    const id = yield* xs.read('unique-domain-id');
    if (id.error !== undefined) {
      traffic.refused(id.error);
      return;
    }
    if (text(id.payload) !== text(lastId.payload)) cache.clear();
    lastId = id;
    guest.live();
    const disks = yield* realDevices(xs, plan);
    const metrics = [guest.system(), guest.addons(), guest.network(), guest.volumes(disks)];
    if (cycle % 2 === 0) metrics.push(guest.memory());
    for (const found of metrics)
      for (const [key, value] of shuffled(me.draws, Object.entries(found))) yield* cache.write(key, value); // Go's maps have no order
    if (cycle % 2 === 0) yield* cache.flush();
    yield* cache.write('data/updated', clock(Math.floor((os.machine.nowNs * pace.speedup) / 1e9)));
    yield* sleep(os, me, traffic, paced(pace, PERIOD_SECONDS));
  }
}

/** Two READs a partition: the disk's backend, and the device that the backend names. `undefined`: one of them failed. */
function* realDevices(xs: Xs, plan: XeDaemonPlan): Actor<readonly string[] | undefined> {
  const devices: string[] = [];
  for (const { device, partitions } of plan.disks)
    for (let p = 0; p < partitions; p++) {
      const backend = yield* xs.read(`device/vbd/${device}/backend`);
      if (backend.error !== undefined) return undefined;
      const dev = yield* xs.read(`${text(backend.payload)}/dev`);
      if (dev.error !== undefined) return undefined;
      devices.push(text(dev.payload));
    }
  return devices;
}

type Metrics = Readonly<Record<string, string>>;

/** What the collectors find in a guest. */
class Model {
  readonly #me: Thread;
  readonly #plan: XeDaemonPlan;
  readonly #totalKb: number;
  #freeKb: number;
  readonly #volumeFree: number[] = [];
  #address = 2;
  #hasIpv6 = true;

  constructor(me: Thread, plan: XeDaemonPlan) {
    this.#me = me;
    this.#plan = plan;
    this.#totalKb = me.draws.between(500_000, 8_000_000);
    this.#freeKb = Math.floor(this.#totalKb / 2);
  }

  /** A minute of its life. */
  live(): void {
    const { draws } = this.#me;
    this.#freeKb = Math.max(10_000, Math.min(this.#totalKb, this.#freeKb + draws.between(-40_000, 40_000)));
    for (const [i, free] of this.#volumeFree.entries())
      if (draws.oneIn(4)) this.#volumeFree[i] = Math.max(0, free - draws.below(1 << 24));
    if (draws.oneIn(50)) this.#address = draws.between(2, 254);
    if (draws.oneIn(12)) this.#hasIpv6 = !this.#hasIpv6;
  }

  system(): Metrics {
    return {
      'data/os_name': 'Debian GNU/Linux 13 (trixie)',
      'data/os_distro': 'debian',
      'data/os_uname': '6.12.48+deb13-amd64',
      'data/os_majorver': '13',
      'data/os_minorver': '1',
    };
  }

  addons(): Metrics {
    return {
      'control/feature-balloon': '1',
      'attr/PVAddons/Installed': '1',
      'attr/PVAddons/MajorVersion': '8',
      'attr/PVAddons/MinorVersion': '4',
      'attr/PVAddons/MicroVersion': '0',
      'attr/PVAddons/BuildVersion': '1',
    };
  }

  network(): Metrics {
    const found: Record<string, string> = {};
    for (const vif of this.#plan.vifs) {
      found[`attr/vif/${vif}/ipv4/0`] = `10.0.${vif}.${this.#address}`;
      if (this.#hasIpv6) found[`attr/vif/${vif}/ipv6/0`] = `fe80::216:3eff:fe00:${vif.toString(16)}`;
    }
    return found;
  }

  volumes(devices: readonly string[] | undefined): Metrics {
    const found: Record<string, string> = {};
    for (const [n, device] of (devices ?? []).entries()) {
      this.#volumeFree[n] ??= this.#me.draws.bits();
      const volume = {
        'extents/0': device,
        name: `/dev/xvda${n + 1}(5f2c9a3e-0000-4000-8000-00000000000${n})`,
        size: '10737418240',
        free: String(this.#volumeFree[n]),
        filesystem: 'ext4',
        'mount_points/0': n === 0 ? '/' : `/srv/${n}`,
      };
      for (const [key, value] of Object.entries(volume)) found[`data/volumes/${n}/${key}`] = value;
    }
    return found;
  }

  memory(): Metrics {
    return { 'data/meminfo_total': String(this.#totalKb), 'data/meminfo_free': String(this.#freeKb) };
  }
}

/** A time as the agent prints it: `Mon Jan  5 15:04:05 2026`; a month is as long as any other here. */
function clock(seconds: number): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const [day, time] = [Math.floor(seconds / 86_400), seconds % 86_400];
  const name = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'][day % 7] as string;
  const date = String(1 + (day % 31)).padStart(2, ' ');
  return `${name} Jan ${date} ${two(Math.floor(time / 3_600))}:${two(Math.floor(time / 60) % 60)}:${two(time % 60)} 2026`;
}
