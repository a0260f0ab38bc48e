export { Digest } from './digest.ts';
export { Domain, SHUTDOWN_REASONS, type ShutdownReason } from './domain.ts';
export { assert, ERRNO, type Errno, fail, type Result, XenError } from './errors.ts';
export type { EdgeOutcome } from './events/abi.ts';
export { checkEvents } from './events/check.ts';
export { EventFile } from './events/event-file.ts';
export type { EdgeVerdict, EventFaults, KickVerdict } from './events/faults.ts';
export { Events, type PortStatus } from './events/hub.ts';
export { EventHypercalls } from './events/hypercalls.ts';
export { type Channel, EventChannels, MAX_PORT_DEFAULT } from './events/ports.ts';
export { Receiver, type Service } from './events/receive.ts';
export { VIRQ_DOM_EXC } from './events/virq.ts';
export {
  GNTMAP_host_map,
  GNTST,
  type GrantStatus,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_writing,
} from './grant-table.ts';
export { Hypercalls } from './hypercall.ts';
export {
  DOMID_ANY,
  DOMID_FIRST_RESERVED,
  DOMID_INVALID,
  DOMID_SELF,
  type Domid,
  type Gfn,
  GNTTAB_NR_RESERVED_ENTRIES,
  GNTTAB_RESERVED_XENSTORE,
  type Gref,
  type Handle,
  type Port,
} from './ids.ts';
export { type DomainInfo, Machine, type MachineOptions } from './machine.ts';
export { Frame, Memory, PAGE_BYTES } from './memory.ts';
export { type Stream, Streams } from './random.ts';
export {
  CONNECTION,
  copyOctets,
  ERROR,
  EVTCHN_PORT,
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
} from './ring.ts';
export { type Actor, type Jitter, NO_JITTER, PARK, Scheduler, type Step, Task } from './scheduler.ts';
export { type LifeStep, Trace, type TraceEvent } from './trace.ts';
export { Listener, UnixSocket } from './unix-socket.ts';
