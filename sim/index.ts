export { type Actor, PARK, type Program } from './actor.ts';
export { checkFreed, checkMachine, MachineWatch } from './check.ts';
export {
  CONSOLE_CONNECTION,
  CONSOLE_IN,
  CONSOLE_OUT,
  putOctets,
  takeOctets,
  XENCONSOLE_CONNECTED,
  XENCONSOLE_DISCONNECTED,
} from './console-ring.ts';
export { Digest } from './digest.ts';
export { SHUTDOWN_REASONS, type ShutdownReason, type StartInfo } from './domain.ts';
export { type ContextOctets, decodeContext } from './domains/context-octets.ts';
export type { DomainConfig } from './domains/create.ts';
export { Domain } from './domains/domain.ts';
export { ForeignPages } from './domains/foreign-pages.ts';
export { decodeHvmContext } from './domains/hvm-context.ts';
export { HVM_PARAM } from './domains/hvm-params.ts';
export { DomainHypercalls } from './domains/hypercalls.ts';
export { hasStreamData, isKnownPageType, isPopulated, PAGE_TYPE } from './domains/page-types.ts';
export type { DirtyPages, LogDirtyOp, PagingHypercalls } from './domains/paging.ts';
export { PERMISSION } from './domains/permissions.ts';
export {
  DOMCAP_CONTROL,
  DOMCAP_HARDWARE,
  DOMCAP_XENSTORE,
  DOMSTATE_DEAD,
  DOMSTATE_DYING,
  DOMSTATE_EXIST,
  DOMSTATE_SHUTDOWN,
  type DomainState,
  XEN_DOMINF_blocked,
  XEN_DOMINF_dying,
  XEN_DOMINF_hvm_guest,
  XEN_DOMINF_paused,
  XEN_DOMINF_running,
  XEN_DOMINF_shutdown,
  XEN_DOMINF_shutdownshift,
  XEN_DOMINF_xs_domain,
} from './domains/queries.ts';
export { ERRNO, type Errno, type Result, XenError } from './errors.ts';
export type { CarriedChannel, CarriedPlace, CarriedPort, PortsImage } from './events/carry.ts';
export type { EdgeVerdict } from './events/context.ts';
export { EventFile } from './events/event-file.ts';
export { Events } from './events/events.ts';
export { VIRQ_DOM_EXC } from './events/virq.ts';
export {
  type CopyOp,
  GNTCOPY_dest_gref,
  GNTCOPY_source_gref,
  GNTMAP_application_map,
  GNTMAP_contains_pte,
  GNTMAP_device_map,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  type GrantStatus,
  GTF_accept_transfer,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_sub_page,
  GTF_transfer_committed,
  GTF_transfer_completed,
  GTF_transitive,
  GTF_writing,
  type MapResult,
  statusName,
  XENMAPIDX_grant_table_status,
} from './grants/abi.ts';
export type { CarriedFrame, GrantsImage } from './grants/carry.ts';
export { checkGrants } from './grants/check.ts';
export {
  acceptTransfer,
  endAccess,
  endAccessSteps,
  endTransfer,
  grantAccess,
  grantTransitive,
  isInUse,
  writableByOthers,
} from './grants/guest.ts';
export { loadFlags, loadStatus, storeFlags, type TableBytes } from './grants/layout.ts';
export type { MappedPage, PageAccess } from './grants/mapped-page.ts';
export { openTable } from './grants/open-table.ts';
export { STUBDOM_GRANT_LIMITS } from './grants/table.ts';
export { Hypercalls } from './hypercall.ts';
export {
  DOMID_ANY,
  DOMID_FIRST_RESERVED,
  DOMID_INVALID,
  DOMID_SELF,
  type Domid,
  type Gfn,
  GNTTAB_NR_RESERVED_ENTRIES,
  GNTTAB_RESERVED_CONSOLE,
  GNTTAB_RESERVED_XENSTORE,
  type Gref,
  type Handle,
  type Port,
} from './ids.ts';
export { BackRing, FrontRing, initIoRing } from './io-ring.ts';
export { type CutPlan, LAN, Link, type LinkDirection, type LinkTraits, PIPE_BYTES, WAN } from './link.ts';
export { Machine, type Resident } from './machine.ts';
export { Frame, type Memory, PAGE_BYTES, type StoreObserver } from './memory.ts';
export { type OctetChannel, type OctetReader, type OctetWriter, readExactly } from './octet-channel.ts';
export { decodePlatform, encodePlatform, type PlatformImage } from './platform-image.ts';
export { Devpts, Pty } from './pty.ts';
export { type Stream, Streams, shuffled } from './random.ts';
export {
  CONNECTION,
  copyOctets,
  ERROR,
  EVTCHN_PORT,
  FEATURE_DOMID_ANY,
  FEATURE_ERROR,
  FEATURE_WATCHDEPTH,
  REQ_AT,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  type RingWord,
  RSP_AT,
  RSP_CONS,
  RSP_PROD,
  readableChunk,
  SERVER_FEATURES,
  used,
  wordAt,
  writableChunk,
  XENSTORE_CONNECTED,
  XENSTORE_ERROR_COMM,
  XENSTORE_ERROR_PROTO,
  XENSTORE_ERROR_RINGIDX,
  XENSTORE_RECONNECT,
} from './ring.ts';
export type { StoreNews } from './store-news.ts';
export { type Jitter, NO_JITTER, Task } from './timeline.ts';
export type { DigestMarks, Trace, TraceEvent } from './trace.ts';
export { loneMachine, Universe } from './universe.ts';
export { Listener, UnixSocket } from './unix-socket.ts';
export { StoreBuffer, type StoreOrder } from './weak-memory.ts';
