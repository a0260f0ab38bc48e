import type { Actor } from '../../sim/index.ts';
import type { Call } from './call.ts';
import { domainType } from './device-add.ts';
import type { Rc } from './process.ts';

/** How long a guest may take to take a command. Source: libxl__domain_pvcontrol in tools/libs/light/libxl_domain.c. */
export const CONTROL_TIMEOUT_NS = 60_000_000_000;

/**
 * Ask a guest to power off or to reboot: it has taken the command when the node is empty, or gone (2.7). ERROR_TIMEDOUT: it has
 * not; the command stays where it is. ERROR_NOPARAVIRT: an HVM guest without PV drivers has nobody to read it.
 * Source: libxl_domain_shutdown, pvcontrol_cb in tools/libs/light/libxl_domain.c.
 */
export function* domainControl(
  call: Call,
  domid: number,
  command: 'poweroff' | 'reboot',
  hasPvDrivers: boolean,
): Actor<Rc> {
  if ((yield* domainType(call, domid)) === 'hvm' && !hasPvDrivers) return 'ERROR_NOPARAVIRT';
  const home = yield* call.dompath(domid);
  const path = `${home}/control/shutdown`;
  if ((yield* call.xs.write(path, command)).error !== undefined) return 'ERROR_FAIL';
  const taken = yield* call.xswait(path, CONTROL_TIMEOUT_NS, (value) =>
    value === undefined || value === '' ? true : undefined,
  );
  return taken.rc;
}

/** One letter; nobody says whether it was heard. Source: libxl_send_sysrq. */
export function* sendSysrq(call: Call, domid: number, letter: string): Actor<Rc> {
  const home = yield* call.dompath(domid);
  return (yield* call.xs.write(`${home}/control/sysrq`, letter)).error === undefined ? 0 : 'ERROR_FAIL';
}

/** Virtual time of the hypercalls that set a domain's limit and its populate-on-demand target. */
const HYPERCALLS_NS = 10_000;

/**
 * Tell a guest's balloon how much memory it may have, in kB with its video memory. ERROR_INVAL: more than static-max.
 * The hypercalls are made while the transaction is open. Source: libxl_set_memory_target in tools/libs/light/libxl_mem.c.
 */
export function* setMemoryTarget(call: Call, domid: number, targetKb: number): Actor<Rc> {
  const home = yield* call.dompath(domid);
  const { shared, os } = call.xl;
  return yield* call.transaction(
    function* (tx) {
      const target = yield* call.read(`${home}/memory/target`, tx);
      if (target === undefined || !/^\d+$/.test(target)) return 'ERROR_FAIL';
      const max = yield* call.read(`${home}/memory/static-max`, tx);
      if (max === undefined || !/^\d+$/.test(max)) return 'ERROR_FAIL';
      const video = Number.parseInt((yield* call.read(`${home}/memory/videoram`, tx)) ?? '0', 10) || 0;
      const wantedKb = targetKb - video;
      if (wantedKb > Number(max)) return 'ERROR_INVAL';
      yield HYPERCALLS_NS;
      yield* call.xs.write(`${home}/memory/target`, String(wantedKb), tx);
      const domain = os.machine.domain(domid);
      if (domain === undefined) return 'ERROR_FAIL';
      yield* call.xs.write(`/vm/${shared.handleOf(domain)}/memory`, String(Math.floor(wantedKb / 1024)), tx);
      return 0;
    },
    { startsUnchecked: true, endsUnchecked: true },
  );
}

/** Which of a guest's vCPUs are to be online: all below `online`. Source: libxl__set_vcpuonline_xenstore in libxl_domain.c. */
export function* setVcpus(call: Call, domid: number, online: number): Actor<Rc> {
  const info = call.xl.os.hyper.domctl.getDomainInfo(domid);
  if (!info.ok) return 'ERROR_DOMAIN_NOTFOUND';
  const vcpus = info.value.maxVcpuId + 1;
  if (online < 1 || online > vcpus) return 'ERROR_INVAL';
  const home = yield* call.dompath(domid);
  return yield* call.transaction(
    function* (tx) {
      for (let i = 0; i < vcpus; i++)
        yield* call.xs.write(`${home}/cpu/${i}/availability`, i < online ? 'online' : 'offline', tx);
      return 0;
    },
    { startsUnchecked: true },
  );
}
