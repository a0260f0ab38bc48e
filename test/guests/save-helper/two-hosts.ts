import { GuestOs, type Thread } from '../../../guests/kernel/index.ts';
import {
  type Failure,
  Helper,
  type HelperNews,
  type Restored,
  type RestoreRequest,
  type RestoreResult,
  RestoreStats,
  restoreDomain,
  type SaveRequest,
  SaveStats,
  saveDomain,
} from '../../../guests/save-helper/index.ts';
import {
  type Actor,
  DOMID_ANY,
  type Domain,
  type DomainConfig,
  type Link,
  type LinkTraits,
  type Machine,
  type OctetReader,
  type OctetWriter,
  type Port,
  SHUTDOWN_REASONS,
  Universe,
} from '../../../sim/index.ts';

const SUSPEND = SHUTDOWN_REASONS.indexOf('suspend');

/** A dom0 on each of two hosts, and a link between them; nobody serves a store. */
export interface TwoHosts {
  readonly universe: Universe;
  readonly link: Link;
  readonly from: GuestOs;
  readonly to: GuestOs;
}

export function twoHosts(traits?: LinkTraits, seed = '1'): TwoHosts {
  const universe = new Universe({ seed });
  const dom0 = (name: string) => {
    const machine = universe.add(name);
    const domain = machine.createDomain(0, 'dom0');
    machine.unpause(domain);
    return new GuestOs(machine, domain);
  };
  return { universe, from: dom0('a'), to: dom0('b'), link: universe.link(traits) };
}

/** A guest with a store page, a console page and `pages` more. */
export function guest(os: GuestOs, pages: number, config: DomainConfig = { type: 'hvm' }): Domain {
  const { machine } = os;
  const domain = machine.createDomain(DOMID_ANY, 'guest', config);
  const [store, console] = [domain.memory.alloc(), domain.memory.alloc()];
  for (let i = 2; i < pages; i++) domain.memory.alloc().bytes.fill(i & 0xff, 0, 16);
  domain.startInfo = { storeGfn: store.gfn, storePort: 1, console: { gfn: console.gfn, port: 2 } };
  store.store32(2052, 77, true);
  console.bytes[100] = 0x41;
  machine.unpause(domain);
  return domain;
}

export interface SaveRun {
  readonly stats: SaveStats;
  readonly asked: string[];
  end: HelperNews<Failure> | undefined;
  helper: Helper<Failure> | undefined;
}

/** Start V for `domain`; who is asked parks it `suspendNs` later. */
export function startSave(
  os: GuestOs,
  domain: Domain,
  to: OctetWriter,
  request: Partial<SaveRequest> & {
    readonly suspendNs?: number;
    readonly suspend?: (me: Thread) => Actor<number>;
  } = {},
): SaveRun {
  const run: SaveRun = { stats: new SaveStats(), asked: [], end: undefined, helper: undefined };
  const { suspendNs = 50_000, suspend, ...rest } = request;
  os.start('xl', function* (me): Actor {
    const helper = Helper.start<Failure>(os, me, 'v', (v) =>
      saveDomain(v, os, {
        domid: domain.domid,
        to,
        live: true,
        xen: { major: 4, minor: 22 },
        ...rest,
        stats: run.stats,
      }),
    );
    run.helper = helper;
    for (;;) {
      const news = yield* helper.news();
      if (news.kind !== 'asks') {
        run.end = news;
        to.close();
        return;
      }
      run.asked.push(news.what);
      if (news.what === 'suspend') {
        if (suspend !== undefined) news.answer(yield* suspend(me));
        else {
          yield suspendNs;
          os.hyper.domctl.remoteShutdown(domain.domid, SUSPEND);
          news.answer(1);
        }
      } else news.answer(news.what.startsWith('qemu') ? 0 : 1);
    }
  });
  return run;
}

export interface RestoreRun {
  readonly stats: RestoreStats;
  readonly heir: Domain;
  readonly ports: { readonly store: Port; readonly console: Port };
  end: HelperNews<RestoreResult> | undefined;
}

/** Start W for a new domain. */
export function startRestore(
  os: GuestOs,
  from: OctetReader,
  request: Partial<RestoreRequest> = {},
  config: DomainConfig = { type: 'hvm' },
): RestoreRun {
  const heir = os.machine.createDomain(DOMID_ANY, 'heir', config);
  const alloc = () => {
    const port = os.hyper.allocUnbound(heir.domid, 0);
    if (!port.ok) throw new Error(`assertion: ${port.errno}`);
    return port.value;
  };
  const ports = { store: alloc(), console: alloc() };
  const run: RestoreRun = { stats: new RestoreStats(), heir, ports, end: undefined };
  os.start('xl-r', function* (me): Actor {
    const helper = Helper.start<RestoreResult>(os, me, 'w', (w) =>
      restoreDomain(w, os, {
        domid: heir.domid,
        from,
        isHvm: heir.memory.translated,
        ports,
        storeDomid: 0,
        consoleDomid: 0,
        ...request,
        stats: run.stats,
      }),
    );
    for (;;) {
      const news = yield* helper.news();
      if (news.kind !== 'asks') {
        run.end = news;
        return;
      }
      news.answer(news.what === 'checkpoint' ? 1 : 0);
    }
  });
  return run;
}

/** What W said of a restore that went well. */
export function restored(run: RestoreRun): Restored {
  if (run.end?.kind !== 'exit' || !run.end.value.ok) throw new Error(`not restored: ${JSON.stringify(run.end)}`);
  return run.end.value.value;
}

export function failureOf(run: RestoreRun) {
  if (run.end?.kind !== 'exit' || run.end.value.ok) throw new Error(`restored: ${JSON.stringify(run.end?.kind)}`);
  return run.end.value.failure;
}

/** Octets of each ordinary page by gfn, for comparison. */
export function pagesOf(domain: Domain): Map<number, Uint8Array> {
  return new Map(domain.memory.frames.filter((f) => !f.isSpecial).map((f) => [f.gfn, f.bytes.slice()]));
}

/** Gfns whose pages differ, or are on one side alone. */
export function differences(a: ReadonlyMap<number, Uint8Array>, b: ReadonlyMap<number, Uint8Array>): number[] {
  const gfns = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => x - y);
  return gfns.filter((gfn) => {
    const [one, other] = [a.get(gfn), b.get(gfn)];
    return one === undefined || other === undefined || one.some((octet, i) => octet !== other[i]);
  });
}

/** Writes to pages of `domain` as `plan` says, until it ends. */
export function writes(machine: Machine, domain: Domain, name: string, body: () => Actor): void {
  machine.start(name, domain, body());
}
