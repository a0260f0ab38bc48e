import type { Thread } from '../../guests/index.ts';
import {
  HandoverLog,
  handoverAgent,
  type MigrateEnd,
  type MigratePlan,
  type MigrationNews,
  type MigrationObserver,
  type MovingBackends,
  migrate,
  migrateReceive,
  type ReceiveEnd,
  type ReceivePlan,
  streamTransfer,
  type Transfer,
  type Unnoticed,
} from '../../guests/libxl/index.ts';
import { type Actor, LAN, type Link, type LinkTraits, type Task } from '../../sim/index.ts';
import type { Copy, MigrationAsked, MigrationHistory, MigrationRecord } from '../judge/migrations.ts';
import type { Guest, Host } from './host.ts';
import { MovedMemories } from './moved-memory.ts';
import type { Runs } from './run.ts';
import type { ToolProcess } from './tool-process.ts';

/** `ssh` until the other side's program runs, ns. */
const SSH_NS = 3_000_000;

/** How a guest is moved. */
export interface Moving {
  /** What xl is asked for at the source, and how it goes there. */
  readonly source?: Pick<
    MigratePlan,
    | 'keepsDomid'
    | 'hasQuotas'
    | 'isAskable'
    | 'patienceNs'
    | 'destroysAfterNs'
    | 'rememberChannel'
    | 'losesResume'
    | 'dies'
  >;
  readonly target?: Pick<
    ReceivePlan,
    'domidPolicy' | 'hasQuotas' | 'hasMemory' | 'beforeIntroduce' | 'checksIntroduce' | 'staysPaused' | 'dies'
  >;
  /** Left out: LAN. */
  readonly link?: LinkTraits;
  /** Each direction of the link goes on without the other; left out: a cut takes both. */
  readonly isHalved?: boolean;
  /** Left out: CO. */
  readonly mode?: string;
  /** NC: the guest is not asked, and is not to notice; left out: it helps. */
  readonly unnoticed?: Omit<Unnoticed, 'files' | 'backends'>;
  /** Left out: libxl's stream. */
  readonly transfer?: Transfer;
  /** Called when the link is there, before anything crosses it. */
  readonly linked?: (link: Link) => void;
  /** Called with each thing that is said. */
  readonly told?: (news: MigrationNews, migration: Migration) => void;
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
  /** Of the copy at the destination; `undefined`: none was made. */
  heirDomid: number | undefined;
  /** When a process of it said something last. */
  saidNs: number;
  readonly threads: Thread[];
}

/** Moves guests between hosts, and keeps what was said and lived meanwhile. */
export class Migrations {
  readonly #runs: Runs;
  readonly #tools: readonly ToolProcess[];
  readonly #backends: readonly MovingBackends[];
  readonly #records: MigrationRecord[] = [];
  readonly all: Migration[] = [];
  readonly memories: MovedMemories;
  /** By the numbers of hosts; none: xl's own handover. */
  readonly #logs: HandoverLog[] = [];

  /** @param tools and @param backends by the numbers of hosts; of guests that are not asked, if they have devices. */
  constructor(runs: Runs, tools: readonly ToolProcess[], backends: readonly MovingBackends[] = []) {
    this.#runs = runs;
    this.#backends = backends;
    this.memories = new MovedMemories(() => runs.universe.timeline.nowNs);
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
      mode: how.mode ?? (how.unnoticed === undefined ? 'CO' : 'NC'),
      startedNs: source.machine.nowNs,
      endedNs: undefined,
      link: undefined,
      source: undefined,
      target: undefined,
      heirDomid: undefined,
      saidNs: source.machine.nowNs,
      threads: [],
    };
    this.all.push(migration);
    const self = this;
    const transfer = this.memories.watched(how.transfer ?? streamTransfer(), `${who.guest}, migration ${n}`);
    const { xl, exit } = (this.#tools[from] as ToolProcess)(`xl-migrate-${n}`);
    const thread = source.dom0.os.start(`xl-migrate-${n}`, function* (me): Actor {
      migration.source = yield* migrate(me, xl, {
        ...how.source,
        ...self.#unnoticed(how, from),
        domid,
        transfer,
        connect: () => self.#connect(migration, how, transfer),
        observer: self.#observer(migration, from, how),
        host: self.#nameOf(to),
        ...self.#logOf(from, n),
      });
      exit();
      migration.endedNs = source.machine.nowNs;
    });
    migration.threads.push(thread);
    return migration;
  }

  /** Whether a log has copies that nobody works on, and that are not decided. */
  get hasLeft(): boolean {
    return this.#logs.some(
      ({ received, sent }) =>
        received.some(({ isLeft, state }) => isLeft && state !== 'running') ||
        sent.some(({ isLeft, state }) => isLeft && state !== 'sending'),
    );
  }

  /** Somebody acts for a migration who is none of its processes. */
  personActs({ n, from, domid }: Migration): void {
    this.#add({ kind: 'news', migration: n, host: from, news: { what: 'person acts', process: 'S', domid } });
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
    if (how.isHalved !== true) link.tie();
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
            ...how.target,
            ...self.#unnoticed(how, to),
            channel: link.far,
            transfer,
            observer: self.#observer(migration, to, how),
            ...self.#logOf(to, n),
          });
          exit();
        },
        SSH_NS,
      );
      migration.threads.push(receiver);
    }
    return { channel: link.near, hasEnded: () => link.forth.isCut || link.back.isCut || hasEnded(receiver?.task) };
  }

  #observer(migration: Migration, host: number, { told }: Moving): MigrationObserver {
    return {
      note: (news: MigrationNews) => {
        this.#add({ kind: 'news', migration: migration.n, host, news });
        migration.saidNs = this.#runs.universe.timeline.nowNs;
        if ('process' in news && news.process === 'R' && 'domid' in news) migration.heirDomid = news.domid;
        told?.(news, migration);
      },
    };
  }

  #unnoticed({ unnoticed }: Moving, host: number): { readonly unnoticed?: Unnoticed } {
    const files = this.hosts[host]?.files;
    if (unnoticed === undefined || files === undefined) return {};
    const backends = this.#backends[host];
    return { unnoticed: { ...unnoticed, files, ...(backends === undefined ? {} : { backends }) } };
  }

  #nameOf(host: number): string {
    return this.#runs.runs[host]?.name ?? '';
  }

  #logOf(host: number, attempt: number): { readonly log?: HandoverLog; readonly attempt?: number } {
    const log = this.#logs[host];
    return log === undefined ? {} : { log, attempt };
  }

  /** The repaired handover: a log on each host, and an agent that looks after it until `isOver`. `isReachable`: whether one host can
   *  ask another now. */
  keepLogs(isOver: () => boolean, isReachable: (from: number, to: number) => boolean = () => true): void {
    const machines = this.hosts.map(({ machine }) => machine);
    for (const [at, host] of this.hosts.entries()) {
      const log = new HandoverLog();
      this.#logs.push(log);
      const { xl } = (this.#tools[at] as ToolProcess)('handover-agent');
      const self = this;
      function* ask(name: string, attempt: number): Actor<'accepted' | 'refused' | 'running' | undefined> {
        const to = self.#runs.runs.findIndex((run) => run.name === name);
        yield 2 * LAN.latencyNs;
        if (machines[to]?.scheduler.isHalted !== false || !isReachable(at, to)) return undefined;
        return self.#logs[to]?.decide(attempt);
      }
      const takenBack = (attempt: number, domid: number) => {
        const migration = this.all.find(({ n }) => n === attempt);
        const news: MigrationNews = { what: 'go taken back', process: 'S', domid };
        if (migration !== undefined) this.#add({ kind: 'news', migration: migration.n, host: at, news });
      };
      host.dom0.os.start('handover-agent', (me) => handoverAgent(me, xl, { log, ask, takenBack, isOver }));
    }
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
