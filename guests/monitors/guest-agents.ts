import type { Actor, Stream } from '../../sim/index.ts';
import type { GuestOs, Me } from '../kernel/index.ts';
import type { Traffic } from '../load/index.ts';
import { Xs, type XsLink } from '../xenstore/index.ts';
import { firstBeat, type Pace, paced, rest } from './pace.ts';

/** Source: qubes-linux-utils, qmemman/meminfo-writer.c, and its service's arguments. */
const MEMINFO_SECONDS = 0.1;
const MEMINFO_THRESHOLD_KB = 30_000;
/** How far memory use goes in one period at most: a report every three seconds on average. */
const MEMINFO_STEP_KB = 9_000;

/**
 * Qubes' memory reporter: looks at its memory ten times a second and writes `memory/meminfo` when the use has moved by more
 * than the threshold, or by half of that while it rises above 10/13 of all memory.
 */
export function* meminfoWriter(me: Me, os: GuestOs, link: XsLink, traffic: Traffic, pace: Pace): Actor {
  const xs = new Xs(link, me);
  const { draws } = me;
  const totalKb = draws.between(400_000, 4_000_000);
  let usedKb = Math.floor(totalKb / 2);
  let reportedKb = 0;
  yield* firstBeat(os, me, traffic, pace, MEMINFO_SECONDS);
  while (!traffic.stopping) {
    const diff = Math.abs(usedKb - reportedKb);
    const isPressed = usedKb > reportedKb && usedKb * 13 > totalKb * 10 && diff > MEMINFO_THRESHOLD_KB / 2;
    if (diff > MEMINFO_THRESHOLD_KB || reportedKb === 0 || isPressed) {
      reportedKb = usedKb;
      const reply = yield* xs.write('memory/meminfo', meminfo(totalKb, usedKb));
      if (reply.error !== undefined) {
        traffic.refused(reply.error);
        return;
      }
    }
    yield* rest(os, me, traffic, paced(pace, MEMINFO_SECONDS));
    usedKb = Math.max(1, Math.min(totalKb, usedKb + draws.between(-MEMINFO_STEP_KB, MEMINFO_STEP_KB)));
  }
}

/** Six lines of /proc/meminfo. */
function meminfo(totalKb: number, usedKb: number): string {
  const free = totalKb - usedKb;
  return [
    `MemTotal: ${totalKb} kB`,
    `MemFree: ${free >> 1} kB`,
    'Buffers: 0 kB',
    `Cached: ${free - (free >> 1)} kB`,
    'SwapTotal: 1048572 kB',
    'SwapFree: 1048572 kB',
    '',
  ].join('\n');
}

export interface CountersPlan {
  readonly pace: Pace;
  readonly vifs: readonly number[];
  /** Between two reports, 5 to 60 seconds (guests.md 4.3). */
  readonly seconds: number;
  /** Counters of each device, 2 to 4. */
  readonly keys: number;
}

const COUNTERS = ['rx_bytes', 'tx_bytes', 'rx_packets', 'tx_packets'] as const;

/** Agents of older days and third parties: traffic counters of each network device below `data/`. */
export function* counters(me: Me, os: GuestOs, link: XsLink, traffic: Traffic, plan: CountersPlan): Actor {
  const xs = new Xs(link, me);
  const { draws } = me;
  const names = COUNTERS.slice(0, plan.keys);
  const values = new Map<string, number>();
  yield* firstBeat(os, me, traffic, plan.pace, plan.seconds);
  while (!traffic.stopping) {
    for (const vif of plan.vifs)
      for (const name of names) {
        const key = `data/vif/${vif}/${name}`;
        const value = (values.get(key) ?? 0) + draws.below(1_000_000);
        values.set(key, value);
        const reply = yield* xs.write(key, String(value));
        if (reply.error !== undefined) traffic.refused(reply.error);
      }
    yield* rest(os, me, traffic, paced(plan.pace, plan.seconds));
  }
}

/** Octets of a value as agents write them: most are a number or a word, some a line, few a page (guests.md 4.6). */
export function valueBytes(draws: Stream): number {
  const r = draws.below(10_000);
  if (r < 6_000) return draws.between(1, 8);
  if (r < 9_500) return draws.between(9, 40);
  if (r < 9_990) return draws.between(41, 500);
  return draws.between(501, 2_000);
}

/** Octets of an absolute path: 20 to 60, and a tail up to 120. */
export function pathBytes(draws: Stream): number {
  return draws.oneIn(12) ? draws.between(61, 120) : draws.between(20, 60);
}

/** How many keys such a tool knows. */
const OWN_KEYS = 12;

/** A third party's tool: now and then it writes one of its keys below `data/`, and looks at another one. */
export function* thirdPartyTool(
  me: Me,
  os: GuestOs,
  link: XsLink,
  traffic: Traffic,
  plan: { readonly pace: Pace; readonly seconds: number },
): Actor {
  const xs = new Xs(link, me);
  const { draws } = me;
  const homeBytes = `/local/domain/${os.domain.domid}/`.length;
  const keys = Array.from({ length: OWN_KEYS }, (_, i) => {
    const stem = `data/tool/${i}-`;
    return stem.padEnd(Math.max(stem.length + 1, pathBytes(draws) - homeBytes), 'status-of-the-backup-');
  });
  yield* firstBeat(os, me, traffic, plan.pace, plan.seconds);
  while (!traffic.stopping) {
    const value = new Uint8Array(valueBytes(draws)).map(() => 0x20 + draws.below(0x5f));
    const reply = yield* xs.write(draws.pick(keys), value);
    if (reply.error !== undefined) traffic.refused(reply.error);
    yield* xs.read(draws.pick(keys));
    yield* rest(os, me, traffic, paced(plan.pace, plan.seconds));
  }
}
