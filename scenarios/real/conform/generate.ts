import { RING_BYTES, type Stream, Streams } from '../../../sim/index.ts';
import { message, type OpName, XS } from '../../../store/protocol/wire.ts';
import { type Action, type MessageAction, RING_GFN, RING_PORT, SHUTDOWN_REASONS } from '../../drive/script.ts';

/**
 * Random traffic scripts that a real daemon survives. What makes one crash, read freed memory or answer with a left-over
 * errno is kept out: the comment at each such place says what. The same seed gives the same script for ever.
 */
export interface ScriptPlan {
  /** Decimal digits. */
  readonly seed: string;
  /** How many actions. */
  readonly count: number;
  /** For which daemon: 4.17 leaves out what only 4.22 answers in a defined way. */
  readonly compat: '4.17' | '4.22';
  /** Whether the store live-updates itself now and then. */
  readonly liveUpdates: boolean;
  /** Which daemon judges; of an oxenstored, what it is known to do otherwise at once is left out. */
  readonly dialect?: 'c' | 'ocaml';
}

/** What a domid that the script uses can be: its ring served, released by hand, not there, or beyond the script's reach. */
type DomainState = 'introduced' | 'released' | 'absent' | 'lost';

const DOMIDS = [1, 2, 3] as const;
const SOCKETS = ['a', 'b'] as const;
/** Never created: permissions and requests may name it all the same. */
const NOBODY = 9;
const QUOTAS_422 = [
  'nodes',
  'watches',
  'outstanding',
  'transactions',
  'transaction-nodes',
  'node-permissions',
  'path-max',
  'node-size',
] as const;
const CONTROLS_422 = [
  'log',
  'log\0+wrl',
  'log\0-acc',
  'log\0+x',
  'quota\0max',
  'quota\0max\0-r',
  'quota\0max\0-x',
  'quota\x000\0x',
  'quota-soft\0set\0memory\x00100000',
  'quota-soft\0x',
] as const;
const TOKENS = ['t', 'u', '', 'a token with spaces', 't/\xe9\x01'] as const;
const SPECIALS = ['@releaseDomain', '@introduceDomain', '/', '@other', '@'] as const;
const SPECIALS_422 = [
  ...SPECIALS,
  '@releaseDomain/1',
  '@releaseDomain/2',
  '@introduceDomain/3',
  '@introduceDomain/0',
  '@releaseDomain/x',
  '@releaseDomain/',
] as const;
const NAMES = ['a', 'b', 'c', 'data', 'x-1', 'Y_2', 'z@', '0'] as const;

export function generateScript(plan: ScriptPlan): readonly Action[] {
  const script = new Writer(plan).write();
  return plan.dialect === 'ocaml' ? script.map(withBody).filter(isForOcaml) : script;
}

/** An oxenstored does not see a message without a body until the next one comes. */
function withBody(action: Action): Action {
  const isEmpty = action.kind === 'message' && action.payload.length === 0;
  return isEmpty && action.op === 'TRANSACTION_START' ? { ...action, payload: new Uint8Array(1) } : action;
}

/** Leaves out what would part an oxenstored from ours in the first lines already (docs/daemons.md). */
function isForOcaml(action: Action): boolean {
  if (action.kind !== 'message') return true;
  const { op, payload } = action;
  if (typeof op === 'number' || op === 'DIRECTORY_PART' || op === 'CONTROL' || op === 'SET_TARGET') return false;
  if (op === 'INTRODUCE' || op === 'RELEASE' || op === 'RESUME') return false;
  if (payload.length === 0 || payload.length > 1900) return false;
  return op === 'WRITE' || payload.at(-1) === 0;
}

class Writer {
  readonly #plan: ScriptPlan;
  readonly #draw: Stream;
  readonly #actions: Action[] = [];
  readonly #domains = new Map<number, DomainState>(DOMIDS.map((domid) => [domid, 'absent']));
  readonly #sockets = new Set<string>();
  /** Open transactions by connection: the names that `as` gave them. */
  readonly #open = new Map<string, string[]>();
  readonly #held = new Set<string>();
  /** Octets put into rings that consume nothing: the store may have left them there. */
  readonly #unread = new Map<string, number>();
  /** The connection that is in the middle of a message. */
  #busy: string | undefined;
  /** Stubdomains and their targets: releasing or destroying one leaves dangling pointers behind. */
  readonly #pinned = new Set<number>();
  #txCount = 0;
  #rawReq = 1;

  constructor(plan: ScriptPlan) {
    this.#plan = plan;
    this.#draw = new Streams(plan.seed).for('conform/script');
  }

  write(): readonly Action[] {
    for (const name of SOCKETS) this.#openSocket(name);
    for (const domid of DOMIDS) this.#createDomain(domid);
    while (this.#actions.length < this.#plan.count) this.#one();
    return this.#actions.slice(0, this.#plan.count);
  }

  // The mix -----------------------------------------------------------------------------------------------------------

  #one(): void {
    const roll = this.#draw.below(1000);
    if (roll < 560) this.#treeRequest();
    else if (roll < 690) this.#watchRequest();
    else if (roll < 830) this.#transactionRequest();
    else if (roll < 865) this.#domainRequest();
    else if (roll < 890) this.#oddRequest();
    else if (roll < 905) this.#controlRequest();
    else if (roll < 930) this.#raw();
    else if (roll < 950) this.#hold();
    else if (roll < 970) this.#lifeAndDeath();
    else if (roll < 978) this.#burst();
    else if (roll < 984) this.#breakProtocol();
    else if (roll < 990) this.#reconnect();
    else if (this.#plan.liveUpdates) this.#liveUpdate();
  }

  // Connections -------------------------------------------------------------------------------------------------------

  #push(action: Action): void {
    this.#actions.push(action);
  }

  #openSocket(name: string): void {
    this.#push({ kind: 'socket', name });
    this.#sockets.add(name);
  }

  #createDomain(domid: number): void {
    this.#push({ kind: 'domain', domid });
    this.#domains.set(domid, 'introduced');
  }

  #introduced(): number[] {
    return DOMIDS.filter((domid) => this.#domains.get(domid) === 'introduced');
  }

  /** Connections that answer: open sockets, served rings; not those that consume nothing. */
  #usable(): string[] {
    return [...this.#sockets, ...this.#introduced().map(String)].filter((name) => this.#isUsable(name));
  }

  #isUsable(name: string): boolean {
    return !this.#held.has(name) && name !== this.#busy;
  }

  #anyone(): string {
    const names = this.#usable();
    if (names.length > 0) return this.#draw.pick(names);
    return this.#privileged();
  }

  /** A socket that answers; if there is none, one is freed or opened. */
  #privileged(): string {
    const idle = SOCKETS.filter((one) => this.#sockets.has(one) && !this.#held.has(one) && one !== this.#busy);
    if (idle.length > 0) return this.#draw.pick(idle);
    const other = SOCKETS.find((one) => one !== this.#busy)!;
    if (this.#sockets.has(other)) this.#free(other);
    else this.#openSocket(other);
    return other;
  }

  /** Forget what the script knows of a connection that has ended or was reset. */
  #forget(name: string): void {
    this.#open.delete(name);
    if (this.#held.has(name)) this.#free(name);
  }

  #free(name: string): void {
    this.#held.delete(name);
    this.#unread.delete(name);
    this.#push({ kind: 'free', on: name });
  }

  // Requests ----------------------------------------------------------------------------------------------------------

  #send(on: string, op: OpName | number, payload: string, extra: { tx?: number | string; as?: string } = {}): void {
    this.#push(request(on, op, payload, extra));
  }

  /** Mostly none, sometimes one of the connection's own, seldom one that it has not got. */
  #someTx(on: string): number | string {
    const own = this.#open.get(on) ?? [];
    if (own.length > 0 && this.#draw.chance(2, 3)) return this.#draw.pick(own);
    if (this.#draw.oneIn(40)) return this.#draw.pick([4242, 1, 'never-given', 0xffff_ffff]);
    return 0;
  }

  #treeRequest(): void {
    const on = this.#anyone();
    const tx = this.#someTx(on);
    const path = this.#path(on);
    switch (this.#draw.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#send(on, 'WRITE', `${path}\0${this.#value(on)}`, { tx });
      case 4:
      case 5:
        return this.#send(on, 'MKDIR', `${path}\0`, { tx });
      case 6:
      case 7:
        return this.#send(on, 'RM', `${path}\0`, { tx });
      case 8:
      case 9:
        return this.#send(on, 'READ', `${path}\0`, { tx });
      case 10:
        return this.#send(on, 'DIRECTORY', `${path}\0`, { tx });
      case 11:
      case 12: {
        const offset = this.#draw.pick(['0', '0', '0', '1', '2', '5', '-1', '4000', '007', 'x', ' 3']);
        const tail = this.#draw.pick(['', '', '', 'tail', 'tail\0']);
        return this.#send(on, 'DIRECTORY_PART', `${path}\0${offset}\0${tail}`, { tx });
      }
      case 13:
        return this.#send(on, 'GET_PERMS', `${path}\0`, { tx });
      default:
        return this.#setPerms(on, path, tx);
    }
  }

  #setPerms(on: string, path: string, tx: number | string): void {
    const { below, pick, oneIn } = this.#draw;
    if (oneIn(12) && this.#is422) return this.#setSpecialPerms();
    if (oneIn(12)) {
      // 4.17 answers a refused SET_PERMS of a special path with a left-over errno: privileged and well-formed only.
      const who = this.#privileged();
      const entries = pick(['n0', 'n0\0r1', 'n0\0r1\0b2', 'r0', 'b0\0n3']);
      return this.#send(who, 'SET_PERMS', `${pick(['@releaseDomain', '@introduceDomain'])}\0${entries}\0`);
    }
    // A node whose owner exists without being introduced ends the daemon at the next live update.
    const owners = [0, NOBODY, ...this.#introduced()];
    const self = this.#sockets.has(on) ? 0 : Number(on);
    // The root stays dom0's: it dies with its owner, and nobody can do anything after that.
    const owner = path === '/' ? 0 : oneIn(3) ? pick(owners) : self;
    const first = `${pick(['n', 'r', 'w', 'b'])}${owner}`;
    const others = Array.from({ length: below(3) === 0 ? below(7) : below(3) }, () => this.#permission());
    const tail = oneIn(12) ? 'tail' : '';
    if (oneIn(40))
      return this.#send(on, 'SET_PERMS', pick([`${path}\0`, path, '', `${path}\0z1\0`, `${path}\0n0\0nx\0`]), { tx });
    this.#send(on, 'SET_PERMS', `${[path, first, ...others].join('\0')}\0${tail}`, { tx });
  }

  #permission(): string {
    const { pick, oneIn } = this.#draw;
    if (oneIn(12) && !(this.#is422 && this.#plan.liveUpdates))
      return pick(['r0x1', 'w010', 'b 2', 'r+3', 'n-1', 'r', 'q1', '']);
    return `${pick(['n', 'r', 'w', 'b'])}${pick(this.#nameable())}`;
  }

  get #is422(): boolean {
    return this.#plan.compat === '4.22';
  }

  /** Domids that a request may name. A 4.22 does not come back from a live update with a record of one not introduced. */
  #nameable(): readonly number[] {
    const all = [0, ...DOMIDS, NOBODY];
    if (!this.#is422 || !this.#plan.liveUpdates) return all;
    return all.filter((domid) => this.#domains.get(domid) !== 'released');
  }

  /** The owner stays dom0: a 4.22 crashes when the owner of a special node dies. */
  #setSpecialPerms(): void {
    const { pick, oneIn } = this.#draw;
    const on = oneIn(4) ? this.#anyone() : this.#privileged();
    const path = pick(['@releaseDomain', '@introduceDomain', '@releaseDomain', '@nothing']);
    const others = [`r${pick(this.#nameable())}`, `b${pick(this.#nameable())}`].slice(0, this.#draw.below(3));
    const entries = [pick(['n0', 'r0', 'w0']), ...others].join('\0');
    this.#send(on, 'SET_PERMS', `${path}\0${entries}\0`, { tx: this.#someTx(on) });
  }

  #watchRequest(): void {
    const { pick, oneIn, below } = this.#draw;
    const on = this.#anyone();
    const path = oneIn(5) ? pick(this.#is422 ? SPECIALS_422 : SPECIALS) : this.#path(on);
    const token = pick(TOKENS);
    const tx = oneIn(10) ? 77 : 0; // ignored
    const roll = below(20);
    if (this.#is422 && !this.#plan.liveUpdates && oneIn(3)) {
      // Not before a live update: a 4.22 writes such a watch without its depth, and loses it or all that follows.
      const depth = pick(['0', '1', '2', '3', '7', '65535', '-1', 'x', ' 1', '99999999999', '']);
      return this.#send(on, 'WATCH', `${path}\0${token}\0${depth}\0`, { tx });
    }
    if (roll < 12) return this.#send(on, 'WATCH', `${path}\0${token}\0`, { tx });
    if (roll < 17) {
      // A name that 4.22 finds invalid is for 4.17 a watch that is not there: both say so, each in its way.
      return this.#send(on, 'UNWATCH', `${path}\0${token}\0`, { tx });
    }
    if (roll === 17) {
      this.#open.delete(on);
      return this.#send(on, 'RESET_WATCHES', pick(['', '\0', 'anything']));
    }
    if (roll === 18)
      return this.#send(on, pick(['WATCH', 'UNWATCH']), pick([`${path}\0`, path, '', '\0\0', `${path}\0t\0u\0v\0`]));
    return this.#send(on, 'WATCH', `${path}\0${token}\0tail`);
  }

  #transactionRequest(): void {
    const { pick, oneIn } = this.#draw;
    const on = this.#anyone();
    const own = this.#open.get(on) ?? [];
    if (own.length === 0 || (own.length < 4 && oneIn(3))) {
      if (oneIn(25)) return this.#send(on, 'TRANSACTION_START', '\0', { tx: own[0] ?? 4242 });
      const name = `t${++this.#txCount}`;
      this.#open.set(on, [...own, name]);
      return this.#send(on, 'TRANSACTION_START', oneIn(4) ? '' : '\0', { as: name });
    }
    const tx = pick(own);
    if (oneIn(25)) return this.#send(on, 'TRANSACTION_END', pick(['X\0', 'T', '', 'TT\0', 'T\0\0']), { tx });
    if (oneIn(30)) return this.#send(on, 'TRANSACTION_END', 'T\0', { tx: pick([0, 4242]) });
    this.#open.set(
      on,
      own.filter((name) => name !== tx),
    );
    this.#send(on, 'TRANSACTION_END', oneIn(5) ? 'F\0' : 'T\0', { tx });
  }

  #domainRequest(): void {
    const { pick, below } = this.#draw;
    const on = this.#anyone();
    const domid = pick([0, 1, 2, 3, NOBODY]);
    if (this.#is422 && this.#draw.oneIn(2)) return this.#featureOrQuota();
    switch (below(10)) {
      case 0:
      case 1:
      case 2: {
        const odd = ['', '007', ' 5', '65535', '5'];
        return this.#send(on, 'GET_DOMAIN_PATH', `${this.#draw.oneIn(3) ? pick(odd) : domid}\0`);
      }
      case 3:
      case 4:
        return this.#send(on, 'IS_DOMAIN_INTRODUCED', `${domid}\0`);
      case 5:
        return this.#send(on, 'RESUME', `${domid}\0`);
      case 6:
        // Unprivileged, without effect: refused before it is looked at.
        return this.#send(
          this.#aRing() ?? on,
          pick(['INTRODUCE', 'RELEASE', 'SET_TARGET', 'CONTROL', 'RESUME']),
          `${NOBODY}\0`,
        );
      case 7:
        return this.#send(this.#privileged(), 'RELEASE', `${pick([NOBODY, 0])}\0`);
      case 8:
        return this.#setTarget();
      default:
        return this.#introduceAgain();
    }
  }

  #featureOrQuota(): void {
    const { pick, oneIn, below } = this.#draw;
    const on = oneIn(4) ? this.#anyone() : this.#privileged();
    const domid = oneIn(8) ? pick(['x', '', '-1', '65536', ' 1', '32752', '32757']) : pick(this.#nameable());
    const name = pick([...QUOTAS_422, 'soft-memory', 'soft-nodes', 'permissions', '']);
    const value = pick(['1000', '200', '60', '0', '-5', 'abc', '-1', '4294967295', '4294967296', ' 30', '30x', '']);
    const tail = oneIn(12) ? pick(['tail', 'more\0']) : '';
    switch (below(5)) {
      case 0:
        return this.#send(on, 'GET_FEATURE', oneIn(3) ? pick(['', 'x']) : `${domid}\0${tail}`);
      case 1:
        return this.#send(on, 'SET_FEATURE', `${domid}\0${pick(['14', '2', '0', '1', '16', 'x', '', '-1'])}\0${tail}`);
      case 2:
        return this.#send(
          on,
          'GET_QUOTA',
          pick(['', `${name}\0`, `${domid}\0${name}\0`, `${domid}\0${name}\0${tail}`]),
        );
      case 3:
        return this.#send(on, 'SET_QUOTA', `${domid}\0${name}\0${value}\0${tail}`);
      default:
        return this.#send(on, 'SET_QUOTA', pick([`${name}\0${value}\0`, `${name}\0`, '']));
    }
  }

  #aRing(): string | undefined {
    const rings = this.#introduced()
      .map(String)
      .filter((name) => this.#isUsable(name));
    return rings.length > 0 ? this.#draw.pick(rings) : undefined;
  }

  #setTarget(): void {
    const { pick, oneIn } = this.#draw;
    const on = this.#privileged();
    const domids = this.#introduced();
    if (oneIn(2) || domids.length < 3)
      return this.#send(on, 'SET_TARGET', pick([`${NOBODY}\x001\0`, '1\0', `1\0${NOBODY}\0`, '']));
    if (this.#pinned.size > 0) return;
    const [stubdom, target] = [domids[2]!, domids[0]!]; // the target earlier: a live update loses it otherwise
    for (const domid of [stubdom, target]) this.#pinned.add(domid);
    this.#send(on, 'SET_TARGET', `${stubdom}\0${target}\0`);
  }

  #introduceAgain(): void {
    const { pick, oneIn } = this.#draw;
    const on = this.#privileged();
    const ring = this.#aRing();
    if (ring === undefined || oneIn(2)) {
      // Domid 0 is left alone, and so are words: 4.17 takes any word for it.
      return this.#send(
        on,
        'INTRODUCE',
        pick([`${NOBODY}\0${RING_GFN}\0${RING_PORT}\0`, `1\0${RING_GFN}\x000\0`, '1\x002\0', '']),
      );
    }
    this.#open.delete(ring);
    this.#send(on, 'INTRODUCE', `${ring}\0${pick(['1234', 'gfn', ''])}\0${RING_PORT}\0${pick(['', 'more\0', 'tail'])}`);
  }

  #oddRequest(): void {
    const { pick, oneIn } = this.#draw;
    const on = this.#anyone();
    if (oneIn(2))
      return this.#send(on, pick([15, 16, 20, 27, 64, 0xffff, 0xffff_ffff]), pick(['', '/tool\0', 'x']), {
        tx: pick([0, 4242]),
      });
    if (this.#plan.compat === '4.17' && oneIn(3))
      return this.#send(on, pick([23, 24, 25, 26]), pick(['', '1\0', '1\x002\0']));
    // One-path requests stay well-formed: 4.17 answers others with a left-over errno, or aborts.
    const path = pick(['', 'a b', 'a.b', '/a//b', '/a/', '//', '@releaseDomain', '/caf\xe9', 'x/', '/\x7f', '@']);
    this.#send(on, pick(['READ', 'DIRECTORY', 'MKDIR', 'RM', 'WRITE']), `${path}\0`);
  }

  #controlRequest(): void {
    const { pick, oneIn } = this.#draw;
    const on = this.#privileged();
    if (oneIn(4)) {
      const name = pick(['nodes', 'watches', 'transactions', 'node-size', 'path-max', 'transaction-nodes', 'nonsense']);
      return this.#send(on, 'CONTROL', `quota\0set\0${name}\0${pick(['1000', '200', '60', '30', '0', '-1'])}\0`);
    }
    const words = [
      'help',
      'quota',
      'quota-soft',
      'check',
      'print\0hello',
      'nonsense',
      '',
      'help\0x',
      'check\0x',
      'log\0off',
      'log\0on',
      'quota\x001',
      'quota\x009',
      'quota\0abc',
      ...(this.#is422 ? CONTROLS_422 : []),
    ];
    this.#send(on, 'CONTROL', `${pick(words)}\0`);
  }

  // Without waiting ---------------------------------------------------------------------------------------------------

  /** One message, whole or in two pieces; between the pieces something may happen, even a live update. */
  #raw(): void {
    const { below, oneIn } = this.#draw;
    const on = oneIn(3) && this.#held.size > 0 ? this.#draw.pick([...this.#held].sort()) : this.#anyone();
    const path = this.#path(on);
    const [op, payload] = this.#draw.pick([
      ['READ', `${path}\0`],
      ['WRITE', `${path}\0raw value`],
      ['DIRECTORY', `${path}\0`],
      ['WATCH', `${path}\0raw\0`],
      ['GET_DOMAIN_PATH', '5\0'],
    ] as const);
    const octets = message(XS[op], this.#rawReq++, 0, octetsOf(payload));
    const isSocket = this.#sockets.has(on);
    // What a ring has no room for is lost to the script, and the message stays half-read: 4.17 frees its buffer at the
    // next INTRODUCE and goes on to use it.
    if (!isSocket && (this.#unread.get(on) ?? 0) + octets.length > RING_BYTES) return;
    if (octets.length > 900 || oneIn(2) || this.#held.has(on)) {
      if (!isSocket && this.#held.has(on)) this.#unread.set(on, (this.#unread.get(on) ?? 0) + octets.length);
      return this.#push({ kind: 'raw', on, octets });
    }
    // A socket's header without its body: the C daemon would serve nobody until an octet comes.
    const cut = isSocket ? 17 + below(octets.length - 17) : 1 + below(octets.length - 1);
    this.#push({ kind: 'raw', on, octets: octets.slice(0, cut) });
    this.#busy = on; // nobody writes to it in between
    if (oneIn(3) && this.#plan.liveUpdates) this.#push({ kind: 'liveUpdate', format: this.#format() });
    else if (oneIn(2) && this.#usable().length > 0) this.#treeRequest();
    this.#busy = undefined;
    this.#push({ kind: 'raw', on, octets: octets.slice(cut) });
  }

  #hold(): void {
    const held = [...this.#held].sort()[0];
    if (held !== undefined) return this.#free(held);
    const name = this.#draw.pick(this.#usable());
    this.#held.add(name);
    this.#push({ kind: 'hold', on: name });
  }

  // Life and death ----------------------------------------------------------------------------------------------------

  #lifeAndDeath(): void {
    const { pick, below, oneIn } = this.#draw;
    const absent = DOMIDS.filter((domid) => this.#domains.get(domid) === 'absent');
    if (absent.length > 0 && !oneIn(3)) return this.#createDomain(pick(absent));
    const released = DOMIDS.filter((domid) => this.#domains.get(domid) === 'released');
    if (released.length > 0) {
      const domid = released[0]!;
      if (oneIn(2)) {
        this.#domains.set(domid, 'introduced');
        return this.#send(this.#privileged(), 'INTRODUCE', `${domid}\0${RING_GFN}\0${RING_PORT}\0`);
      }
      this.#domains.set(domid, 'absent');
      return this.#push({ kind: 'destroy', domid });
    }
    const domids = this.#introduced().filter((domid) => !this.#pinned.has(domid));
    if (domids.length === 0) return;
    const domid = pick(domids);
    if (below(3) === 0) return this.#push({ kind: 'shutdown', domid, reason: pick(SHUTDOWN_REASONS) });
    this.#forget(String(domid));
    if (oneIn(3)) {
      this.#domains.set(domid, 'released');
      return this.#send(this.#privileged(), 'RELEASE', `${domid}\0`);
    }
    this.#domains.set(domid, 'absent');
    this.#push({ kind: 'destroy', domid });
  }

  /** A header that promises more than 4096 octets: a socket is closed, a ring is served no more. */
  #breakProtocol(): void {
    const octets = message(XS.READ, this.#rawReq++, 0, new Uint8Array(0));
    octets[12] = 0x01;
    octets[13] = 0x10;
    const on = this.#anyone();
    if (this.#pinned.has(Number(on))) return;
    this.#push({ kind: 'raw', on, octets });
    this.#forget(on);
    if (this.#sockets.delete(on)) return;
    if (this.#draw.oneIn(2) && ![...this.#domains.values()].includes('lost')) {
      this.#domains.set(Number(on), 'lost');
      this.#send(on, 'READ', '/tool\0'); // nobody answers
      return this.#send(on, 'READ', '/tool\0'); // gone
    }
    if (this.#plan.liveUpdates && this.#draw.oneIn(2)) return this.#liveUpdate(); // served again afterwards
    this.#domains.set(Number(on), 'absent');
    this.#push({ kind: 'destroy', domid: Number(on) });
  }

  #reconnect(): void {
    const missing = SOCKETS.find((name) => !this.#sockets.has(name));
    if (missing !== undefined) return this.#openSocket(missing);
    const name = this.#draw.pick(SOCKETS);
    this.#forget(name);
    this.#push({ kind: 'close', name });
    this.#sockets.delete(name);
  }

  #format(): string {
    return this.#plan.compat === '4.17' ? 'v1' : 'v2';
  }

  /** Usually without open transactions, or it would be refused. */
  #liveUpdate(): void {
    if (!this.#draw.oneIn(3)) {
      for (const [on, names] of this.#open) {
        if (this.#held.has(on)) continue;
        for (const tx of names) this.#send(on, 'TRANSACTION_END', 'T\0', { tx });
        this.#open.delete(on);
      }
    }
    this.#push({ kind: 'liveUpdate', format: this.#format() });
  }

  // Many of a kind ----------------------------------------------------------------------------------------------------

  #burst(): void {
    const { below, pick } = this.#draw;
    const ring = this.#aRing();
    const on = ring ?? this.#anyone();
    switch (below(6)) {
      case 0:
        for (let i = 0; i < 132; i++) this.#send(on, 'WATCH', `w/${i % 7}\0many-${i}\0`);
        return this.#send(on, 'RESET_WATCHES', '\0');
      case 1: {
        const names = Array.from({ length: 13 }, () => `t${++this.#txCount}`);
        for (const as of names) this.#send(on, 'TRANSACTION_START', '\0', { as });
        for (const tx of names) this.#send(on, 'TRANSACTION_END', 'F\0', { tx });
        return;
      }
      case 2: {
        const socket = this.#privileged();
        const dir = this.#absolute();
        for (let i = 0; i < 20; i++)
          this.#send(socket, 'MKDIR', `${dir}/${String(i).padStart(3, '0')}${'n'.repeat(230)}\0`);
        this.#send(socket, 'DIRECTORY', `${dir}\0`);
        for (const offset of [0, 3800, 4050, 9999]) this.#send(socket, 'DIRECTORY_PART', `${dir}\0${offset}\0`);
        return;
      }
      case 3: {
        const deep = Array.from({ length: 24 + below(20) }, (_, i) => pick(NAMES) + i).join('/');
        this.#send(on, 'WRITE', `deep/${deep}\0bottom`);
        this.#send(on, 'READ', `deep/${deep}\0`);
        return this.#send(on, 'RM', 'deep\0');
      }
      case 4:
        for (let i = 0; i < 30; i++) this.#send(on, 'WRITE', `many/${'m'.repeat(60)}${i}\0${i}`);
        this.#send(on, 'DIRECTORY', 'many\0');
        return;
      default:
        for (let i = 0; i < 25; i++) this.#send(on, 'WRITE', `quick/${i % 3}\0${i}`, { tx: 0 });
    }
  }

  // Words -------------------------------------------------------------------------------------------------------------

  #absolute(): string {
    const { pick, below } = this.#draw;
    const top = pick(['/a', '/b', '/local/domain/1', '/local/domain/2', '/local/domain/3', '/tool']);
    return [top, ...Array.from({ length: below(3) }, () => pick(NAMES))].join('/');
  }

  #path(on: string): string {
    const { pick, below, oneIn } = this.#draw;
    const isSocket = this.#sockets.has(on);
    if (oneIn(80)) return 'p'.repeat(2045 + below(6));
    if (oneIn(80)) return `/local/domain/${isSocket ? 1 : on}/${'q'.repeat(2045 + below(6))}`;
    if (oneIn(60)) return '/';
    if (oneIn(isSocket ? 6 : 2)) return Array.from({ length: 1 + below(3) }, () => pick(NAMES)).join('/');
    return this.#absolute();
  }

  #value(on: string): string {
    const { pick, below, oneIn } = this.#draw;
    if (oneIn(25))
      return 'v'.repeat(pick([1990, 2007, 2015, 2016, 2023, 2024, 2040]) + (this.#sockets.has(on) ? 0 : below(2)));
    if (oneIn(40) && this.#sockets.has(on)) return 'V'.repeat(3900);
    if (oneIn(10)) return pick(['', '\0', 'a\0b\0', '\xff\x80\x01', '"quoted\\"']);
    return `v${below(5)}`;
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

function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
