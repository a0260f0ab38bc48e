import { resumeGuest, type Thread, Xs } from '../../guests/index.ts';
import { destroyDomain, renameDomain } from '../../guests/libxl/index.ts';
import type { Actor, Domain } from '../../sim/index.ts';
import type { Migration, Migrations } from './migrations.ts';
import type { ToolProcess } from './tool-process.ts';

/** How often somebody looks, and how long after both sides have ended, ns: a person is not quick. */
const LOOK_NS = 5_000_000;
const PATIENCE_NS = 20_000_000;
/** Processes that have not ended are killed when nothing was heard of them for so long, ns. */
const SILENCE_NS = 30_000_000_000;

/**
 * A person who looks after what a migration has left, with both hosts in view, and decides from facts (FP-36): where the guest runs
 * at the destination, the source goes; where it does not, the copy goes, and the source has its name again and goes on. xl leaves
 * that to somebody, and says so.
 */
export class Administrator {
  readonly #migrations: Migrations;
  readonly #tools: readonly ToolProcess[];
  /** Migrations after which nothing is left, or what is left was dealt with. */
  readonly #done = new Set<Migration>();

  constructor(migrations: Migrations, tools: readonly ToolProcess[]) {
    this.#migrations = migrations;
    this.#tools = tools;
  }

  /** Whether there is a migration that has not been looked after, or not to the end. */
  get hasWork(): boolean {
    return this.#done.size < this.#migrations.all.length;
  }

  /** Ends with `isOver`. */
  *run(me: Thread, isOver: () => boolean): Actor {
    const migrations = this.#migrations;
    while (!isOver()) {
      yield LOOK_NS;
      for (const migration of migrations.all) {
        if (this.#done.has(migration)) continue;
        const quietNs = (migrations.hosts[0]?.machine.nowNs ?? 0) - migration.saidNs;
        if (!migrations.isOver(migration)) {
          if (quietNs > SILENCE_NS) migration.link?.cut(); // whoever waits for it hears of that
          continue;
        }
        if (quietNs < PATIENCE_NS) continue;
        yield* new Visit(migrations, this.#tools, migration).settle(me);
        this.#done.add(migration);
      }
    }
  }
}

class Visit {
  readonly #migrations: Migrations;
  readonly #tools: readonly ToolProcess[];
  readonly #migration: Migration;

  constructor(migrations: Migrations, tools: readonly ToolProcess[], migration: Migration) {
    this.#migrations = migrations;
    this.#tools = tools;
    this.#migration = migration;
  }

  /** The copies of this migration alone, and only if nobody has moved the guest since: it may be parked for that. */
  *settle(me: Thread): Actor {
    const { n, uuid, from, to, domid, uniqueId, heirDomid } = this.#migration;
    if (this.#migrations.all.some((each) => each.uuid === uuid && each.n > n)) return;
    const source = this.#domain(from, domid);
    const heir = heirDomid === undefined ? undefined : this.#domain(to, heirDomid);
    const isThere = source?.uniqueId === uniqueId;
    const isLeft = heir !== undefined && !heir.isCreationFinished;
    const isParked = isThere && source.shutdown === 'suspend';
    if (!isLeft && !isParked) return;
    this.#migrations.personActs(this.#migration);
    if (isParked && heir?.isRunning === true) {
      yield* this.#process(me, from, (xl) => destroyDomain(me, xl, domid));
      return;
    }
    if (isLeft) yield* this.#process(me, to, (xl) => destroyDomain(me, xl, heir.domid));
    if (isParked) yield* this.#resume(me, from, domid);
  }

  *#resume(me: Thread, host: number, domid: number): Actor {
    const { guest } = this.#migration;
    yield* this.#process(me, host, function* (xl) {
      yield* renameDomain(me, xl, domid, { old: `${guest}--migratedaway`, new: guest });
      yield* resumeGuest(new Xs(xl.link, me), xl.os, { domid, how: 'fast' });
    });
  }

  *#process(me: Thread, host: number, does: (xl: ReturnType<ToolProcess>['xl']) => Actor<unknown>): Actor {
    const { n, saidNs } = this.#migration;
    const { xl, exit } = (this.#tools[host] as ToolProcess)(`administrator-${n}-${saidNs}-${me.draws.bits()}`);
    yield* does(xl);
    exit();
  }

  #domain(host: number, domid: number): Domain | undefined {
    return this.#migrations.hosts[host]?.machine.domain(domid);
  }
}
