import type { Actor, Domain, Gfn, Port } from '../../sim/index.ts';
import type { KeyValues } from '../xenstore/index.ts';
import type { Call } from './call.ts';
import { type DomainPlan, MEMORY_KB } from './domain-config.ts';
import type { Rc } from './process.ts';

const NS_PER_S = 1_000_000_000;

/** Transaction A: the guest's tree, in libxl's order. Source: libxl__domain_make in tools/libs/light/libxl_create.c. */
export function* writeTree(call: Call, domid: number, uuid: string, plan: DomainPlan): Actor<Rc> {
  const { xs } = call;
  const type = plan.type ?? 'pvh';
  const home = yield* call.dompath(domid);
  const vm = `/vm/${uuid}`;
  const libxl = `/libxl/${domid}`;
  const none = ['n0'];
  const ro = ['n0', `r${domid}`];
  const rw = [`n${domid}`];
  const nodes = (names: readonly string[], perms: readonly string[], tx: number) =>
    mknods(call, home, names, perms, tx);
  const rc = yield* call.transaction(
    function* (tx) {
      for (const [path, perms] of [
        [home, ro],
        [vm, ro],
        [libxl, none],
      ] as const) {
        yield* xs.rm(path, tx);
        yield* call.mknod(path, perms, tx);
      }
      yield* call.mknod(`${libxl}/device`, none, tx);
      yield* xs.write(`${home}/vm`, vm, tx);
      const renamed = yield* rename(call, domid, uuid, plan.name, tx);
      if (renamed !== 0) return renamed;
      yield* nodes(['cpu', 'memory', 'device'], ro, tx);
      yield* nodes(['device/suspend/event-channel'], rw, tx);
      yield* nodes(['control', ...(type === 'hvm' ? ['hvmloader'] : [])], ro, tx);
      const sleeps = type === 'hvm' ? ['control/feature-s3', 'control/feature-s4'] : [];
      yield* nodes(['control/shutdown', 'control/feature-poweroff', 'control/feature-reboot'], rw, tx);
      yield* nodes(['control/feature-suspend', ...sleeps, 'control/sysrq'], rw, tx);
      yield* nodes(['data', 'drivers', 'feature', 'attr', 'error'], rw, tx);
      if (plan.isDriverDomain === true) yield* nodes(['libxl', 'device-model'], rw, tx);
      yield* xs.write(`${vm}/uuid`, uuid, tx);
      yield* xs.write(`${vm}/name`, plan.name, tx);
      yield* call.writev(home, plan.xsdata ?? [], tx);
      yield* call.writev(`${home}/platform`, plan.platform ?? [], tx);
      yield* xs.write(`${home}/control/platform-feature-multiprocessor-suspend`, '1', tx);
      yield* xs.write(`${home}/control/platform-feature-xs_reset_watches`, '1', tx);
      yield* xs.write(`${libxl}/type`, type, tx);
      return 0;
    },
    { startsUnchecked: true },
  );
  const uniqueId = call.xl.os.machine.domain(domid)?.uniqueId;
  if (rc === 0 && uniqueId !== undefined)
    call.xl.observer?.note({ what: 'made', domid, uniqueId, name: plan.name, uuid });
  return rc;
}

function* mknods(call: Call, home: string, names: readonly string[], perms: readonly string[], tx: number): Actor {
  for (const name of names) yield* call.mknod(`${home}/${name}`, perms, tx);
}

/**
 * Give a domain its name, which no other has: the names of all domains are looked at, outside of the transaction.
 * Source: libxl__domain_rename in libxl_domain.c, libxl_name_to_domid in libxl_utils.c.
 */
function* rename(call: Call, domid: number, uuid: string, name: string, tx: number, oldName?: string): Actor<Rc> {
  yield* stubdomToRename(call, domid);
  return yield* renameIn(call, domid, uuid, name, tx, oldName);
}

/** There is none. Source: libxl_get_stubdom_id in libxl_utils.c. */
function* stubdomToRename(call: Call, domid: number): Actor {
  const home = yield* call.dompath(domid);
  yield* call.dompath(domid);
  yield* call.read(`${home}/image/device-model-domid`);
}

/**
 * Give a domain that is there another name, in a transaction of its own: refused if it has not the old one any more, or if
 * another has the new one, for which the names of all are looked at outside of the transaction.
 * Source: libxl__domain_rename in libxl_domain.c.
 */
export function* domainRename(
  call: Call,
  domid: number,
  names: { readonly old: string; readonly new: string; readonly uuid: string },
): Actor<Rc> {
  yield* stubdomToRename(call, domid);
  return yield* call.transaction((tx) => renameIn(call, domid, names.uuid, names.new, tx, names.old));
}

function* renameIn(call: Call, domid: number, uuid: string, name: string, tx: number, oldName?: string): Actor<Rc> {
  const home = `/local/domain/${domid}`;
  const all = call.xl.os.hyper.domctl.getDomainInfoList(0, DOMAINS_MAX);
  for (const other of all.ok ? all.value : []) {
    if ((yield* call.read(`/local/domain/${other.domid}/name`)) !== name) continue;
    if (other.domid !== domid) return 'ERROR_INVAL';
    break;
  }
  if (oldName !== undefined && (yield* call.read(`${home}/name`, tx)) !== oldName) return 'ERROR_FAIL';
  if ((yield* call.xs.write(`${home}/name`, name, tx)).error !== undefined) return 'ERROR_FAIL';
  if ((yield* call.xs.write(`/vm/${uuid}/name`, name, tx)).error !== undefined) return 'ERROR_FAIL';
  return 0;
}

/**
 * Keep a domain under another name and uuid, so that one like it can be made. Its handle stays as it was, and /vm of that
 * gets the new name. Source: libxl_domain_preserve in tools/libs/light/libxl_domain.c.
 */
export function* preserve(
  call: Call,
  domid: number,
  names: { readonly old: string; readonly preserved: string; readonly uuid: string; readonly handle: string },
): Actor<Rc> {
  const { xs } = call;
  const home = yield* call.dompath(domid);
  const vm = `/vm/${names.uuid}`;
  return yield* call.transaction(
    function* (tx) {
      yield* xs.rm(vm, tx);
      yield* xs.mkdir(vm, tx);
      yield* xs.setPerms(vm, ['n0', `r${domid}`], tx);
      yield* xs.write(`${home}/vm`, vm, tx);
      const renamed = yield* rename(call, domid, names.handle, names.preserved, tx, names.old);
      if (renamed !== 0) return renamed;
      yield* xs.write(`${vm}/uuid`, names.uuid, tx);
      return 0;
    },
    { startsUnchecked: true, endsUnchecked: true },
  );
}

/** More domains than there can be. */
const DOMAINS_MAX = 0x8000;

/**
 * Transaction B: what was not known before the domain was built. A commit that fails is not noticed, but for EAGAIN (TS-9).
 * Source: libxl__build_post in tools/libs/light/libxl_dom.c, libxl__domain_build in libxl_create.c.
 */
export function* writeBuilt(
  call: Call,
  built: { readonly domain: Domain; readonly gfn: Gfn; readonly port: Port },
  plan: DomainPlan,
): Actor {
  const { domid } = built.domain;
  const { vcpus = 1, vcpusOnline = vcpus, memoryKb = MEMORY_KB, videoKb = 0 } = plan;
  const home = yield* call.dompath(domid);
  const vm = yield* call.read(`${home}/vm`);
  const keys: KeyValues = [
    ['memory/static-max', String(memoryKb)],
    ['memory/target', String((plan.targetKb ?? memoryKb) - videoKb)],
    ['memory/videoram', String(videoKb)],
    ['domid', String(domid)],
    ['store/port', String(built.port)],
    ['store/ring-ref', String(built.gfn)],
    ...Array.from({ length: vcpus }, (_, i): readonly [string, string] => [
      `cpu/${i}/availability`,
      i < vcpusOnline ? 'online' : 'offline',
    ]),
  ];
  const { local, ofVm } = extras(plan, call.nowNs);
  yield* call.transaction(
    function* (tx) {
      yield* call.writev(home, keys, tx);
      yield* call.writev(home, local, tx);
      if (vm !== undefined) yield* call.writev(vm, ofVm, tx);
      return 0;
    },
    { startsUnchecked: true },
  ); // what it says is not looked at
}

/** Keys that depend on the kind of guest. */
function extras(plan: DomainPlan, nowNs: number): { readonly local: KeyValues; readonly ofVm: KeyValues } {
  const hundredths = Math.floor((nowNs % NS_PER_S) / 10_000_000);
  const startTime = ['start_time', `${Math.floor(nowNs / NS_PER_S)}.${String(hundredths).padStart(2, '0')}`] as const;
  switch (plan.type ?? 'pvh') {
    case 'pvh':
      return { local: [], ofVm: [startTime] };
    case 'pv':
      return {
        local: [],
        ofVm: [
          ['image/ostype', 'linux'],
          ['image/kernel', plan.kernel ?? '/boot/vmlinuz'],
          startTime,
          ...(plan.cmdline === undefined ? [] : [['image/cmdline', plan.cmdline] as const]),
        ],
      };
    case 'hvm':
      return {
        local: [
          ['platform/acpi', '1'],
          ['platform/acpi_s3', '1'],
          ['platform/acpi_s4', '1'],
          ['platform/acpi_laptop_slate', '0'],
          ['platform/device-model', 'qemu_xen'],
        ],
        ofVm: [['rtc/timeoffset', ''], ['image/ostype', 'hvm'], startTime],
      };
  }
}
