import { curious, deviceModel, strings } from '../../../guests/index.ts';
import { XS } from '../../../store/protocol/wire.ts';
import { keepsStanding } from '../../engine/run.ts';
import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { ordinary } from './ordinary.ts';
import { play, playDoes, playSettings } from './play.ts';

const THINK_NS_MAX = 60_000;
/** How often it is looked whether both of a pair are there, ns. */
const LOOK_NS = 100_000;
/** A model is born so many domains after the one that it serves: two are built at a time, and the store forgets over an update
 *  whose model somebody is who was introduced before (as the C daemon does). */
const LATER = 3;

export const stubDomains: Scenario = scenario({
  name: 'stub-domains',
  story:
    'Half of the guests are served by device models in domains of their own, to which SET_TARGET gives the rights of whom they serve; others look on without it, and updates come between.',
  worry: 'Who may what for whom, where device models run in stub domains, and after an update?',
  settings: playSettings(9, 3_500, 3),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) => marks({ run: { event: true, update: updates > 0 }, sweep: { 'request-cut': updates > 0 } }),
  run: (request) => {
    const keeps = keepsStanding(request);
    /** In the order in which they began. */
    const domids: number[] = [];
    return play(request, {
      scenario: stubDomains.name,
      guest: (slot) => {
        const n = domids.push(-1) - 1;
        const cast = ordinary(slot);
        return {
          ...cast,
          works: {
            ...(isModel(n) ? {} : cast.works),
            *life({ me, client }, { traffic, domid }) {
              domids[n] = domid;
              if (!isModel(n)) return;
              const plan = { path: `/local/domain/${domids[n - LATER]}/data`, thinkNsMax: THINK_NS_MAX };
              yield* n % 3 === 0 ? curious(me, client, traffic, plan) : deviceModel(me, client, traffic, plan);
            },
          },
        };
      },
      dom0: {
        *'xl-dm'(xs, { traffic }) {
          for (let n = 0; n < request.settings.domains && keeps; n++) {
            if (!isModel(n) || n % 3 === 0) continue;
            while ((domids[n] ?? -1) < 0 && !traffic.stopping) yield LOOK_NS;
            const [served, model] = [domids[n - LATER] ?? -1, domids[n] ?? -1];
            if (served < 0 || model < 0) return;
            const { error } = yield* xs.call(XS.SET_TARGET, strings(String(model), String(served)));
            if (error !== undefined) traffic.refused(error);
          }
        },
      },
    });
  },
});

/** Three who are served, and three models. */
function isModel(n: number): boolean {
  return n % (2 * LATER) >= LATER;
}
