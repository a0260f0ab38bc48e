import { strings } from '../../../guests/index.ts';
import { XS } from '../../../store/protocol/wire.ts';
import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { count } from '../../engine/settings.ts';
import { before, mixing } from './ordinary.ts';
import { play, playDoes, playSettings } from './play.ts';

/** As many in a directory as a listing by parts has to be asked for. */
const IN_A_DIRECTORY = 500;
const ABREAST = 32;

export const hugeStore: Scenario = scenario({
  name: 'huge-store',
  story:
    'dom0 fills the store with thousands of nodes, in directories that no single reply can list, and goes on renewing them; guests work beside, and the store carries all of it over its updates.',
  worry: 'What happens to a store that is far larger than any test: is it slow for others, or lost in an update?',
  settings: {
    ...playSettings(4, 9_000, 2),
    nodes: count(3_000, { min: 0, max: 1_000_000 }, 'nodes of dom0; the requests that make them are among those above'),
  },
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) => marks({ run: { update: updates > 0 }, sweep: { 'request-cut': updates > 0 } }),
  run: (request) => {
    const { nodes, requests, updates } = request.settings;
    const share = Math.floor(Math.max(0, requests - nodes) / (updates + 1));
    return play(request, {
      scenario: hugeStore.name,
      atRequests: Array.from({ length: updates }, (_, i) => nodes + (i + 1) * share),
      guest: (slot) => ({
        habits: { tornOneIn: 3, tornNsMax: 40_000 },
        works: { worker: mixing({ thinkNsMax: 20_000, txThinkNsMax: 40_000 }, (domid) => [before(domid), slot]) },
      }),
      dom0: {
        *collector(xs, { traffic }) {
          const path = (n: number) => `/tool/heap/${Math.floor(n / IN_A_DIRECTORY)}/entry-number-${n}`;
          const pending = [];
          for (let n = 0; n < nodes && !traffic.stopping; n++) {
            pending.push(xs.submit(XS.WRITE, strings(path(n), String(n)).subarray(0, -1)));
            if (pending.length >= ABREAST) yield* xs.client.answer(pending.shift() as (typeof pending)[number]);
          }
          for (const each of pending) yield* xs.client.answer(each);
          while (!traffic.stopping && nodes > 0) {
            const n = xs.me.draws.below(nodes);
            if (xs.me.draws.oneIn(20)) yield* xs.names(path(n).slice(0, path(n).lastIndexOf('/')));
            else yield* xs.write(path(n), String(traffic.requests));
            yield xs.me.draws.below(20_000);
          }
        },
      },
    });
  },
});
