import { type BuiltDomain, LINUX_HABITS, type Thread, Xs } from '../../../guests/index.ts';
import { createDomain, destroyDomain, initDom0, type Libxl, untilFree } from '../../../guests/libxl/index.ts';
import type { Actor } from '../../../sim/index.ts';
import type { Host } from '../../engine/host.ts';
import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { framed, playDoes, playSettings } from './play.ts';

/** Every guest has one of these numbers, life after life. */
const FIRST_DOMID = 20;
/** For so many of them something is left. */
const NUMBERS = 8;
const LIFE_NS = [300_000, 3_000_000] as const;
/** How long it is looked whether an id is free, ns. */
const FREE_NS = 20_000_000;
/** Where everybody leaves something for the owner of a number. */
const LEGACY = '/shared/legacy';

export const domidReuse: Scenario = scenario({
  name: 'domid-reuse',
  story:
    'Each domain that is destroyed is followed by another one with its number, which finds entries that meant the first: what that one might read, own and watch is none of its business.',
  worry: 'A domain gets the number of a dead one: which rights, nodes, quotas and watches does it inherit?',
  settings: playSettings(5, 5_000, 3),
  // Lives are too short for one that may end by a fault.
  does: (settings) => playDoes(settings, { destroys: true, spares: false }),
  marks: ({ updates }) => marks({ run: { 'domain-gone': true, 'domain-made': true, update: updates > 0 }, sweep: {} }),
  run: (request) =>
    framed(request, { scenario: domidReuse.name }, function* ({ host, workers, booted }, me) {
      const { dom0 } = host;
      const xs = new Xs(dom0.client, me);
      for (const path of ['/shared', LEGACY]) {
        yield* xs.write(path, '');
        yield* xs.setPerms(path, ['b0']);
      }
      yield* initDom0(me, dom0.client);
      for (let slot = 0; slot < request.settings.domains; slot++)
        workers.push(dom0.os.start(`xl-${slot}`, (own) => lives(own, host, FIRST_DOMID + slot, booted)));
    }),
});

/** One number, and those who have it one after the other. */
function* lives(me: Thread, host: Host, domid: number, boots: () => void): Actor {
  const { dom0, traffic } = host;
  const xl: Libxl = host.libxl(dom0.client, { tokenPrefix: `${me.name}:` });
  for (let life = 0; !traffic.stopping; life++) {
    const made = yield* createDomain(
      me,
      xl,
      { name: `heir-${domid}.${life}`, domid },
      {
        boot: (built) => {
          boots();
          boot(host, built);
        },
      },
    );
    traffic.conflicts += made.conflicts;
    if (made.rc === 'died') return;
    if (made.rc !== 0 || made.built === undefined) traffic.refused(`${made.rc} in ${made.failedIn}`);
    yield me.draws.between(...LIFE_NS);
    if (traffic.stopping) return;
    yield* destroyDomain(me, xl, domid);
    if (!(yield* untilFree(dom0.os, domid, FREE_NS))) return;
  }
}

function boot(host: Host, built: BuiltDomain): void {
  const { os, client } = host.boot(built, LINUX_HABITS);
  const { domid } = built.domain;
  os.start('heir', (me) => heir(new Xs(client, me), host, domid));
}

/** Leaves something for each number, once, and then looks again and again for what others have left for its own. */
function* heir(xs: Xs, { traffic }: Host, domid: number): Actor {
  const { draws } = xs.me;
  const numbers = Array.from({ length: NUMBERS }, (_, i) => FIRST_DOMID + i);
  const left = (by: number, to: number) => `${LEGACY}/${by}-${to}`;
  const said = (error: string | undefined) => {
    if (error !== undefined) traffic.refused(error);
  };
  yield* xs.watch(LEGACY, 'legacy');
  for (const other of numbers) {
    said((yield* xs.write(left(domid, other), String(other))).error);
    said((yield* xs.setPerms(left(domid, other), [`n${domid}`, `r${other}`])).error);
  }
  yield* xs.write('data/own', '');
  yield* xs.setPerms('data/own', [`n${domid}`, ...numbers.map((each) => `r${each}`)]);
  for (let n = 0; !traffic.stopping; n++) {
    const other = draws.pick(numbers);
    said((yield* xs.read(left(other, domid))).error);
    said((yield* xs.read(`/local/domain/${other}/data/own`)).error);
    said((yield* xs.write(`data/mine/${n % 5}`, String(n))).error);
    yield draws.below(40_000);
  }
}
