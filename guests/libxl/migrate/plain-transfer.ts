import {
  type Actor,
  CONSOLE_CONNECTION,
  type Domain,
  GNTTAB_RESERVED_CONSOLE,
  GNTTAB_RESERVED_XENSTORE,
  PAGE_BYTES,
  readExactly,
  XENCONSOLE_DISCONNECTED,
} from '../../../sim/index.ts';
import type { BuiltDomain } from '../build.ts';
import type { Call } from '../call.ts';
import type { Loaded, LoadPlan, Saved, SavePlan, Transfer } from './transfer.ts';

/** A stand-in for libxl's stream: all pages once, after the park. */
const HEADER_BYTES = 24;

function* save(call: Call, plan: SavePlan): Actor<Saved> {
  const { domid, to, observer } = plan;
  const { os } = call.xl;
  observer.note({ what: 'step', process: 'S', step: 'SO7', domid });
  if (plan.dies('S', 'SO7')) return 'S killed';
  const parked = yield* plan.park();
  if (parked.kind !== 'parked') return 'error';
  const context = os.hyper.domctl.saveContext(domid);
  const domain = os.machine.domain(domid);
  if (!context.ok || domain === undefined) return 'error';
  const pages = domain.memory.frames.filter((page) => !page.isSpecial);
  const header = new Uint8Array(HEADER_BYTES);
  const v = new DataView(header.buffer);
  v.setUint32(0, pages.length, true);
  v.setUint32(4, context.value, true);
  v.setUint32(8, domain.startInfo?.storeGfn ?? 0, true);
  v.setUint32(12, domain.startInfo?.console?.gfn ?? 0, true);
  if ((yield* to.write(header)) === 'broken') return 'signal';
  for (const page of pages) {
    const piece = new Uint8Array(8 + PAGE_BYTES);
    new DataView(piece.buffer).setUint32(0, page.gfn, true);
    piece.set(page.bytes, 8);
    if ((yield* to.write(piece)) === 'broken') return 'signal';
    if (plan.dies('V', 'SO9')) return 'signal';
  }
  observer.note({
    what: 'pass',
    n: 0,
    pages: pages.length,
    octets: HEADER_BYTES + pages.length * (8 + PAGE_BYTES),
    isFinal: true,
  });
  return 'ok';
}

function* load(call: Call, plan: LoadPlan): Actor<Loaded> {
  const { domain, from } = plan;
  const header = yield* readExactly(from, HEADER_BYTES);
  if (header.length < HEADER_BYTES) return { failed: 'stream truncated in its header' };
  const v = new DataView(header.buffer, header.byteOffset);
  const [count, context, storeGfn, consoleGfn] = [0, 4, 8, 12].map((at) => v.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  for (let i = 0; i < count; i++) {
    const piece = yield* readExactly(from, 8 + PAGE_BYTES);
    if (piece.length < 8 + PAGE_BYTES) return { failed: `stream truncated in page ${i} of ${count}` };
    const gfn = new DataView(piece.buffer, piece.byteOffset).getUint32(0, true);
    domain.memory.populate(gfn)?.bytes.set(piece.subarray(8));
  }
  const built = rings(call, domain, plan, { storeGfn, consoleGfn });
  if (built === undefined) return { failed: 'no ring pages in the stream' };
  const loaded = call.xl.os.hyper.domctl.loadContext(domain.domid, context);
  return loaded.ok ? { built } : { failed: `vCPU context: ${loaded.errno}` };
}

function rings(
  call: Call,
  domain: Domain,
  { ports, daemons }: LoadPlan,
  { storeGfn, consoleGfn }: { readonly storeGfn: number; readonly consoleGfn: number },
): BuiltDomain | undefined {
  const { hyper } = call.xl.os;
  const ring = domain.memory.frame(storeGfn);
  const page = domain.memory.frame(consoleGfn);
  if (ring === undefined || page === undefined) return undefined;
  if (domain.memory.translated) ring.bytes.fill(0); // SUS-7
  page.bytes[CONSOLE_CONNECTION] = XENCONSOLE_DISCONNECTED;
  domain.ports.resetWords(); // SUS-6
  hyper.seedGrant(domain.domid, GNTTAB_RESERVED_CONSOLE, daemons.consoleDomid, page);
  hyper.seedGrant(domain.domid, GNTTAB_RESERVED_XENSTORE, daemons.storeDomid, ring);
  domain.startInfo = { storeGfn, storePort: ports.store, console: { gfn: consoleGfn, port: ports.console } };
  return { domain, ring, port: ports.store, console: { ring: page, port: ports.console } };
}

export const PLAIN_TRANSFER: Transfer = { save, load };
