import {
  type Actor,
  CONSOLE_CONNECTION,
  CONSOLE_IN,
  CONSOLE_OUT,
  type Gfn,
  GNTTAB_RESERVED_CONSOLE,
  GNTTAB_RESERVED_XENSTORE,
  XENCONSOLE_DISCONNECTED,
} from '../../sim/index.ts';
import type { LibxcRecord } from '../../store/format/enclosing/layouts.ts';
import { CALL_NS } from './costs.ts';
import type { RestoreContext, RestoreFailure } from './restore-context.ts';

const LEAF_BYTES = 24;
const MSR_BYTES = 16;

/** xc_clear_domain_page. What is not there cannot be cleared, and nobody asks. */
export function clearPage(restore: RestoreContext, gfn: Gfn): void {
  withPage(restore, gfn, (bytes) => bytes.fill(0));
}

/** xc_dom_console_init: indexes zero, nobody connected. What was in the ring stays there, and nobody finds it. */
export function initConsole(restore: RestoreContext, gfn: Gfn): void {
  withPage(restore, gfn, (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const at of [CONSOLE_IN.cons, CONSOLE_IN.prod, CONSOLE_OUT.cons, CONSOLE_OUT.prod])
      view.setUint32(at, 0, true);
    bytes[CONSOLE_CONNECTION] = XENCONSOLE_DISCONNECTED;
  });
}

/** xc_dom_console_set_disconnected: and what is in the ring is still to be read. */
export function disconnectConsole(restore: RestoreContext, gfn: Gfn): void {
  withPage(restore, gfn, (bytes) => {
    bytes[CONSOLE_CONNECTION] = XENCONSOLE_DISCONNECTED;
  });
}

function withPage(restore: RestoreContext, gfn: Gfn, change: (bytes: Uint8Array) => void): void {
  if (restore.request.isUnnoticed === true) return;
  const mapped = restore.os.hyper.paging.map(restore.domid, [gfn], true);
  if (!mapped.ok) return;
  const page = mapped.value.pages[0];
  if (page !== undefined) change(page.bytes);
  mapped.value.unmap();
}

/** Entries 0 and 1, for those who serve the rings (GNT-26). Source: xc_dom_gnttab_seed. */
export function* seedGrants(
  restore: RestoreContext,
  storeGfn: Gfn,
  consoleGfn: Gfn,
): Actor<RestoreFailure | undefined> {
  if (restore.request.isUnnoticed === true) return undefined;
  const { hyper, machine } = restore.os;
  const { storeDomid, consoleDomid } = restore.request;
  const memory = machine.domain(restore.domid)?.memory;
  for (const [gref, to, gfn] of [
    [GNTTAB_RESERVED_CONSOLE, consoleDomid, consoleGfn],
    [GNTTAB_RESERVED_XENSTORE, storeDomid, storeGfn],
  ] as const) {
    const page = memory?.frame(gfn);
    if (gfn !== 0 && (page === undefined || !hyper.seedGrant(restore.domid, gref, to, page).ok))
      return { reason: 'Failed to seed grant table' };
  }
  yield 2 * CALL_NS;
  return undefined;
}

/** Source: handle_x86_tsc_info. */
export function setTsc(
  restore: RestoreContext,
  { mode, khz, nsec, incarnation }: Extract<LibxcRecord, { kind: 'X86_TSC_INFO' }>,
): RestoreFailure | undefined {
  const set = restore.os.hyper.paging.setTscInfo(restore.domid, { mode, khz, nsec, incarnation });
  return set.ok ? undefined : { reason: 'Unable to set TSC information' };
}

/** Source: handle_x86_cpuid_policy, handle_x86_msr_policy. */
export function policyFailure(
  record: Extract<LibxcRecord, { kind: 'X86_CPUID_POLICY' | 'X86_MSR_POLICY' }>,
): RestoreFailure | undefined {
  const [octets, unit] = record.kind === 'X86_CPUID_POLICY' ? [record.leaves, LEAF_BYTES] : [record.entries, MSR_BYTES];
  if (octets.length > 0 && octets.length % unit === 0) return undefined;
  return { reason: `${record.kind} size ${octets.length} should be multiple of ${unit}` };
}
