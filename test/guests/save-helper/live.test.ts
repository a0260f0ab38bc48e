import { describe, expect, it } from 'vitest';
import { type Actor, type Domain, LAN } from '../../../sim/index.ts';
import { differences, guest, pagesOf, restored, startRestore, startSave, twoHosts, writes } from './two-hosts.ts';

/** A guest that writes one word each into `perRound` pages, over and over, from the third on. */
function writer(domain: Domain, pages: number, perRound: number, roundNs: number): () => Actor {
  return function* () {
    const gfns = domain.memory.frames.filter((f) => !f.isSpecial).map((f) => f.gfn);
    for (let n = 0; ; n++) {
      for (let i = 0; i < perRound; i++) {
        const gfn = gfns[2 + ((n * perRound + i) % (pages - 2))] as number;
        domain.memory.frame(gfn)?.store32(8, n, true);
        yield Math.floor(roundNs / perRound);
      }
    }
  };
}

describe('a live save into a new domain', () => {
  it.each(['hvm', 'pv'] as const)(
    'INV-M9: every page of a %s guest is at the other host what it was at the park',
    (type) => {
      const hosts = twoHosts(LAN);
      const source = guest(hosts.from, 200, { type });
      writes(hosts.from.machine, source, 'guest/writer', writer(source, 200, 60, 1_000_000));
      const save = startSave(hosts.from, source, hosts.link.near);
      const load = startRestore(hosts.to, hosts.link.far, {}, { type });
      hosts.universe.timeline.run(2_000_000_000);
      expect(save.end).toEqual({ kind: 'exit', value: undefined });
      const { storeGfn, consoleGfn } = restored(load);
      // SUS-7, SUS-6: the store page of HVM and the console's connection.
      const differ = differences(pagesOf(source), pagesOf(load.heir));
      expect(differ).toEqual(type === 'hvm' ? [storeGfn, consoleGfn].sort((a, b) => a - b) : [consoleGfn]);
      expect(save.stats.passes.length).toBeGreaterThan(1);
    },
  );
});
