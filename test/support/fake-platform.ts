import { copyOctets } from '../../sim/index.ts';
import { MemoryFiles } from '../../store/daemon/memory-files.ts';
import type {
  AppendFile,
  DomainState,
  Platform,
  PlatformResult,
  RingPage,
  Stream,
} from '../../store/daemon/platform.ts';

/** A ring page that nobody else touches. */
export class FakePage implements RingPage {
  readonly bytes = new Uint8Array(4096);
  readonly #view = new DataView(this.bytes.buffer);
  isMapped = true;

  load32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  store32(offset: number, value: number): void {
    this.#view.setUint32(offset, value >>> 0, true);
  }

  take(offset: number, into: Uint8Array, at: number, count: number): void {
    copyOctets(this.bytes, offset, into, at, count);
  }

  put(offset: number, from: Uint8Array, at: number, count: number): void {
    copyOctets(from, at, this.bytes, offset, count);
  }

  unmap(): void {
    this.isMapped = false;
  }
}

/** A socket's stream that carries nothing: requests are handed to the daemon directly. */
export class FakeStream implements Stream {
  readonly fd: number;
  isOpen = true;
  onReady: (() => void) | undefined = undefined;

  constructor(fd: number) {
    this.fd = fd;
  }

  readable(): number {
    return 0;
  }
  atEof(): boolean {
    return false;
  }
  hungUp(): boolean {
    return false;
  }
  writable(): number {
    return 0;
  }
  read(): number {
    return 0;
  }
  write(): number {
    return 0;
  }
  close(): void {
    this.isOpen = false;
  }
}

const ALIVE = { shutdown: false, dying: false, dead: false };

/** A machine that answers what it is told to answer. */
export class FakePlatform implements Platform {
  clockMs = 1_000_000;
  /** By how much the wall clock is ahead of the monotonic one, seconds. */
  wallOffset = 0;
  readonly domains = new Map<number, DomainState>();
  readonly pages = new Map<number, FakePage>();
  readonly changed = new Set<number>();
  /** Domids whose ring cannot be mapped, with the errno. */
  readonly mapErrno = new Map<number, string>();
  /** Domids whose port cannot be bound, with the errno. */
  readonly bindErrno = new Map<number, string>();
  readonly boundPorts = new Map<number, { readonly domid: number; readonly remotePort: number }>();
  readonly notified: number[] = [];
  readonly files = new Map<string, 'not-executable' | 'executable'>();
  readonly written = new MemoryFiles(new Map());
  #nextPort = 20;
  #nextUniqueId = 1n;

  constructor() {
    this.createDomain(0);
  }

  createDomain(domid: number): void {
    this.domains.set(domid, { ...ALIVE, uniqueId: this.#nextUniqueId++ });
    this.pages.set(domid, new FakePage());
  }

  /** Change what the hypervisor says of a domain, and note that it changed. */
  change(domid: number, state: Partial<DomainState> | 'gone'): void {
    this.changed.add(domid);
    const before = this.domains.get(domid);
    if (state === 'gone') this.domains.delete(domid);
    else if (before !== undefined) this.domains.set(domid, { ...before, ...state });
  }

  wallSecond(): number {
    return Math.floor(this.clockMs / 1000) + this.wallOffset;
  }

  lacksMemory(): boolean {
    return false;
  }

  nowMs(): number {
    return this.clockMs;
  }

  domainState(domid: number): DomainState | undefined {
    return this.domains.get(domid);
  }

  popChangedDomain(): { readonly domid: number; readonly state: DomainState | undefined } | undefined {
    if (this.changed.size === 0) return undefined;
    const domid = Math.min(...this.changed);
    this.changed.delete(domid);
    return { domid, state: this.domains.get(domid) };
  }

  mapRing(domid: number): PlatformResult<RingPage> {
    const errno = this.mapErrno.get(domid);
    const page = this.pages.get(domid);
    if (errno !== undefined || page === undefined) return { ok: false, errno: errno ?? 'EINVAL' };
    page.isMapped = true;
    return { ok: true, value: page };
  }

  bindPort(domid: number, remotePort: number): PlatformResult<number> {
    const errno = this.bindErrno.get(domid);
    if (errno !== undefined) return { ok: false, errno };
    const port = this.#nextPort++;
    this.boundPorts.set(port, { domid, remotePort });
    return { ok: true, value: port };
  }

  unbindPort(port: number): void {
    this.boundPorts.delete(port);
  }

  notify(port: number): void {
    this.notified.push(port);
  }

  fileMode(path: string): 'absent' | 'not-executable' | 'executable' {
    return this.files.get(path) ?? 'absent';
  }

  appendTo(path: string): AppendFile | undefined {
    return this.written.appendTo(path);
  }

  writeFile(path: string, octets: Uint8Array): boolean {
    return this.written.write(path, octets);
  }

  readFile(path: string): Uint8Array | undefined {
    return this.written.read(path);
  }

  remotePortOf(): number | undefined {
    return undefined;
  }
}
