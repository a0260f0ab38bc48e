import { type Thread, Traffic, Xs } from '../../../guests/index.ts';
import { createDomain, initDom0 } from '../../../guests/libxl/index.ts';
import type { Actor } from '../../../sim/index.ts';
import { Administrator } from '../../engine/administrator.ts';
import { reportMigrations } from '../../engine/migration-report.ts';
import { type Migration, Migrations, type Moving } from '../../engine/migrations.ts';
import {
  type HostPlan,
  keepsDepth,
  livesOn,
  mayGoOn,
  openRuns,
  type Run,
  type Runs,
  runAllAndJudge,
  startOperator,
} from '../../engine/run.ts';
import type { RunRequest, RunResult } from '../../engine/scenario.ts';
import type { History, Verdict } from '../../judge/history.ts';
import { devices } from '../../judge/invariants/devices.ts';
import { disksOverHosts } from '../../judge/invariants/disks-over-hosts.ts';
import { hungSuspends } from '../../judge/invariants/hung-suspends.ts';
import { livesGoOn } from '../../judge/invariants/lives.ts';
import { type MemoryFinding, memoryMoved } from '../../judge/invariants/memory.ts';
import { migrationConsoles } from '../../judge/invariants/migration-consoles.ts';
import { migrationDevices } from '../../judge/invariants/migration-devices.ts';
import { migrationOwners } from '../../judge/invariants/migration-owners.ts';
import { migrationSecondLives } from '../../judge/invariants/migration-second-lives.ts';
import { migrationSessions } from '../../judge/invariants/migration-sessions.ts';
import { migrationSpecials } from '../../judge/invariants/migration-specials.ts';
import { migrationTools } from '../../judge/invariants/migration-tools.ts';
import { migrationTraces } from '../../judge/invariants/migration-traces.ts';
import { type FinalDisk, joinDisks } from '../../judge/joined-disks.ts';
import { joinSessions } from '../../judge/joined-sessions.ts';
import type { MigrationHistory } from '../../judge/migrations.ts';
import { befall } from './befall.ts';
import { type Place, Site } from './site.ts';
import { Traveller } from './traveller.ts';

/** Virtual time after which a run that goes on is not waited for any more. */
const HORIZON_NS = 600_000_000_000;
/** Traffic of devices begins when all guests are there, or so late: an update that is held up for the whole of its time (3 s) holds up
 *  who makes guests. */
const GATE_NS = 10_000_000_000;
/** Of the only disk that each has. */
const XVDA = 202 << 8;
/** So long after a migration a guest that was given up may park, ns. */
const LATE_PARK_NS = 20_000_000;
/** How often it is looked whether a migration is over, ns. */
const LOOK_NS = 100_000;
/** How often it is looked whether all guests are there, or one of them is to be had, ns. */
const GUESTS_LOOK_NS = 1_000_000;
/** How long a transport that is watched may be silent, ns. */
const KEEP_ALIVE_NS = 500_000_000;

export interface WorldPlan {
  readonly hosts: readonly HostPlan[];
  readonly domains: number;
  /** Where a guest is at first, by its number; left out: on the hosts by turns. */
  readonly homeOf?: (slot: number) => number;
  readonly requests: number;
  readonly block: number;
  readonly net: number;
  readonly workers: number;
  /** Live updates of each store. */
  readonly updates: number;
  readonly toolstack: Toolstack;
  /** Somebody looks after what xl leaves (FP-36); left out: nobody. */
  readonly hasAdministrator?: boolean;
}

/** Whose handover is used: that of xl as it is, or one that keeps a log of what was said. */
export const TOOLSTACKS = ['xl', 'handoverLog'] as const;
export type Toolstack = (typeof TOOLSTACKS)[number];

/** How a world comes to its end. */
export interface WorldEnd {
  readonly scenario: string;
  /** Whether guests are still to be moved. */
  readonly isMoving: () => boolean;
  /** Hosts that are down, by number. */
  readonly down?: () => readonly number[];
  readonly joined?: (history: MigrationHistory) => readonly Verdict[];
}

/** Hosts with guests that travel, traffic and updates: what every scenario of migration starts from. */
export class World {
  readonly runs: Runs;
  readonly site: Site;
  readonly migrations: Migrations;
  readonly travellers: Traveller[] = [];
  readonly traffic: Traffic;
  readonly block: Traffic;
  readonly net: Traffic;
  readonly #plan: WorldPlan;
  readonly #request: RunRequest;
  /** Those who make guests, and who update stores. */
  readonly #writers: Thread[] = [];
  readonly #administrator: Administrator | undefined;
  #isOver = false;

  constructor(request: RunRequest, plan: WorldPlan) {
    this.#request = request;
    this.#plan = plan;
    this.runs = openRuns(
      request,
      plan.hosts.map((host) => ({ ...host, requestsMax: plan.requests, isOver: () => this.#isOver })),
    );
    this.site = new Site(this.runs);
    const tools = this.site.places.map(({ process }) => process);
    this.migrations = new Migrations(this.runs, tools);
    this.traffic = this.first.host.traffic;
    this.block = new Traffic(plan.block);
    this.net = new Traffic(plan.net);
    if (plan.toolstack === 'handoverLog') this.migrations.keepLogs(() => this.#isOver);
    if (plan.toolstack === 'xl' && plan.hasAdministrator === true) {
      const administrator = new Administrator(this.migrations, tools);
      this.#administrator = administrator;
      this.start('administrator', (me) => administrator.run(me, () => this.#isOver));
    }
    for (const [at, place] of this.site.places.entries()) this.#furnish(place, at);
  }

  get first(): Run {
    return this.runs.runs[0] as Run;
  }

  /** Whether all guests are there that will be. */
  get isOpen(): boolean {
    return this.travellers.length >= this.#plan.domains || this.first.host.machine.nowNs > GATE_NS;
  }

  /** Wait until all guests are there that will be. */
  *opens(): Actor {
    while (!this.isOpen) yield GUESTS_LOOK_NS;
  }

  /** Wait likewise. @returns the guest of a number; `undefined`: a fault has kept it from being made. */
  *guestOf(slot: number): Actor<Traveller | undefined> {
    yield* this.opens();
    return this.travellers.find((each) => each.slot === slot);
  }

  /** Guests that run and are not on their way. */
  get resting(): readonly Traveller[] {
    return this.travellers.filter((traveller) => this.isResting(traveller));
  }

  /** Wait for a guest that runs and is not on its way, and pick one; `undefined`: none is, and none will be. */
  *pickResting({ draws }: Thread): Actor<Traveller | undefined> {
    while (this.resting.length === 0) {
      if (!this.travellers.some(({ guest }) => livesOn(guest.os.domain))) return undefined;
      yield GUESTS_LOOK_NS;
    }
    return draws.pick(this.resting);
  }

  isResting({ guest, uuid }: Traveller): boolean {
    return guest.os.domain.isRunning && this.migrations.all.every((each) => each.uuid !== uuid || this.isOver(each));
  }

  isOver(migration: Migration): boolean {
    return this.migrations.isOver(migration);
  }

  /** Move a guest, and wait until both sides have ended. */
  *move(traveller: Traveller, to: number, how: Moving): Actor<Migration> {
    const { guest, name, uuid } = traveller;
    const { toolstack } = this.#plan;
    const { link } = how;
    const isKept = toolstack === 'handoverLog' && link !== undefined;
    const repaired: Moving = {
      ...how,
      ...(isKept ? { link: { ...link, keepAliveNs: KEEP_ALIVE_NS } } : {}),
      source: { ...how.source, rememberChannel: true },
      target: { ...how.target, checksIntroduce: true },
    };
    const source = this.site.places[this.migrations.placeOf(guest)] as Place;
    const places = { source, target: this.site.places[to] as Place };
    const chosen = befall(traveller, places, toolstack === 'handoverLog' ? repaired : how);
    const migration = this.migrations.start(guest, to, { guest: name, uuid }, chosen);
    while (!this.isOver(migration)) yield LOOK_NS;
    return migration;
  }

  /** Somebody who acts from outside of all guests. */
  start(name: string, body: (me: Thread) => Actor): Thread {
    return this.first.host.dom0.os.start(name, body);
  }

  #furnish(place: Place, at: number): void {
    const { host } = place.run;
    const { domains, homeOf = (slot) => slot % this.site.places.length } = this.#plan;
    const slots = Array.from({ length: domains }, (_, slot) => slot).filter((slot) => homeOf(slot) === at);
    const world = this;
    this.#writers.push(
      host.dom0.os.start('xl', function* (me): Actor {
        yield* host.initStore(me);
        yield* initDom0(me, host.dom0.client);
        const xs = new Xs(host.dom0.client, me);
        yield* xs.write('/shared', '');
        yield* xs.setPerms('/shared', ['b0']);
        for (const slot of slots) yield* world.#create(me, place, slot);
      }),
    );
    const { updates, requests } = this.#plan;
    const draws = host.machine.streams.for('scenario/updates');
    const share = Math.max(1, Math.floor((requests * 6) / 10 / Math.max(1, updates)));
    const from = Math.floor((requests * 3) / 10);
    const atRequests = Array.from({ length: updates }, (_, i) => from + i * share + draws.below(share));
    const { compat, policy } = this.#plan.hosts[at] ?? {};
    // DST-9: a store that goes by the daemon's own image does not live through an update while a domain has a tree and no INTRODUCE.
    const sparesBuilders = policy === 'daemon';
    const link = () => host.dom0.client;
    this.#writers.push(
      startOperator(place.run, { atRequests, isVersioned: compat !== '4.17', sparesBuilders, link }).me,
    );
  }

  *#create(me: Thread, place: Place, slot: number): Actor {
    const { xl, exit } = place.process(`xl-create-${slot}`);
    const { traffic, block, net } = this;
    const { domains, workers } = this.#plan;
    const peers = [1, 2].map((d) => (slot + d) % domains).filter((peer) => peer !== slot);
    const created = yield* createDomain(me, xl, Traveller.plan(slot), {
      boot: (built) => {
        const hasDepth = keepsDepth(this.#request);
        const plan = {
          slot,
          workers,
          hasDepth,
          traffic,
          block,
          net,
          isOpen: () => this.isOpen,
          isOver: () => this.#isOver,
          peers,
        };
        this.travellers.push(new Traveller(place, built, xl.shared.handleOf(built.domain), plan));
      },
    });
    exit();
    traffic.conflicts += created.conflicts;
    if (created.rc !== 0) traffic.refused(`${created.rc} in ${created.failedIn}`);
  }

  /** Whether a guest, or a copy, waits for somebody who will come and look after it. */
  get #isUnsettled(): boolean {
    if (this.#administrator?.hasWork === true) return true;
    if (this.#plan.toolstack === 'handoverLog') {
      // 1. xl gives a guest up. 2. It parks all the same, a little later (SRC-7). 3. Whoever keeps the log looks for that.
      const { nowNs } = this.runs.universe.timeline;
      if (this.migrations.all.some(({ saidNs }) => nowNs - saidNs < LATE_PARK_NS)) return true;
    }
    if (this.#plan.toolstack === 'xl' && this.#administrator === undefined) return false;
    const isParked = ({ guest }: Traveller) =>
      guest.os.domain.dying === 'alive' && guest.os.domain.shutdown === 'suspend';
    return this.travellers.some(isParked) || this.migrations.hasLeft;
  }

  /** Run to the end of all traffic, and judge. */
  finish(end: WorldEnd): RunResult {
    const { runs } = this.runs;
    const { block, net, traffic, travellers } = this;
    const isWorking = ({ goesOn, programs, isSending }: Traveller) => goesOn && (programs.some(mayGoOn) || isSending);
    const hung = () => travellers.filter(({ guest }) => guest.client.hangs && livesOn(guest.os.domain));
    return runAllAndJudge(runs, {
      scenario: end.scenario,
      horizonNs: HORIZON_NS,
      isBusy: () => {
        if (this.#writers.some(mayGoOn) || end.isMoving()) return true;
        // 1. A forced update breaks the transaction in which a guest is made, or one of it hangs in its suspend. 2. The other has nobody to
        // talk to, and asks for it for ever.
        const left = travellers.filter(({ goesOn }) => goesOn).length;
        if (left <= 1) net.stopping = true;
        if (left === 0) block.stopping = true;
        if (!block.stopping && this.#plan.block > 0) return true;
        if (!net.stopping && this.#plan.net > 0) return true;
        traffic.stopping = true;
        if (travellers.some(isWorking) || this.#isUnsettled) return true;
        this.#isOver = true;
        return runs.some(({ host }) => host.inFlight > 0);
      },
      created: () => travellers.length,
      migrations: () =>
        reportMigrations(
          this.migrations.all,
          this.migrations.history(),
          runs.map(({ host }) => host.recorder?.history()),
        ),
      joined: (histories) => {
        const history = this.migrations.history();
        const plan = { toolstack: this.#plan.toolstack, down: end.down?.() ?? [] };
        return [
          migrationOwners(history, histories, plan),
          migrationTraces(history, histories, plan),
          migrationSessions(history, histories),
          migrationSecondLives(history, histories),
          migrationTools(history, histories),
          migrationDevices(history, histories, plan),
          migrationSpecials(history.hosts, histories, plan.down),
          migrationConsoles(
            history,
            this.site.places.flatMap(({ consoles }) => consoles?.history() ?? []),
          ),
          memoryMoved(this.migrations.memories.moves, this.#foundInMemory()),
          livesGoOn(joinSessions(histories, history, 'newest first')),
          disksOverHosts(joinDisks(histories, history, this.#finalDisks())),
          ...(hung().length === 0
            ? []
            : [
                hungSuspends(
                  hung().map(({ name }) => name),
                  histories[0] as History,
                ),
              ]),
          ...(end.joined?.(history) ?? []),
        ];
      },
      verdicts: (history) => [devices(history, 'one host of several')],
      devices: () => [
        ['block requests', block.requests],
        ['packets', net.requests],
      ],
    });
  }

  /** What guests find of their own memory when all is over: pages of different moments. One that does not run finds nothing. */
  #foundInMemory(): MemoryFinding[] {
    return this.travellers.flatMap(({ guest, memory, name }) => {
      const { domain, machine } = guest.os;
      if (!domain.isRunning) return [];
      return [...memory.check()].map(({ detail, gfn }) => ({
        timeNs: machine.nowNs,
        what: name,
        detail: `page 0x${gfn.toString(16)} ${detail}`,
      }));
    });
  }

  /** What is on each guest's disk when all is over. */
  #finalDisks(): FinalDisk[] {
    return this.site.san.sums().flatMap(([lun, sums]) => {
      const uuid = this.travellers.find(({ slot }) => slot === lun)?.uuid;
      return uuid === undefined ? [] : [{ uuid, devid: XVDA, sums }];
    });
  }
}
