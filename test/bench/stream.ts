import { type Actor, LAN } from '../../sim/index.ts';
import { guest, restored, startRestore, startSave, twoHosts } from '../guests/save-helper/two-hosts.ts';

/** Pages of the guest that is moved; so many are written in each pass. */
const PAGES = 2_000;

/** One live migration's libxc image through V, a link and W, five passes; @returns its octets. */
export function streamedOctets(): number {
  const hosts = twoHosts({ ...LAN, bandwidth: 10_000_000_000, windowBytes: 1 << 24 });
  const source = guest(hosts.from, PAGES);
  const gfns = source.memory.frames.filter((f) => !f.isSpecial).map((f) => f.gfn);
  hosts.from.machine.start(
    'writer',
    source,
    (function* (): Actor {
      for (let n = 0; ; n++) {
        for (const gfn of gfns) source.memory.frame(gfn)?.store32(8, n, true);
        yield 2_000_000;
      }
    })(),
  );
  const save = startSave(hosts.from, source, hosts.link.near);
  const load = startRestore(hosts.to, hosts.link.far);
  hosts.universe.timeline.runUntil(() => save.end !== undefined && load.end !== undefined, 60_000_000_000, 1_000_000);
  restored(load);
  return save.stats.octets;
}
