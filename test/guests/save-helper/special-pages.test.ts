import { describe, expect, it } from 'vitest';
import {
  CONSOLE_CONNECTION,
  CONSOLE_OUT,
  type DomainConfig,
  GNTMAP_host_map,
  GNTST,
  LAN,
  SHUTDOWN_REASONS,
  XENCONSOLE_DISCONNECTED,
} from '../../../sim/index.ts';
import { guest, restored, type SaveRun, startRestore, startSave, twoHosts } from './two-hosts.ts';

const REQ_PROD = 2052;

/** A guest with something in both of its rings, moved; what it finds there. */
function moved(config: DomainConfig, unnoticed = false) {
  const hosts = twoHosts(LAN);
  const source = guest(hosts.from, 12, config);
  const { storeGfn, console } = source.startInfo!;
  source.memory.frame(storeGfn)!.bytes.fill(0x55, 0, 100);
  const page = source.memory.frame(console!.gfn)!;
  page.bytes[CONSOLE_CONNECTION] = 0;
  page.store32(CONSOLE_OUT.prod, 9, true);
  const save: SaveRun = startSave(hosts.from, source, hosts.link.near);
  const load = startRestore(hosts.to, hosts.link.far, { isUnnoticed: unnoticed }, config);
  hosts.universe.timeline.run(1_000_000_000);
  expect(save.end).toEqual({ kind: 'exit', value: undefined });
  const { heir, ports } = load;
  const store = heir.memory.frame(storeGfn)!;
  const cons = heir.memory.frame(console!.gfn)!;
  return { hosts, source, heir, ports, store, cons, found: restored(load) };
}

describe('pages that the restorer has its hands on', () => {
  it('MIG-26: of a PV guest the store page is copied; start_info tells the new ports, shared_info nothing of the old ones', () => {
    const { source, heir, ports, store, cons } = moved({ type: 'pv' });
    expect([store.bytes[50], store.load32(REQ_PROD)]).toEqual([0x55, 77]); // INTRODUCE zeroes the indexes, later
    expect([cons.load32(CONSOLE_OUT.prod), cons.bytes[CONSOLE_CONNECTION]]).toEqual([9, XENCONSOLE_DISCONNECTED]);
    expect(heir.startInfo).toEqual({
      storeGfn: source.startInfo?.storeGfn,
      storePort: ports.store,
      console: { gfn: source.startInfo?.console?.gfn, port: ports.console },
    });
    expect(heir.ports.isMasked(ports.store)).toBe(true);
  });

  it('MIG-27: of an HVM guest the store page is zeroed, and the console’s ring begins anew', () => {
    const { heir, ports, store, cons } = moved({ type: 'hvm' });
    expect(store.bytes.every((octet) => octet === 0)).toBe(true);
    expect([cons.load32(CONSOLE_OUT.prod), cons.bytes[CONSOLE_CONNECTION]]).toEqual([0, XENCONSOLE_DISCONNECTED]);
    expect([heir.startInfo?.storePort, heir.startInfo?.console?.port]).toEqual([ports.store, ports.console]);
  });

  it('entries 0 and 1 are for those who serve the rings, and nothing else is granted', () => {
    const { hosts, heir } = moved({ type: 'hvm' });
    const status = (gref: number) => hosts.to.hyper.mapGrant(heir.domid, gref, GNTMAP_host_map).status;
    expect([status(0), status(1), status(2)]).toEqual([GNTST.okay, GNTST.okay, GNTST.general_error]);
  });

  it('NC-3: a guest that is not to notice finds both as they were, and nothing granted for it', () => {
    const { hosts, heir, store, cons } = moved({ type: 'hvm' }, true);
    expect([store.bytes[50], store.load32(REQ_PROD)]).toEqual([0x55, 77]);
    expect([cons.load32(CONSOLE_OUT.prod), cons.bytes[CONSOLE_CONNECTION]]).toEqual([9, 0]);
    expect(hosts.to.hyper.mapGrant(heir.domid, 1, GNTMAP_host_map).status).not.toBe(GNTST.okay);
  });

  it('MIG-28: a guest that nobody can ask is parked where it is, and goes as any other', () => {
    const { source, found } = moved({ type: 'hvm' });
    expect([source.shutdownCode, found.hasThreads]).toEqual([SHUTDOWN_REASONS.indexOf('suspend'), true]);
  });

  it('a guest that gets pages while it is on its way takes them with it', () => {
    for (const live of [true, false])
      for (const type of ['hvm', 'pv'] as const) {
        const hosts = twoHosts(LAN);
        const source = guest(hosts.from, 12, { type });
        let late = 0;
        startSave(hosts.from, source, hosts.link.near, {
          live,
          dies: (step) => {
            if (step !== 'suspend') return false;
            const page = source.memory.alloc();
            page.bytes[7] = 0x66;
            late = page.gfn;
            return false;
          },
        });
        const load = startRestore(hosts.to, hosts.link.far, {}, { type });
        hosts.universe.timeline.run(1_000_000_000);
        restored(load);
        expect([type, live, load.heir.memory.frame(late)?.bytes[7]]).toEqual([type, live, 0x66]);
      }
  });
});
