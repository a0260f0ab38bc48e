/** A second opinion on event channels: sets and lists instead of words in pages, one vCPU, handlers that clear first. */

type State =
  | { readonly kind: 'unbound'; readonly to: number }
  | { readonly kind: 'interdomain'; readonly domid: number; readonly port: number }
  | { readonly kind: 'virq'; readonly virq: number }
  | { readonly kind: 'ipi' };

const DEFAULT_PRIORITY = 7;

class ModelDomain {
  readonly ports = new Map<number, State>();
  readonly limit: number;
  valid = 64;
  isPaused = false;
  isFifo = false;
  /** A freshly opened port without its handler. */
  deaf = 0;
  flag = false;
  bits = { pending: new Set<number>(), masked: new Set<number>(), selected: new Set<number>() };
  fifo = { pending: new Set<number>(), masked: new Set<number>(), linked: new Set<number>() };
  queues = new Map<number, number[]>();
  readonly saved = new Set<number>();
  readonly priority = new Map<number, number>();
  readonly log: number[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  get words() {
    return this.isFifo ? this.fifo : this.bits;
  }

  free(): number | 'ENOSPC' {
    for (let port = 1; port <= this.limit; port++)
      if (!this.ports.has(port) && !(this.isFifo && this.fifo.linked.has(port))) return port;
    return 'ENOSPC';
  }

  open(port: number, state: State): void {
    while (port >= this.valid) this.valid += 64;
    this.ports.set(port, state);
    if (this.isFifo) this.priority.set(port, DEFAULT_PRIORITY);
  }

  raise(port: number): void {
    const { pending, masked } = this.words;
    const was = pending.has(port);
    pending.add(port);
    if (this.isFifo) {
      if (masked.has(port) || this.fifo.linked.has(port)) return;
      this.fifo.linked.add(port);
      const priority = this.priority.get(port) ?? DEFAULT_PRIORITY;
      this.queues.set(priority, [...(this.queues.get(priority) ?? []), port]);
      this.mark();
    } else if (!was && !masked.has(port)) this.select(port);
  }

  select(port: number): void {
    const { selected } = this.bits;
    if (selected.has(port >> 6)) return;
    selected.add(port >> 6);
    this.mark();
  }

  mark(): void {
    this.flag = true;
    if (!this.isPaused) this.drain();
  }

  drain(): void {
    this.flag = false;
    if (this.isFifo) {
      for (const priority of [...this.queues.keys()].sort((a, b) => a - b)) {
        for (const port of this.queues.get(priority) ?? []) {
          this.fifo.linked.delete(port);
          this.serve(port);
        }
        this.queues.delete(priority);
      }
      return;
    }
    const words = [...this.bits.selected];
    this.bits.selected.clear();
    for (const port of [...this.bits.pending].sort((a, b) => a - b)) if (words.includes(port >> 6)) this.serve(port);
  }

  serve(port: number): void {
    const { pending, masked } = this.words;
    if (!pending.has(port) || masked.has(port) || !this.ports.has(port) || port === this.deaf) return;
    pending.delete(port);
    this.log.push(port);
  }

  unmask(port: number): void {
    const { pending, masked } = this.words;
    const was = masked.delete(port);
    if (!pending.has(port)) return;
    if (this.isFifo) this.raise(port);
    else if (was) this.select(port);
  }

  /** The test installs its handler as soon as the port is open. */
  listen(port: number): void {
    this.deaf = 0;
    const { pending, masked } = this.words;
    if (!pending.has(port) || masked.has(port)) return;
    if (!this.isPaused) this.serve(port);
    else {
      masked.add(port);
      this.unmask(port);
    }
  }
}

/** Three domains: 0 has control of the others. Calls answer a number, or an errno. */
export class Model {
  readonly domains: readonly ModelDomain[];

  constructor(limit: number) {
    this.domains = [0, 1, 2].map(() => new ModelDomain(limit));
  }

  of(domid: number): ModelDomain {
    return this.domains[domid] as ModelDomain;
  }

  alloc(caller: number, owner: number, to: number): number | string {
    const d = this.of(owner);
    const port = d.free();
    if (port === 'ENOSPC') return port;
    if (caller !== owner && caller !== 0) return 'EPERM';
    return this.#opened(d, port, { kind: 'unbound', to });
  }

  bind(caller: number, domid: number, remotePort: number): number | string {
    const d = this.of(caller);
    const port = d.free();
    if (port === 'ENOSPC') return port;
    const peer = this.of(domid).ports.get(remotePort);
    if (peer?.kind !== 'unbound' || peer.to !== caller) return 'EINVAL';
    d.open(port, { kind: 'interdomain', domid, port: remotePort });
    this.of(domid).ports.set(remotePort, { kind: 'interdomain', domid: caller, port });
    d.deaf = port;
    d.raise(port);
    d.listen(port);
    return port;
  }

  virq(caller: number, virq: number): number | string {
    const d = this.of(caller);
    if (virq > 23) return 'EINVAL';
    if (![0, 1, 7, 11, 13].includes(virq) && caller !== 0) return 'EBUSY';
    for (const state of d.ports.values()) if (state.kind === 'virq' && state.virq === virq) return 'EEXIST';
    const port = d.free();
    return port === 'ENOSPC' ? port : this.#opened(d, port, { kind: 'virq', virq });
  }

  ipi(caller: number): number | string {
    const port = this.of(caller).free();
    return port === 'ENOSPC' ? port : this.#opened(this.of(caller), port, { kind: 'ipi' });
  }

  #opened(d: ModelDomain, port: number, state: State): number {
    d.open(port, state);
    d.listen(port);
    return port;
  }

  close(caller: number, port: number): number | string {
    const d = this.of(caller);
    const state = d.ports.get(port);
    if (state === undefined) return 'EINVAL';
    d.ports.delete(port);
    d.words.pending.delete(port);
    if (state.kind === 'interdomain') this.of(state.domid).ports.set(state.port, { kind: 'unbound', to: caller });
    return 0;
  }

  send(caller: number, port: number): number | string {
    const state = this.of(caller).ports.get(port);
    if (state === undefined || state.kind === 'virq') return 'EINVAL';
    if (state.kind === 'interdomain') this.of(state.domid).raise(state.port);
    if (state.kind === 'ipi') this.of(caller).raise(port);
    return 0;
  }

  unmask(caller: number, port: number): number | string {
    const d = this.of(caller);
    if (port >= d.valid) return 'EINVAL';
    if (d.ports.has(port)) d.unmask(port);
    return 0;
  }

  priority(caller: number, port: number, priority: number): number | string {
    const d = this.of(caller);
    if (port >= d.valid) return 'EINVAL';
    if (!d.isFifo) return 'ENOSYS';
    if (!d.ports.has(port)) return 'EACCES';
    if (priority > 15) return 'EINVAL';
    d.priority.set(port, priority);
    return 0;
  }

  status(caller: number, owner: number, port: number): string {
    const d = this.of(owner);
    if (port >= d.valid) return 'EINVAL';
    if (caller !== owner && caller !== 0) return 'EPERM';
    return d.ports.get(port)?.kind ?? 'closed';
  }

  reset(caller: number): number {
    const d = this.of(caller);
    for (const port of [...d.ports.keys()].sort((a, b) => a - b)) this.close(caller, port);
    d.isFifo = false;
    return 0;
  }

  /** init_control and one array page in one go. */
  toFifo(caller: number): number | string {
    const d = this.of(caller);
    if (d.isFifo) return 'EINVAL';
    for (const port of d.bits.pending) if (port < d.valid) d.saved.add(port);
    d.priority.clear();
    d.isFifo = true;
    d.fifo = { pending: new Set(), masked: new Set(), linked: new Set() };
    d.queues = new Map();
    for (const port of [...d.saved].sort((a, b) => a - b)) d.raise(port);
    return 0;
  }

  pause(domid: number, isPaused: boolean): number {
    const d = this.of(domid);
    d.isPaused = isPaused;
    if (!isPaused && d.flag) d.drain();
    return 0;
  }
}
