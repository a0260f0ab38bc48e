import { GuestControl, LINUX_HABITS, octets, suspender, suspendSelf, type Thread, Xs } from '../../guests/index.ts';
import { createDomain, type DomainPlan, initDom0, type MigrationStep } from '../../guests/libxl/index.ts';
import type { Actor } from '../../sim/index.ts';
import { Site } from '../catalogue/migration/site.ts';
import type { Guest } from '../engine/host.ts';
import { type Migration, Migrations, type Moving } from '../engine/migrations.ts';
import { type HostPlan, openRuns, type Runs, startOperator } from '../engine/run.ts';
import { Copies } from '../judge/copies.ts';
import type { Verdict } from '../judge/history.ts';
import { migrationOwners } from '../judge/invariants/migration-owners.ts';

/** How the guest takes a request to suspend. `late`: it acknowledges, and parks when it is told to. */
export type Asked = 'node' | 'channel' | 'deaf' | 'late' | 'poweroff';

export interface BenchPlan {
  readonly seed?: string;
  readonly asked?: Asked;
  readonly hosts?: readonly [Partial<HostPlan>, Partial<HostPlan>];
  /** The repaired handover. */
  readonly keepsLogs?: boolean;
  /** Pages that the guest has, beside its rings. */
  readonly pages?: number;
  readonly plan?: Partial<DomainPlan>;
}

const MS = 1_000_000;
const S = 1_000 * MS;
const NAME = 'guest';

/** Two hosts and one guest without devices, which looks at the store every millisecond. */
export class Bench {
  readonly runs: Runs;
  readonly site: Site;
  readonly migrations: Migrations;
  readonly plan: BenchPlan;
  guest!: Guest;
  uuid = '';
  /** Answers that the guest has had from a store. */
  beats = 0;
  /** Of a guest that parks late: that it does now. */
  park: () => void = () => {};
  isOver = false;

  constructor(plan: BenchPlan = {}) {
    this.plan = plan;
    const { seed = '1', hosts = [{}, {}], keepsLogs = false } = plan;
    this.runs = openRuns({ seed, format: 'v2', settings: {}, checks: true }, [
      { name: 'alpha', ...hosts[0] },
      { name: 'beta', ...hosts[1] },
    ]);
    this.site = new Site(this.runs);
    this.migrations = new Migrations(
      this.runs,
      this.site.places.map(({ process }) => process),
    );
    if (keepsLogs) this.migrations.keepLogs(() => this.isOver);
    for (const { host } of this.runs.runs)
      host.dom0.os.start('init', function* (me): Actor {
        yield* host.initStore(me);
        yield* initDom0(me, host.dom0.client);
      });
    this.pass(5 * MS);
    this.make(NAME, 0, (guest, uuid) => {
      this.guest = guest;
      this.uuid = uuid;
    });
    this.pass(50 * MS);
    if (this.uuid === '') throw new Error('no guest was made');
  }

  get nowNs(): number {
    return this.runs.universe.timeline.nowNs;
  }

  host(n: number) {
    const run = this.runs.runs[n];
    if (run === undefined) throw new Error(`no host ${n}`);
    return run.host;
  }

  /** Let time pass. */
  pass(ns: number): void {
    this.runs.universe.timeline.advance(ns);
  }

  /** Have somebody in a host's dom0 do something, and let time pass until it is done. */
  does(host: number, body: (me: Thread) => Actor<unknown>): void {
    const me = this.host(host).dom0.os.start('somebody', function* (own): Actor {
      yield* body(own);
    });
    this.runs.universe.timeline.runUntil(() => me.task?.state === 'done', this.nowNs + 300 * S);
  }

  /** The store of a host is updated now. */
  update(n: number): void {
    const run = this.runs.runs[n];
    if (run !== undefined) startOperator(run, { atRequests: [0], link: () => run.host.dom0.client });
  }

  /** A host is down from now on. */
  halt(n: number): void {
    this.host(n).machine.scheduler.halt();
  }

  /** `xl create` on a host. */
  make(name: string, host: number, booted: (guest: Guest, uuid: string) => void): void {
    const place = this.site.places[host];
    if (place === undefined) throw new Error(`no host ${host}`);
    const bench = this;
    const { xl, exit } = place.process(`xl-create-${name}-${this.nowNs}`);
    this.does(host, function* (me) {
      const created = yield* createDomain(
        me,
        xl,
        { name, ...bench.plan.plan },
        {
          boot: (built) => {
            const guest = place.run.host.boot(built, LINUX_HABITS);
            bench.#start(guest);
            booted(guest, xl.shared.handleOf(built.domain));
          },
        },
      );
      if (created.rc !== 0) throw new Error(`xl create: ${created.rc} in ${created.failedIn}`);
      exit();
    });
  }

  #start({ os, client }: Guest): void {
    const { asked = 'node', pages = 16 } = this.plan;
    for (let i = 0; i < pages; i++) os.allocPage().bytes.fill(i + 1);
    const bench = this;
    if (asked === 'channel') os.start('suspend', (me) => suspender(me, os, client, { hasChannel: true }));
    else
      new GuestControl(
        os,
        client,
        asked === 'deaf'
          ? {}
          : {
              *suspend(me) {
                if (asked === 'poweroff') {
                  os.hyper.domctl.shutdown(0);
                  yield 0;
                }
                let isTime = asked !== 'late';
                bench.park = () => {
                  isTime = true;
                };
                while (!isTime) yield MS;
                yield* suspendSelf(me, os, client);
              },
            },
      ).start();
    os.start('beat', function* (me): Actor {
      const xs = new Xs(client, me);
      for (let beat = 0; ; beat++) {
        yield MS;
        yield* xs.write('data/beat', octets(String(beat)));
        bench.beats++;
      }
    });
  }

  /** Begin a migration from where the guest is. */
  start(how: Moving = {}): Migration {
    const to = 1 - this.migrations.placeOf(this.guest);
    return this.migrations.start(this.guest, to, { guest: NAME, uuid: this.uuid }, how);
  }

  /** A migration from where the guest is, until all its processes have ended, or so long; and then a little. */
  migrate(how: Moving = {}, horizonNs = 300 * S): Migration {
    const migration = this.start(how);
    this.runs.universe.timeline.runUntil(() => this.migrations.isOver(migration), this.nowNs + horizonNs);
    this.pass(this.plan.keepsLogs === true ? 500 * MS : 200 * MS);
    return migration;
  }

  /** Each copy of the guest that there is, and its state: `alpha running, beta paused`. */
  get copies(): string {
    const history = this.migrations.history();
    const copies = new Copies(history);
    for (const record of history.records) copies.note(record);
    return copies
      .of(this.uuid)
      .map((copy) => ({ host: history.hosts[copy.host], state: copies.stateOf(copy) }))
      .filter(({ state }) => state !== 'none')
      .map(({ host, state }) => `${host} ${state}`)
      .sort((a, b) => (a < b ? -1 : 1))
      .join(', ');
  }

  /** What S, or R, has said on its standard error. */
  said(process: 'S' | 'R'): readonly string[] {
    return this.migrations
      .history()
      .records.flatMap((r) =>
        r.kind === 'news' && r.news.what === 'says' && r.news.process === process ? [r.news.text] : [],
      );
  }

  /** Whether the guest is served: by the store of wherever it is. */
  get isServed(): boolean {
    const before = this.beats;
    this.pass(20 * MS);
    return this.beats > before;
  }

  /** What is said of who owned the guest. */
  owners(down: readonly number[] = []): Verdict {
    const { keepsLogs = false } = this.plan;
    return migrationOwners(
      this.migrations.history(),
      this.runs.runs.flatMap(({ host }) => host.recorder?.history() ?? []),
      { toolstack: keepsLogs ? 'handoverLog' : 'xl', down },
    );
  }
}

/** Something at the moment at which a process is about to take a step. */
export function at(process: 'S' | 'R' | 'V' | 'W', step: MigrationStep, act: (migration: Migration) => void): Moving {
  let isDone = false;
  return {
    told: (news, migration) => {
      if (isDone || news.what !== 'step' || news.process !== process || news.step !== step) return;
      isDone = true;
      act(migration);
    },
  };
}
