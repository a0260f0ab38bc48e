import { type Actor, DOMID_ANY, type Domain, type Frame, GNTTAB_RESERVED_XENSTORE, type Port } from '../sim/index.ts';
import { XS } from '../store/wire.ts';
import type { GuestOs, Me } from './os.ts';
import { strings } from './payload.ts';
import type { Traffic } from './traffic.ts';
import type { EventQueue, XsLink } from './xs-link.ts';
import { Xs } from './xs-ops.ts';

/** A domain as the builder leaves it: paused, its ring page granted through entry 1, its store port unbound. */
export interface BuiltDomain {
  readonly domain: Domain;
  readonly ring: Frame;
  readonly port: Port;
}

/**
 * Create a domain and do the builder's part for xenstore (GNT-26, EVT-3). `undefined`: the hypervisor refused.
 * @param wantedPort number of the store port; lower ones are taken by others, as a real guest's are. 0 = the lowest free.
 */
export function buildDomain(
  os: GuestOs,
  domid: number,
  name: string,
  storeDomid: number,
  wantedPort = 0,
): BuiltDomain | undefined {
  const created = os.hyper.createDomain(domid, name);
  if (!created.ok) return undefined;
  const domain = created.value;
  const ring = domain.memory.alloc();
  os.hyper.seedGrant(domain.domid, GNTTAB_RESERVED_XENSTORE, storeDomid, ring);
  let port = os.hyper.allocUnbound(domain.domid, storeDomid);
  while (port.ok && port.value < wantedPort) port = os.hyper.allocUnbound(domain.domid, storeDomid);
  if (!port.ok) throw new Error(`assertion: no port in a new domain: ${port.errno}`);
  domain.startInfo = { storeGfn: ring.gfn, storePort: port.value };
  return { domain, ring, port: port.value };
}

/** What can happen to a toolstack, and to domains in its hands. */
export interface Mishaps {
  /** Asked between two operations: whether the process that builds this domain dies here. */
  toolstackDies(): boolean;
  /** Whether the next domain gets the id of the one that has just gone. */
  reusesDomid(): boolean;
  beforeIntroduce(domain: Domain): void;
  beforeDestroy(domain: Domain): void;
}

export interface ToolstackPlan {
  /** Domains that live at the same time. */
  readonly domains: number;
  /** Shortest and longest life of a domain, ns; then it is destroyed and another is made. Longest 0: they live for ever. */
  readonly lifeNsMin: number;
  readonly lifeNsMax: number;
  /** Whether the domain of this slot is never destroyed. */
  readonly livesForEver: (slot: number) => boolean;
  readonly storeDomid: number;
  /** What comes between the steps; see the faults of scenarios. */
  readonly mishaps?: Mishaps;
  /** Load the kernel: start the guest's actors. Called while the domain is paused, after INTRODUCE. */
  readonly boot: (built: BuiltDomain, slot: number) => void;
}

/** dom0's hand: creates the shared directories, then one slot actor a domain; ends when they have ended.
 *  Source of the order: guests.md 3.2, 3.3. */
export function* toolstack(me: Me, os: GuestOs, client: XsLink, traffic: Traffic, plan: ToolstackPlan): Actor {
  const xs = new Xs(client, me);
  yield* mknod(xs, '/shared', ['b0'], 0);
  yield* mknod(xs, '/libxl', ['n0'], 0);
  yield* mknod(xs, '/local/domain/0', ['n0'], 0);
  yield* xs.write('/local/domain/0/name', 'Domain-0');
  yield* xs.write('/local/domain/0/domid', '0');
  const slots: Me[] = [];
  const gate: Gate = { building: 0 };
  for (let slot = 0; slot < plan.domains; slot++) {
    slots.push(os.start(`xl-${slot}`, (own) => slotActor(own, os, client, traffic, plan, slot, gate)));
  }
  while (slots.some((slot) => slot.task?.state !== 'done')) yield 50_000;
}

/** How many domains are being built now. */
interface Gate {
  building: number;
}

/** Builders at the same time: more only make each other's transactions fail (TS-18, MT-2). */
const BUILDERS_MAX = 2;

function* slotActor(
  me: Me,
  os: GuestOs,
  client: XsLink,
  traffic: Traffic,
  plan: ToolstackPlan,
  slot: number,
  gate: Gate,
): Actor {
  const xs = new Xs(client, me);
  const released: EventQueue = { events: [], me };
  yield* client.watch(released, '@releaseDomain', `xl-${slot}`);
  let wanted = DOMID_ANY;
  for (let life = 0; !traffic.stopping; life++) {
    while (gate.building >= BUILDERS_MAX) yield 10_000 + me.draws.below(5_000);
    gate.building++;
    const built = buildDomain(os, wanted, `domU${slot}${life === 0 ? '' : `.${life}`}`, plan.storeDomid);
    if (built === undefined) return;
    const { domid } = built.domain;
    const what = yield* build(xs, traffic, built, slot, plan.mishaps);
    gate.building--;
    if (what === 'died') return;
    if (what === 'refused') {
      yield* destroy(xs, os, built.domain, plan.mishaps);
      continue;
    }
    plan.boot(built, slot);
    os.hyper.unpause(domid);
    if (plan.lifeNsMax === 0 || plan.livesForEver(slot)) return;
    yield me.draws.between(plan.lifeNsMin, plan.lifeNsMax);
    if (traffic.stopping) return;
    yield* destroy(xs, os, built.domain, plan.mishaps);
    wanted = plan.mishaps?.reusesDomid() === true ? domid : DOMID_ANY;
  }
}

/** From an empty domain to one that can be started. 'refused': the store does not take it. 'died': its builder is no more. */
function* build(
  xs: Xs,
  traffic: Traffic,
  built: BuiltDomain,
  slot: number,
  mishaps: Mishaps | undefined,
): Actor<'built' | 'refused' | 'died'> {
  const { domain, ring, port } = built;
  if (mishaps?.toolstackDies()) return 'died';
  if (!(yield* writeTree(xs, traffic, built, slot))) return 'died';
  if (mishaps?.toolstackDies()) return 'died';
  mishaps?.beforeIntroduce(domain);
  const reply = yield* xs.call(XS.INTRODUCE, strings(String(domain.domid), String(ring.gfn), String(port)));
  if (reply.error !== undefined) {
    traffic.refused(`${reply.error} at INTRODUCE`);
    return 'refused';
  }
  if (mishaps?.toolstackDies()) return 'died';
  yield* addDevice(xs, traffic, domain.domid, 'vif', 0);
  if (mishaps?.toolstackDies()) return 'died';
  yield* addDevice(xs, traffic, domain.domid, 'vbd', 51712);
  return 'built';
}

/** TS-11: the nodes go while the domain is only paused; its watches fire into a ring that nobody drains. Ends when the id is
 *  free: a zombie keeps it (DOM-4). */
function* destroy(xs: Xs, os: GuestOs, domain: Domain, mishaps: Mishaps | undefined): Actor {
  const { domid } = domain;
  os.hyper.pause(domid);
  for (const path of [`/local/domain/${domid}`, `/libxl/${domid}`, ...backends(domid)]) yield* xs.rm(path);
  mishaps?.beforeDestroy(domain);
  os.hyper.destroyDomain(domid);
  while (os.hyper.domainState(domid) !== undefined) yield 20_000;
}

function backends(domid: number): string[] {
  return ['vif', 'vbd'].map((kind) => `/local/domain/0/backend/${kind}/${domid}`);
}

/** txn A of guests.md 3.2, abridged: the guest's tree with the permissions that libxl gives it. */
export function* writeTree(
  xs: Xs,
  traffic: Traffic,
  built: Pick<BuiltDomain, 'domain' | 'port'> & { readonly ring: { readonly gfn: number } },
  slot: number,
): Actor<boolean> {
  const { domid, name } = built.domain;
  const home = `/local/domain/${domid}`;
  const ro = ['n0', `r${domid}`];
  const rw = [`n${domid}`];
  const done = yield* xs.client.transaction(
    xs.me,
    function* (tx) {
      yield* xs.rm(home, tx);
      yield* mknod(xs, home, ro, tx);
      yield* xs.rm(`/libxl/${domid}`, tx);
      yield* mknod(xs, `/libxl/${domid}`, ['n0'], tx);
      yield* mknod(xs, `/libxl/${domid}/device`, ['n0'], tx);
      yield* xs.write(`${home}/name`, name, tx);
      yield* xs.write(`${home}/domid`, String(domid), tx);
      for (const dir of ['cpu', 'memory', 'device', 'control']) yield* mknod(xs, `${home}/${dir}`, ro, tx);
      for (const dir of ['control/shutdown', 'control/feature-poweroff', 'data', 'drivers', 'attr', 'error'])
        yield* mknod(xs, `${home}/${dir}`, rw, tx);
      yield* xs.write(`${home}/control/platform-feature-xs_reset_watches`, '1', tx);
      yield* xs.write(`${home}/memory/target`, String(65_536 + slot), tx);
      yield* xs.write(`${home}/store/port`, String(built.port), tx);
      yield* xs.write(`${home}/store/ring-ref`, String(built.ring.gfn), tx);
      return true;
    },
    1_000,
  );
  traffic.conflicts += done.rounds - 1;
  if ('value' in done) traffic.commits++;
  else traffic.refused(`${done.error} at commit`);
  return 'value' in done;
}

/** One transaction a device, as libxl writes it (guests.md 2.2). */
function* addDevice(xs: Xs, traffic: Traffic, domid: number, kind: string, id: number): Actor {
  const front = `/local/domain/${domid}/device/${kind}/${id}`;
  const back = `/local/domain/0/backend/${kind}/${domid}/${id}`;
  const libxl = `/libxl/${domid}/device/${kind}/${id}`;
  const rw = [`n${domid}`, 'r0'];
  const ro = ['n0', `r${domid}`];
  const done = yield* xs.client.transaction(
    xs.me,
    function* (tx) {
      const there = yield* xs.read(libxl, tx);
      if (there.error === undefined) return undefined;
      yield* xs.rm(libxl, tx);
      yield* xs.write(`${libxl}/frontend`, front, tx);
      yield* xs.write(`${libxl}/backend`, back, tx);
      yield* xs.rm(front, tx);
      yield* mknod(xs, front, rw, tx);
      yield* xs.write(`${front}/backend`, back, tx);
      for (const [key, value] of [
        ['backend-id', '0'],
        ['state', '1'],
        ['handle', String(id)],
      ] as const) {
        yield* xs.write(`${front}/${key}`, value, tx);
        yield* xs.setPerms(`${front}/${key}`, rw, tx);
      }
      yield* xs.rm(back, tx);
      yield* mknod(xs, back, ro, tx);
      yield* xs.write(`${back}/frontend`, front, tx);
      for (const [key, value] of [
        ['frontend-id', String(domid)],
        ['online', '1'],
        ['state', '1'],
      ] as const) {
        yield* xs.write(`${back}/${key}`, value, tx);
        yield* xs.write(`${libxl}/${key}`, value, tx);
      }
      return true;
    },
    1_000,
  );
  traffic.conflicts += done.rounds - 1;
  if ('value' in done) traffic.commits++;
}

/** libxl's mknod: WRITE of nothing, then SET_PERMS (TS-4). */
export function* mknod(xs: Xs, path: string, perms: readonly string[], tx: number): Actor {
  yield* xs.write(path, '', tx);
  yield* xs.setPerms(path, perms, tx);
}
