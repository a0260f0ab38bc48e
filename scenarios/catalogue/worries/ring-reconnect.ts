import { type BuiltDomain, LINUX_HABITS, LINUX_OLD_HABITS, sharedNodes, type Thread } from '../../../guests/index.ts';
import { introduceDomain, type Libxl, writeDomain } from '../../../guests/libxl/index.ts';
import { type Actor, CONNECTION, XENSTORE_RECONNECT } from '../../../sim/index.ts';
import type { Host } from '../../engine/host.ts';
import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { count } from '../../engine/settings.ts';
import { toolsOf } from '../../engine/tool-process.ts';
import { ordinary } from './ordinary.ts';
import { framed, type Makings, playDoes, playSettings, startPrograms } from './play.ts';

/** Below them nobody is: dom0 and the store have theirs. */
const FIRST_DOMID = 10;
/** Between two new connections of a guest, ns. */
const CONNECTED_NS = [50_000, 2_500_000] as const;
/** How often dom0's tool looks at the rings, ns. */
const LOOK_NS = 30_000;

export const ringReconnect: Scenario = scenario({
  name: 'ring-reconnect',
  story:
    'Guests run before the store knows them, as dom0less domains do, and wait until their ring says that it is connected; later they have the connection begun anew, again and again, in the middle of requests, replies and transactions, while the store updates itself.',
  worry: 'A ring is connected anew while its guest runs on: is anything of the old connection left in the new one?',
  settings: {
    ...playSettings(6, 5_000, 3),
    reconnects: count(8, { min: 0, max: 1_000 }, 'new connections of each guest, as long as there is traffic'),
  },
  // Domains come from Xen itself: no toolstack is there that could die.
  does: (settings) => playDoes(settings, { builds: false, transacts: true }),
  marks: ({ updates, reconnects }) =>
    marks({
      run: { update: updates > 0, 'ring-again': reconnects > 0, event: true },
      sweep: { 'transaction-carried': updates > 0 },
    }),
  run: (request) =>
    framed(request, { scenario: ringReconnect.name }, function* (makings, me) {
      const { host } = makings;
      yield* sharedNodes(me, host.dom0.client);
      const { domains, reconnects } = request.settings;
      const found = Array.from({ length: domains }, (_, slot) => startedByXen(makings, slot, reconnects));
      const { xl } = toolsOf(host)('init-dom0less');
      host.dom0.os.start('init-dom0less', (own) => initDom0less(own, xl, host, found));
    }),
});

/** A guest that Xen has started, and what is done for its connection. */
interface Found extends BuiltDomain {
  readonly name: string;
}

/** It runs from the beginning of the host on, with a ring that nobody serves yet. */
function startedByXen(makings: Makings, slot: number, reconnects: number): Found {
  const { host, workers } = makings;
  const name = `dom0less-${slot}`;
  const built = host.build(FIRST_DOMID + slot, name);
  built.ring.store32(CONNECTION, XENSTORE_RECONNECT, false);
  makings.booted();
  const cast = ordinary(slot);
  const guest = host.boot(built, { ...(slot % 4 === 3 ? LINUX_OLD_HABITS : LINUX_HABITS), ...cast.habits });
  const { os, client } = guest;
  const start = (of: string, body: (me: Thread) => Actor) => workers.push(os.start(of, body));
  start('init', function* (me) {
    yield* client.untilConnected(me);
    startPrograms({ host, workers }, guest, cast);
    start('reconnects', function* (own) {
      for (let n = 0; n < reconnects; n++) {
        yield own.draws.between(...CONNECTED_NS);
        if (host.traffic.stopping) return;
        yield* client.reconnect(own);
      }
    });
  });
  host.dom0.os.hyper.unpause(built.domain.domid);
  return { ...built, name };
}

/**
 * Looks at the rings of guests, and introduces each that says that it is not connected. Source: tools/helpers/init-dom0less.c; that it
 * looks again is the play's: the C daemon connects a ring anew for an INTRODUCE alone, and tells nobody that a guest waits for one.
 */
function* initDom0less(me: Thread, xl: Libxl, { dom0, traffic, machine }: Host, found: readonly Found[]): Actor {
  const known = new Set<Found>();
  for (;;) {
    for (const each of found) {
      const { domain, ring, port, name } = each;
      if (ring.load32(CONNECTION) !== XENSTORE_RECONNECT || machine.domain(domain.domid) !== domain) continue;
      if (!known.has(each)) yield* writeDomain(me, xl, { domain, gfn: ring.gfn, port }, { name });
      known.add(each);
      const error = yield* introduceDomain(me, xl, each);
      if (error === undefined) continue;
      traffic.refused(error);
      dom0.os.hyper.destroyDomain(domain.domid); // it would wait for ever
    }
    yield me.draws.between(LOOK_NS, 2 * LOOK_NS);
  }
}
