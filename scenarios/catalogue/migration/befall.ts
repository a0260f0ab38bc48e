import type { Thread } from '../../../guests/index.ts';
import { type MigrationNews, renameDomain, type ScriptFate } from '../../../guests/libxl/index.ts';
import { type Actor, LAN } from '../../../sim/index.ts';
import type { Moving } from '../../engine/migrations.ts';
import type { Renamer, Trip } from '../../faults/trip.ts';
import type { Place } from './site.ts';
import type { Traveller } from './traveller.ts';

/** How often somebody tries to take a name back, and the pause between, ns. */
const TRIES = 3;
const TRY_NS = 500_000;

interface Places {
  readonly source: Place;
  readonly target: Place;
}

/** What faults of the source's host make of a migration. */
export function befall(traveller: Traveller, places: Places, how: Moving): Moving {
  const { source, target } = places;
  const { host } = source.run;
  const { domain } = traveller.guest.os;
  const trip: Trip = {
    domain,
    will: 'helps',
    renamer: undefined,
    losesResume: false,
    traits: how.link ?? LAN,
    isHalved: false,
    patienceNs: undefined,
    destroysAfterNs: undefined,
    lacksMemory: false,
    isNotIntroduced: false,
    script: 'works',
    dies: [],
    told: [],
    linked: [],
    endGuest: (reason) => {
      if (domain.isRunning) host.machine.shutdown(domain, reason);
    },
  };
  host.setOut(trip);
  traveller.will = trip.will;
  const dies: NonNullable<NonNullable<Moving['source']>['dies']> = (process, step) =>
    trip.dies.some((each) => each(process, step));
  const isStruck = trip.dies.length > 0;
  const { patienceNs, destroysAfterNs, script, renamer } = trip;
  if (script !== 'works') trip.told.push(spoilScripts(target, script));
  if (renamer !== undefined) trip.told.push(renames(traveller, places, renamer));
  return {
    ...how,
    link: trip.traits,
    ...(trip.isHalved ? { isHalved: true } : {}),
    source: {
      ...how.source,
      ...(isStruck ? { dies } : {}),
      ...(patienceNs === undefined ? {} : { patienceNs }),
      ...(destroysAfterNs === undefined ? {} : { destroysAfterNs }),
      ...(trip.losesResume ? { losesResume: true } : {}),
    },
    target: {
      ...how.target,
      ...(isStruck ? { dies: dies as never } : {}),
      ...(trip.lacksMemory ? { hasMemory: false } : {}),
      ...(trip.isNotIntroduced
        ? { beforeIntroduce: ({ domain: copy, port }) => target.run.host.machine.closePort(copy, port) }
        : {}),
    },
    ...(trip.linked.length === 0
      ? {}
      : {
          linked: (link) => {
            for (const each of trip.linked) each(link);
          },
        }),
    ...(trip.told.length === 0
      ? {}
      : {
          told: (news, { link }) => {
            if (link !== undefined) for (const each of trip.told) each(news, link);
          },
        }),
  };
}

/** Scripts of the copy's devices end so, from when they are added until R has ended. */
function spoilScripts({ fates }: Place, fate: ScriptFate): (news: MigrationNews) => void {
  let domid: number | undefined;
  return (news) => {
    if (!('process' in news) || news.process !== 'R') return;
    if (news.what === 'step' && news.step === 'DE11') domid = news.domid;
    if (domid === undefined) return;
    if (news.what === 'end') fates.delete(domid);
    else fates.set(domid, fate);
  };
}

/** Somebody comes with another name when *ready* is written, or *go* awaited: behind that S, or R, renames the guest itself. */
function renames(
  { guest, name }: Traveller,
  places: Places,
  { at, afterNs, holdNs }: Renamer,
): (news: MigrationNews) => void {
  const { process, run } = places[at];
  const source = guest.os.domain.domid;
  const here = at === 'source' ? name : `${name}--incoming`;
  const other = `${name}-other`;
  return (news) => {
    if (news.what !== 'step' || news.step !== (at === 'source' ? 'DE15' : 'DE16')) return;
    const domid = at === 'source' ? source : news.domid;
    if (domid === undefined) return;
    const who = `renamer-${name}-${run.host.machine.nowNs}`;
    run.host.dom0.os.start(
      who,
      function* (me: Thread): Actor {
        const { xl, exit } = process(who);
        if ((yield* renameDomain(me, xl, domid, { old: here, new: other })).rc === 0) {
          yield holdNs;
          for (let n = 0; n < TRIES && (yield* renameDomain(me, xl, domid, { old: other, new: here })).rc !== 0; n++)
            yield TRY_NS;
        }
        exit();
      },
      afterNs,
    );
  };
}
