import type { Thread } from '../../guests/index.ts';
import {
  type Libxl,
  type MigrateEnd,
  type MigratePlan,
  type MigrationNews,
  type MigrationObserver,
  migrate,
  migrateReceive,
  type ReceiveEnd,
  type ReceivePlan,
  streamTransfer,
  type Transfer,
} from '../../guests/libxl/index.ts';
import { type Actor, LAN, type Link, type LinkTraits, type Task } from '../../sim/index.ts';
import type { Copy, MigrationAsked, MigrationHistory, MigrationRecord } from '../judge/migrations.ts';
import type { Guest, Host } from './host.ts';
import type { Runs } from './run.ts';

/** `ssh` until the other side's program runs, ns. */
const SSH_NS = 3_000_000;

/** How a guest is moved. */
export interface Moving
  extends Pick<MigratePlan, 'keepsDomid' | 'hasQuotas' | 'isAskable' | 'patienceNs' | 'rememberChannel' | 'dies'>,
    Pick<ReceivePlan, 'domidPolicy' | 'checksIntroduce' | 'staysPaused'> {
  /** Left out: LAN. */
  readonly link?: LinkTraits;
  readonly mode?: string;
  readonly transfer?: Transfer;
  /** Called when the link is there, before anything crosses it. */
  readonly linked?: (link: Link) => void;
  readonly receiverDies?: ReceivePlan['dies'];
}

/** A migration on its way, and how it ended. */
export interface Migration extends MigrationAsked {
  readonly startedNs: number;
  endedNs: number | undefined;
  /** Absent before the transport was started. */
  link: Link | undefined;
  source: MigrateEnd | undefined;
  /** `undefined`: it has not ended, or was never begun. */
  target: ReceiveEnd | undefined;
  readonly threads: Thread[];
}

/** A process of a host's dom0 that uses libxl, with a connection of its own, until it exits. Names are unique. */
export type ToolProcess = (name: string) => { readonly xl: Libxl; readonly exit: () => void };

/** Moves guests between hosts, and keeps what was said and lived meanwhile. */
export class Migrations {
  readonly #runs: Runs;
  readonly #tools: readonly ToolProcess[];
  readonly #records: MigrationRecord[] = [];
  readonly all: Migration[] = [];

  /** @param tools by the numbers of hosts. */
  constructor(runs: Runs, tools: readonly ToolProcess[]) {
    this.#runs = runs;
    this.#tools = tools;
    runs.universe.journal.observe((event) => {
      if (event.kind !== 'life') return;
      const { host, domid, uniqueId, what } = event;
      const reason = what === 'shutdown' ? this.hosts[host]?.machine.domain(domid)?.shutdown : undefined;
      this.#add({ kind: 'life', host, domid, uniqueId, what, ...(reason === undefined ? {} : { reason }) });
    });
  }

  get hosts(): readonly Host[] {
    return this.#runs.runs.map(({ host }) => host);
  }

  /** The number of the host where a guest is. */
  placeOf(guest: Guest): number {
    return this.hosts.findIndex(({ machine }) => machine === guest.os.machine);
  }

  /** `xl migrate`, begun by somebody at the guest's host. `who`: its name and uuid. */
  start(guest: Guest, to: number, who: { readonly guest: string; readonly uuid: string }, how: Moving = {}): Migration {
    const from = this.placeOf(guest);
    const { domid, uniqueId } = guest.os.domain;
    const source = this.hosts[from] as Host;
    const n = this.all.length + 1;
    const migration: Migration = {
      n,
      ...who,
      from,
      to,
      domid,
      uniqueId,
      mode: how.mode ?? 'CO',
      startedNs: source.machine.nowNs,
      endedNs: undefined,
      link: undefined,
      source: undefined,
      target: undefined,
      threads: [],
    };
    this.all.push(migration);
    const self = this;
    const {
      link: _link,
      mode: _mode,
      linked: _linked,
      receiverDies: _dies,
      transfer = streamTransfer(),
      ...asked
    } = how;
    const { xl, exit } = (this.#tools[from] as ToolProcess)(`xl-migrate-${n}`);
    const thread = source.dom0.os.start(`xl-migrate-${n}`, function* (me): Actor {
      migration.source = yield* migrate(me, xl, {
        ...asked,
        domid,
        transfer,
        connect: () => self.#connect(migration, how, transfer),
        observer: self.#observer(migration, from),
      });
      exit();
      migration.endedNs = source.machine.nowNs;
    });
    migration.threads.push(thread);
    return migration;
  }

  /** Whether a process of a migration still runs. */
  isOver({ threads }: Migration): boolean {
    return threads.every(({ task }) => hasEnded(task));
  }

  /** T: ssh, and the program that it starts at the other host. */
  #connect(migration: Migration, how: Moving, transfer: Transfer) {
    const { n, to } = migration;
    const target = this.hosts[to] as Host;
    const link = this.#runs.universe.link(how.link ?? LAN);
    link.tie();
    migration.link = link;
    how.linked?.(link);
    const isDown = target.machine.scheduler.isHalted;
    if (isDown) link.cut();
    let receiver: Thread | undefined;
    if (!isDown) {
      const self = this;
      receiver = target.dom0.os.start(
        `xl-migrate-receive-${n}`,
        function* (me): Actor {
          const { xl, exit } = (self.#tools[to] as ToolProcess)(`xl-migrate-receive-${n}`);
          migration.target = yield* migrateReceive(me, xl, {
            ...(how.domidPolicy === undefined ? {} : { domidPolicy: how.domidPolicy }),
            ...(how.checksIntroduce === undefined ? {} : { checksIntroduce: how.checksIntroduce }),
            ...(how.staysPaused === undefined ? {} : { staysPaused: how.staysPaused }),
            ...(how.receiverDies === undefined ? {} : { dies: how.receiverDies }),
            channel: link.far,
            transfer,
            observer: self.#observer(migration, to),
          });
          exit();
        },
        SSH_NS,
      );
      migration.threads.push(receiver);
    }
    return { channel: link.near, hasEnded: () => link.forth.isCut || link.back.isCut || hasEnded(receiver?.task) };
  }

  #observer(migration: Migration, host: number): MigrationObserver {
    return { note: (news: MigrationNews) => this.#add({ kind: 'news', migration: migration.n, host, news }) };
  }

  #add(record: Body): void {
    const { nowNs } = this.#runs.universe.timeline;
    this.#records.push({ seq: this.#records.length, timeNs: nowNs, ...record } as MigrationRecord);
  }

  /** All that was said and lived, with what the toolstacks made. */
  history(): MigrationHistory {
    const copies = this.hosts.flatMap(({ recorder }, host): Copy[] =>
      (recorder?.history().toolstack ?? []).flatMap((news) => {
        if (news.what !== 'made') return [];
        const { domid, uniqueId, uuid } = news;
        return [{ host, domid, uniqueId, uuid }];
      }),
    );
    return {
      hosts: this.#runs.runs.map(({ name = '' }) => name),
      asked: this.all,
      copies,
      records: this.#records,
    };
  }
}

type Body = MigrationRecord extends infer R ? (R extends MigrationRecord ? Omit<R, 'seq' | 'timeNs'> : never) : never;

function hasEnded(task: Task | undefined): boolean {
  return task === undefined || task.state === 'done' || task.owner.isHalted;
}
