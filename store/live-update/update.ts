import type { Actor, Listener, Machine } from '../../sim/index.ts';
import type { StoreSetup } from '../contract/process.ts';
import type { Daemon } from '../daemon/daemon.ts';
import type { Stream } from '../daemon/platform.ts';
import type { DaemonState } from '../daemon/state.ts';
import { Xenstored } from '../daemon/xenstored.ts';
import type { DaemonState as NeutralState } from '../format/model/state.ts';
import {
  type Cargo,
  type Carrier,
  imageOf,
  type Readable,
  type Reading,
  readCargo,
  sizeOf,
  writeCargo,
} from './carrier.ts';
import type { ProcessNumbers, Requester } from './dump.ts';
import { restoreNeutralState } from './neutral-state.ts';
import { keepsPorts, type TakeOverSite, takeOver } from './take-over.ts';

/** Virtual time of an update: fixed for exec and start-up, and by record and octet for dump and restore. */
const EXEC_NS = 1_500_000;
/** From the end of the dump to exec(2). */
const ACTIVATE_NS = 5_000;
const NODE_NS = 120;
const OCTETS_PER_NS = 2;

const LISTENER_FD = 4;
const EVTCHN_FD = 7;
/** What the requester is told of a failed exec(2). Source: tools/xenstored/lu.c. */
const EXEC_FAILED = 'Error activating new binary.';

/** Where a live update happens: the process that changes its instance. */
export interface UpdateSite extends TakeOverSite, Pick<StoreSetup, 'passImage' | 'execFails' | 'endsAtUnborn'> {
  readonly machine: Machine;
  readonly listener: Listener | undefined;
}

/** What does not change while a live update goes on. */
export interface Order {
  /** Counts from 1. */
  readonly n: number;
  readonly carrier: Carrier;
  /** The instance that is to be succeeded, frozen until it is known who goes on. */
  readonly old: Daemon;
  readonly requester: Requester | undefined;
  /** Its clients on sockets, by file descriptor: these stay open through an exec. */
  readonly sockets: ReadonlyMap<number, Stream>;
}

/** A live update that is not over: what has been reached, and what the steps before have left for the next. */
export type Pending =
  /** Nothing holds it up any more. */
  | { readonly step: 'asked' }
  /** The state is written down. */
  | { readonly step: 'dumped'; readonly cargo: Cargo }
  /** What was written is good: a successor can begin with it. */
  | { readonly step: 'verified'; readonly cargo: Cargo; readonly reading: Reading }
  /** The old instance is no more; the new one has not looked at anything. */
  | { readonly step: 'executed'; readonly cargo: Cargo; readonly reading: Reading }
  /** The new instance has its state, and nothing of the machine. */
  | {
      readonly step: 'started';
      readonly cargo: Cargo;
      readonly daemon: Xenstored;
      readonly handedOver: NeutralState | undefined;
    };

/** How it has come out. */
export type Ended =
  /** The new instance serves. The requester's answer came with the state. */
  | { readonly step: 'up'; readonly cargo: Cargo; readonly handedOver: NeutralState | undefined }
  /** The old instance goes on as if nothing had been, and tells the requester why. */
  | { readonly step: 'failed'; readonly cargo: Cargo | undefined; readonly reason: string }
  /** The new instance could not begin, and the old one is no more: nobody is told anything. */
  | { readonly step: 'lost'; readonly cargo: Cargo; readonly reason: string };

export type LiveUpdate = Pending | Ended;

export function isOver(update: LiveUpdate): update is Ended {
  return update.step === 'up' || update.step === 'failed' || update.step === 'lost';
}

/** One step of a live update, in the order of `Pending`; nobody is served meanwhile. Errors are steps: `failed` and `lost`. */
export function* advance(site: UpdateSite, order: Order, update: Pending): Actor<LiveUpdate> {
  switch (update.step) {
    case 'asked':
      return yield* dump(site, order);
    case 'dumped': {
      const { carrier } = order;
      return carrier.kind === 'program' ? become(carrier, update) : verify(site, order, carrier, update);
    }
    case 'verified':
      return yield* execute(site, order, update);
    case 'executed':
      return start(site, order, update);
    case 'started':
      return yield* settle(site, order, update);
  }
}

type At<Step extends Pending['step']> = Extract<Pending, { readonly step: Step }>;

/** Write the state down. Nothing is told of one that could not be written. */
function* dump(site: UpdateSite, order: Order): Actor<LiveUpdate> {
  const { machine, platform, passImage } = site;
  const { n, old } = order;
  const numbers = numbersOf(platform);
  const written = writeCargo(order.carrier, old.state, numbers, order.requester);
  if (!written.ok) return { step: 'failed', cargo: undefined, reason: written.reason };
  const files = written.cargo.files.map((file) => ({ ...file, octets: passImage?.(file.octets, n) ?? file.octets }));
  const cargo: Cargo = { ...written.cargo, files };
  const imageBytes = sizeOf(cargo);
  platform.tell({ phase: 'dump', update: n, imageBytes });
  for (const { octets } of files) machine.trace.digest.octets(octets, 0, octets.length);
  yield old.state.tree.size * NODE_NS + Math.floor(imageBytes / OCTETS_PER_NS);
  return { step: 'dumped', cargo };
}

/** A program of somebody else goes on. It looks at the image for itself; who comes back from there is told why. */
function become({ execute }: Extract<Carrier, { readonly kind: 'program' }>, { cargo }: At<'dumped'>): LiveUpdate {
  return { step: 'failed', cargo, reason: execute(imageOf(cargo.files)) };
}

/** Look at what was written as a successor will. */
function verify(
  { platform, options }: UpdateSite,
  { sockets }: Order,
  carrier: Readable,
  { cargo }: At<'dumped'>,
): LiveUpdate {
  const read = readCargo(carrier, cargo, { platform, options, sockets });
  return read.ok ? { step: 'verified', cargo, reading: read.reading } : { step: 'failed', cargo, reason: read.reason };
}

/**
 * Let go of the VIRQ, then exec(2). If that fails, the old instance hears of no death from here on (XSR-16). One that carries
 * transactions makes good for it: it binds the VIRQ anew and looks for whom it has missed.
 * Source: tools/xenstored/lu.c, lu_activate_binary.
 */
function* execute(site: UpdateSite, order: Order, { cargo, reading }: At<'verified'>): Actor<LiveUpdate> {
  const { platform } = site;
  const { n, old } = order;
  const fails = site.execFails?.(n) === true;
  platform.unbindDomainException();
  yield ACTIVATE_NS;
  if (fails) {
    if (site.options.policy === 'carry') {
      platform.bindDomainException();
      old.changes.checkEvery();
    }
    return { step: 'failed', cargo, reason: EXEC_FAILED };
  }
  const nodes = old.state.tree.size;
  // With an image goes all that is not memory.
  if (reading.kind === 'files') platform.tell({ phase: 'exec', update: n });
  retire(site, old.state, reading);
  yield EXEC_NS + nodes * NODE_NS;
  return { step: 'executed', cargo, reading };
}

/**
 * exec(2): mappings go, ports and sockets stay; the old instance's memory is emptied for good. A descriptor that nobody is
 * told of is of no more use: with the event channel device go its ports, with the listening socket whoever waits there.
 */
function retire({ platform, listener }: UpdateSite, old: DaemonState, reading: Reading): void {
  platform.dropMappings();
  const handedOver = reading.kind === 'files' ? reading.neutral : undefined;
  if (!keepsPorts(handedOver))
    for (const { link } of old.connections) if (link.kind === 'ring') platform.unbindPort(link.port);
  if (handedOver !== undefined && handedOver.listeners.rw === undefined) listener?.reopen();
  old.scrap();
  platform.instance++;
}

/** The new instance makes its state of what it was handed over. */
function start(site: UpdateSite, order: Order, { cargo, reading }: At<'executed'>): LiveUpdate {
  const { platform, options, listener } = site;
  if (reading.kind === 'image') {
    const unborn = site.endsAtUnborn === true ? unbornOwner(site, reading.state) : undefined;
    if (unborn !== undefined)
      return {
        step: 'lost',
        cargo,
        reason: `the successor has ended itself: domain ${unborn} owns nodes, and is not introduced`,
      };
    return {
      step: 'started',
      cargo,
      daemon: new Xenstored(reading.state, platform, listener),
      handedOver: undefined,
    };
  }
  platform.tell({ phase: 'started', update: order.n });
  const { neutral } = reading;
  const restored = restoreNeutralState(neutral, platform, options, order.sockets);
  if (!restored.ok) return { step: 'lost', cargo, reason: `the successor could not begin: ${restored.reason}` };
  return { step: 'started', cargo, daemon: new Xenstored(restored.state, platform, listener), handedOver: neutral };
}

/** The new instance takes its rings, and serves. */
function* settle(site: UpdateSite, order: Order, update: At<'started'>): Actor<LiveUpdate> {
  const { cargo, daemon, handedOver } = update;
  yield* takeOver(site, daemon.daemon, handedOver);
  site.platform.tell({ phase: 'up', update: order.n, imageBytes: sizeOf(cargo) });
  return { step: 'up', cargo, handedOver };
}

/** What only the process knows of itself: descriptors and ports. */
export function numbersOf(platform: UpdateSite['platform']): ProcessNumbers {
  return {
    listenerFd: LISTENER_FD,
    evtchnFd: EVTCHN_FD,
    excPort: platform.domainExceptionPort,
    remotePortOf: (port) => platform.remotePortOf(port),
  };
}

/** DST-9: a domain that is there and owns nodes, before anybody has introduced it. Source: tools/xenstored/core.c, read_state_node. */
function unbornOwner({ machine }: UpdateSite, { records }: DaemonState): number | undefined {
  for (const { domid, introduced, account } of records.values())
    if (!introduced && account.nodes > 0 && machine.domain(domid) !== undefined) return domid;
  return undefined;
}
