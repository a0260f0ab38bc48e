/**
 * What the daemon asks of the machine it runs on: clock, hypervisor, rings, ports, sockets, files.
 * The real daemon gets these from libxenevtchn, libxengnttab, libxenctrl and the kernel; the simulator answers them
 * through hypercalls of the store domain (store/daemon/sim-platform.ts), tests through fakes.
 */

/** Bits of XEN_DOMCTL_get_domain_state. Source: xen/include/public/domctl.h. */
export interface DomainState {
  readonly shutdown: boolean;
  readonly dying: boolean;
  readonly dead: boolean;
  /** Never-reused identity of the domain instance; 0n only where the hypervisor reports nothing. */
  readonly uniqueId: bigint;
}

export type PlatformResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errno: string };

/** A guest's xenstore ring page, mapped read-write through its grant reference 1. */
export interface RingPage {
  /** Number of the guest's frame, where it is known. */
  readonly gfn?: number;
  /** Copy `count` octets from `offset` of the frame on. The guest shares it: any of them can change at any time. */
  take(offset: number, into: Uint8Array, at: number, count: number): void;
  /** Copy `count` octets into the frame, from `offset` on. */
  put(offset: number, from: Uint8Array, at: number, count: number): void;
  /** One single-copy atomic load of a 32-bit word at a 4-aligned offset; unsigned. */
  load32(offset: number): number;
  /** One single-copy atomic store of a 32-bit word. */
  store32(offset: number, value: number): void;
  /** Drop the mapping (GNTTABOP_unmap_grant_ref). */
  unmap(): void;
}

/** One accepted connection of the daemon's unix socket: a byte stream without boundaries. */
export interface Stream {
  /** The number that stands for the file descriptor in a state image. */
  readonly fd: number;
  /** Octets that can be read now; 0 does not mean end of file. */
  readable(): number;
  /** True once the peer has shut down its sending side and everything it sent was read. */
  atEof(): boolean;
  /** True once the peer is gone altogether (POLLHUP): what is unread is never read. */
  hungUp(): boolean;
  /** Octets that can be written now without blocking. */
  writable(): number;
  /** Copy at most `max` octets to `into` at `at`; the count copied. */
  read(into: Uint8Array, at: number, max: number): number;
  /** Copy at most `max` octets from `from` at `at`; the count taken. */
  write(from: Uint8Array, at: number, max: number): number;
  close(): void;
  /** Called when something changed for the daemon: octets came, room came, or the peer went. */
  onReady: (() => void) | undefined;
}

/** The file system as the daemon's process sees it. */
export interface Files {
  /** What can be found under a path, as far as `live-update -f` asks. */
  get(path: string): 'not-executable' | 'executable' | undefined;
  /** Open a file for appending, made if it is not there; `undefined`: that cannot be. */
  appendTo(path: string): AppendFile | undefined;
  /** Write a whole file, anew. False: that cannot be. */
  write(path: string, octets: Uint8Array): boolean;
  /** All octets of a file; `undefined`: there is none, or it cannot be read. */
  read(path: string): Uint8Array | undefined;
}

/** A file that is open for appending. */
export interface AppendFile {
  /** Append a text of one octet per character. What cannot be written is lost in silence, as by the daemon. */
  write(text: string): void;
  close(): void;
}

export interface Platform {
  /** Monotonic clock, whole milliseconds. */
  nowMs(): number;
  /** Wall clock, whole seconds: live updates and the ages of transactions are timed by it, and it may jump. */
  wallSecond(): number;
  /** Whether the process has no memory for what a request of this domain needs. */
  lacksMemory(domid: number): boolean;
  /** What the hypervisor knows of a domain; `undefined`: no such domain (ESRCH). */
  domainState(domid: number): DomainState | undefined;
  /** Pop the lowest changed domain of XEN_DOMCTL_get_domain_state(DOMID_INVALID); `undefined`: no more (ENOENT).
   *  A popped domid whose domain is gone comes with `state` undefined. */
  popChangedDomain(): { readonly domid: number; readonly state: DomainState | undefined } | undefined;
  /** Map grant 1 of `domid`; `touched` is called whenever somebody else stores to an index word of the page. */
  mapRing(domid: number, touched: () => void): PlatformResult<RingPage>;
  /** EVTCHNOP_bind_interdomain to the guest's port; the local port. @param goesOn the ring is served all the same if it fails. */
  bindPort(domid: number, remotePort: number, goesOn?: boolean): PlatformResult<number>;
  unbindPort(port: number): void;
  /** EVTCHNOP_send; a vanished peer is silent. */
  notify(port: number): void;
  /** Whether a file could be executed, for `live-update -f`. */
  fileMode(path: string): 'absent' | 'not-executable' | 'executable';
  /** Open a file for appending, made if it is not there; `undefined`: that cannot be. */
  appendTo(path: string): AppendFile | undefined;
  /** Write a whole file, anew. False: that cannot be. */
  writeFile(path: string, octets: Uint8Array): boolean;
  /** All octets of a file; `undefined`: there is none, or it cannot be read. */
  readFile(path: string): Uint8Array | undefined;
  /** The guest's end of a bound port. */
  remotePortOf(port: number): number | undefined;
}
