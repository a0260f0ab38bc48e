import type { Actor, Domain, Machine, Port, Program, Task } from '../../sim/index.ts';
import type { StoreProcess, StoreSetup } from '../contract/process.ts';
import type { UpdateRecord } from '../contract/update-record.ts';
import type { Daemon } from '../daemon/daemon.ts';
import { makeInitialStore } from '../daemon/initial-store.ts';
import type { Moves } from '../daemon/moves.ts';
import { DEFAULT_OPTIONS, type StoreOptions } from '../daemon/options.ts';
import type { Stream } from '../daemon/platform.ts';
import { SimPlatform } from '../daemon/sim-platform.ts';
import { DaemonState } from '../daemon/state.ts';
import { Xenstored } from '../daemon/xenstored.ts';
import type { StateFormat } from '../format/model/convert.ts';
import type { DaemonState as NeutralState } from '../format/model/state.ts';
import { type Carrier, carrierName, dialectOf, sizeOf } from './carrier.ts';
import { takeCensus } from './census.ts';
import type { Requester } from './dump.ts';
import { neutralStateOf } from './neutral-state.ts';
import { restoreState } from './restore.ts';
import { takeOver } from './take-over.ts';
import { advance, type Ended, isOver, type LiveUpdate, numbersOf, type Order, type UpdateSite } from './update.ts';

export interface ProcessOptions extends StoreSetup {
  /** Execute the program of a live update on this image instead of going on in this process; why it could not. Not asked in
   *  updates through files. */
  readonly execute?: (image: Uint8Array, file: string, commandLine: string) => string;
  /** Carries out CONTROL `migrate`; left out: that is no word. */
  readonly moves?: Moves;
  /** Start from this image instead of an empty store, as `-U` does. `updates`: how many there were before, that one among them; left
   *  out: nobody counts. */
  readonly resume?: {
    readonly image: Uint8Array;
    readonly sockets: ReadonlyMap<number, Stream>;
    readonly updates?: number;
  };
}

/** The daemon's process: instance after instance, each built from the octets of the one before. */
export class XenstoredProcess implements StoreProcess {
  readonly updates: UpdateRecord[] = [];
  handedOver: NeutralState | undefined = undefined;
  format: StateFormat | undefined;
  readonly #options: ProcessOptions;
  readonly #site: UpdateSite;
  readonly #platform: SimPlatform;
  readonly #task: Task;
  #daemon: Xenstored;
  /** Clients that no instance has: during an update those of the old one, which is emptied before the new one knows them. */
  #sockets: ReadonlyMap<number, Stream> = new Map();
  #ended: string | undefined;

  constructor(machine: Machine, domain: Domain, options: ProcessOptions) {
    this.#options = options;
    this.format = options.format;
    this.#platform = new SimPlatform(machine, domain, options.files);
    const { listener, dom0Port, passImage, execFails, endsAtUnborn } = options;
    const daemonOptions: StoreOptions = {
      ...DEFAULT_OPTIONS,
      compat: options.compat,
      policy: options.policy,
      storeDomid: domain.domid,
      limitsWrites: options.limitsWrites ?? true,
      watchEventSeconds: options.eventsExpire === false ? 0 : DEFAULT_OPTIONS.watchEventSeconds,
      ...(options.moves === undefined ? {} : { moves: options.moves }),
    };
    const platform = this.#platform;
    this.#site = { machine, platform, options: daemonOptions, listener, dom0Port, passImage, execFails, endsAtUnborn };
    platform.bindDomainException();
    const first = this.#firstState();
    this.#daemon = new Xenstored(first.state, platform, listener);
    if (options.resume === undefined) this.#begin();
    else if (first.failure === undefined) for (const _ of takeOver(this.#site, this.#daemon.daemon, undefined)); // before anybody else runs
    this.#task = machine.start(`${domain.name}/xenstored`, domain, this.#serve());
    platform.task = this.#task;
    if (first.failure === undefined) return;
    this.#sockets = options.resume?.sockets ?? this.#sockets;
    this.#task.actor.return();
    this.#leave(first.failure);
  }

  get ended(): string | undefined {
    return this.#ended;
  }

  get ports(): readonly Port[] {
    return this.#platform.ports;
  }

  look(): NeutralState {
    return neutralStateOf(this.#daemon.state, numbersOf(this.#platform), undefined);
  }

  get waitsForCredit(): boolean {
    return this.#daemon.state.waitingForCredit.size > 0;
  }

  get movesInSteps(): boolean {
    return this.#platform.movesInSteps;
  }

  set movesInSteps(is: boolean) {
    this.#platform.movesInSteps = is;
  }

  get allocationFails(): StoreProcess['allocationFails'] {
    return this.#platform.allocationFails;
  }

  set allocationFails(fails: StoreProcess['allocationFails']) {
    this.#platform.allocationFails = fails;
  }

  jumpWallClock(seconds: number): void {
    this.#platform.jumpWallClock(seconds);
  }

  hangUp(): void {
    if (this.#ended === undefined) this.#daemon.daemon.trace.reopen();
  }

  end(): void {
    if (this.#ended !== undefined) return;
    this.#task.actor.return();
    this.#leave('it was killed');
  }

  /** What the first instance begins with, and why the process ends with it at once, if it does. */
  #firstState(): { readonly state: DaemonState; readonly failure?: string } {
    const { resume } = this.#options;
    const { options } = this.#site;
    if (resume === undefined) return { state: new DaemonState(options) };
    const restored = restoreState(resume.image, this.#platform, options, resume.sockets);
    return restored.ok ? restored : { state: new DaemonState(options), failure: restored.reason };
  }

  /** A fresh start: an empty store, and the rings that are there already. */
  #begin(): void {
    const { daemon } = this.#daemon;
    const { dom0Port, ownPort } = this.#options;
    daemon.changes.forgetChanged();
    daemon.records.make(this.#site.options.privDomid);
    makeInitialStore(daemon);
    daemon.introductions.connectPrivileged(dom0Port);
    if (ownPort !== undefined) daemon.introductions.connectOwn(ownPort);
    this.#daemon.lookAtAll();
  }

  /** Serve, update, serve: one after the other in the same task, and none inside of another, since each step would go through all. */
  #serve(): Program {
    return this.#daemon.run(() => this.#update());
  }

  /** One live update; the old instance is frozen meanwhile, since this is what its task does. */
  *#update(): Actor<Program | undefined> {
    const { machine } = this.#site;
    const order = this.#order(this.#daemon.daemon);
    const { n, carrier, old } = order;
    const begun = { n, format: carrierName(carrier), atNs: machine.nowNs, ...takeCensus(old.state) };
    this.#sockets = order.sockets;
    let update: LiveUpdate = { step: 'asked' };
    while (!isOver(update)) {
      update = yield* advance(this.#site, order, update);
      if (update.step === 'started') this.#daemon = update.daemon;
    }
    this.#conclude(order, update);
    this.#sockets = new Map();
    const { cargo } = update;
    this.updates.push({
      ...begun,
      outcome: update.step === 'up' ? 'ok' : 'failed',
      reason: update.step === 'up' ? '' : update.reason,
      imageBytes: cargo === undefined ? 0 : sizeOf(cargo),
      losses: cargo?.losses ?? [],
      lossCounts: cargo?.lossCounts ?? [],
      pauseNs: machine.nowNs - begun.atNs,
    });
    return this.#ended === undefined ? this.#serve() : undefined;
  }

  #order(old: Daemon): Order {
    const session = old.state.liveUpdate;
    if (session === undefined) throw new Error('assertion: nobody has asked for this update');
    const { execute } = this.#options;
    const dialect = dialectOf(session.version);
    const carrier: Carrier =
      this.format !== undefined
        ? { kind: 'files', format: this.format }
        : execute !== undefined
          ? { kind: 'program', dialect, execute: (image) => execute(image, session.file, session.commandLine) }
          : { kind: 'image', dialect };
    const delayed = session.owner.delayed.find((d) => d.kind === 'live-update');
    const requester: Requester | undefined =
      delayed === undefined ? undefined : { conn: session.owner, message: delayed.message };
    return {
      n: (this.#options.resume?.updates ?? 0) + this.updates.length + 1,
      carrier,
      old,
      requester,
      sockets: streamsOf(old.state),
    };
  }

  /** Whoever has asked is told, if anybody is there to tell it. */
  #conclude({ n, old }: Order, update: Ended): void {
    switch (update.step) {
      case 'up':
        this.handedOver = update.handedOver;
        return;
      case 'failed':
        this.#platform.tell({
          phase: 'failed',
          update: n,
          imageBytes: update.cargo === undefined ? 0 : sizeOf(update.cargo),
        });
        if (old.state.liveUpdate !== undefined) old.state.liveUpdate.reply = update.reason;
        return;
      case 'lost':
        this.#leave(update.reason);
        return;
    }
  }

  /** The process is no more: the kernel closes what it had. */
  #leave(reason: string): void {
    this.#ended = reason;
    const platform = this.#platform;
    const { listener } = this.#site;
    const streams = new Set([...streamsOf(this.#daemon.state).values(), ...this.#sockets.values()]);
    platform.tell({ phase: 'ended' });
    for (const port of platform.ports) platform.unbindPort(port);
    platform.dropMappings();
    for (const stream of streams) stream.close();
    this.#daemon.state.scrap();
    if (listener === undefined) return;
    listener.onConnect = () => listener.reopen(); // ECONNREFUSED
    listener.reopen();
  }
}

function streamsOf(state: DaemonState): Map<number, Stream> {
  const streams = new Map<number, Stream>();
  for (const { link } of state.connections) if (link.kind === 'socket') streams.set(link.stream.fd, link.stream);
  return streams;
}
