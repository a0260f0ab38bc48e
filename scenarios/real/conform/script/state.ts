import { type Stream, Streams } from '../../../../sim/index.ts';
import { type OpName, XS } from '../../../../store/protocol/wire.ts';
import type { Action, MessageAction } from '../../../drive/script.ts';

export interface ScriptPlan {
  /** Decimal digits. */
  readonly seed: string;
  /** How many actions. */
  readonly count: number;
  /** For which daemon: 4.17 leaves out what only 4.22 answers in a defined way. */
  readonly compat: '4.17' | '4.22';
  /** Whether the store live-updates itself now and then. */
  readonly liveUpdates: boolean;
  /** Whether it does so unasked between any two actions. */
  readonly silentUpdates?: boolean;
  /** Which daemon judges; of an oxenstored, what it is known to do otherwise at once is left out. */
  readonly dialect?: 'c' | 'ocaml';
  /** Let in what that daemon is known to break on. */
  readonly all?: boolean;
}

/** What a domid that the script uses can be: its ring served, released by hand, not there, or beyond the script's reach. */
type DomainState = 'introduced' | 'released' | 'absent' | 'lost';

/** The domains that a script creates. */
export const DOMIDS = [1, 2, 3] as const;
/** The names of its sockets. */
export const SOCKETS = ['a', 'b'] as const;
/** Never created: permissions and requests may name it all the same. */
export const NOBODY = 9;

/** A script that comes to be: its actions so far, and what they have made of domains and connections. */
export class ScriptState {
  readonly plan: ScriptPlan;
  /** Each of its draws is a function that can be taken by itself. */
  readonly draw: Stream;
  readonly actions: Action[] = [];
  readonly domains = new Map<number, DomainState>(DOMIDS.map((domid) => [domid, 'absent']));
  readonly sockets = new Set<string>();
  /** Open transactions by connection: the names that `as` gave them. */
  readonly open = new Map<string, string[]>();
  readonly held = new Set<string>();
  /** Octets put into rings that consume nothing: the store may have left them there. */
  readonly unread = new Map<string, number>();
  /** The connection that is in the middle of a message. */
  busy: string | undefined;
  /** Stubdomains and their targets: releasing or destroying one leaves dangling pointers behind. */
  readonly pinned = new Set<number>();
  txCount = 0;
  rawReq = 1;

  constructor(plan: ScriptPlan) {
    this.plan = plan;
    const stream = new Streams(plan.seed).for('conform/script');
    this.draw = {
      bits: () => stream.bits(),
      below: (bound) => stream.below(bound),
      between: (min, max) => stream.between(min, max),
      oneIn: (n) => stream.oneIn(n),
      chance: (num, den) => stream.chance(num, den),
      pick: (items) => stream.pick(items),
    };
  }

  push(action: Action): void {
    this.actions.push(action);
  }

  openSocket(name: string): void {
    this.push({ kind: 'socket', name });
    this.sockets.add(name);
  }

  createDomain(domid: number): void {
    this.push({ kind: 'domain', domid });
    this.domains.set(domid, 'introduced');
  }

  introduced(): number[] {
    return DOMIDS.filter((domid) => this.domains.get(domid) === 'introduced');
  }

  /** Connections that answer: open sockets, served rings; not those that consume nothing. */
  usable(): string[] {
    return [...this.sockets, ...this.introduced().map(String)].filter((name) => this.isUsable(name));
  }

  isUsable(name: string): boolean {
    return !this.held.has(name) && name !== this.busy;
  }

  anyone(): string {
    const names = this.usable();
    if (names.length > 0) return this.draw.pick(names);
    return this.privileged();
  }

  /** A socket that answers; if there is none, one is freed or opened. */
  privileged(): string {
    const idle = SOCKETS.filter((one) => this.sockets.has(one) && !this.held.has(one) && one !== this.busy);
    if (idle.length > 0) return this.draw.pick(idle);
    const other = SOCKETS.find((one) => one !== this.busy)!;
    if (this.sockets.has(other)) this.free(other);
    else this.openSocket(other);
    return other;
  }

  /** Forget what the script knows of a connection that has ended or was reset. */
  forget(name: string): void {
    this.open.delete(name);
    if (this.held.has(name)) this.free(name);
  }

  free(name: string): void {
    this.held.delete(name);
    this.unread.delete(name);
    this.push({ kind: 'free', on: name });
  }

  send(on: string, op: OpName | number, payload: string, extra: { tx?: number | string; as?: string } = {}): void {
    this.push(request(on, op, payload, extra));
  }

  /** Mostly none, sometimes one of the connection's own, seldom one that it has not got. */
  someTx(on: string): number | string {
    const own = this.open.get(on) ?? [];
    if (own.length > 0 && this.draw.chance(2, 3)) return this.draw.pick(own);
    if (this.draw.oneIn(40)) return this.draw.pick([4242, 1, 'never-given', 0xffff_ffff]);
    return 0;
  }

  /** Whether what the daemon is known to break on is let in. */
  get all(): boolean {
    return this.plan.all === true;
  }

  get is422(): boolean {
    return this.plan.compat === '4.22';
  }

  /** Domids that a request may name. A 4.22 does not come back from a live update with a record of one not introduced. */
  nameable(): readonly number[] {
    const all = [0, ...DOMIDS, NOBODY];
    if (this.all || !this.is422 || !this.plan.liveUpdates) return all;
    return all.filter((domid) => this.domains.get(domid) !== 'released');
  }

  aRing(): string | undefined {
    const rings = this.introduced()
      .map(String)
      .filter((name) => this.isUsable(name));
    return rings.length > 0 ? this.draw.pick(rings) : undefined;
  }

  format(): string {
    return this.plan.compat === '4.17' ? 'v1' : 'v2';
  }
}

function request(
  on: string,
  op: OpName | number,
  payload: string,
  extra: { tx?: number | string; as?: string },
): MessageAction {
  const type = typeof op === 'number' ? op : XS[op];
  const base = { kind: 'message', on, op, type, payload: octetsOf(payload), tx: extra.tx ?? 0 } as const;
  return extra.as === undefined ? base : { ...base, as: extra.as };
}

export function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
