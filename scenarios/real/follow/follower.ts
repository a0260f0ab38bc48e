import { buildDomain, octets, strings, text, XS } from '../../../guests/index.ts';
import { type Domain, type Frame, NO_JITTER, REQ_CONS, REQ_PROD, RING_BYTES } from '../../../sim/index.ts';
import type { CompatName, StorePolicy } from '../../../store/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { type Message, message } from '../../../store/protocol/wire.ts';
import { type Link, RingEnd, SocketEnd } from '../../drive/link.ts';
import { Host, STORE_BINARY } from '../../engine/host.ts';
import type { Epoch } from '../../judge/history.ts';

/** Timers within this virtual time belong to what is still going on. */
const QUIET_NS = 50_000_000;

/** req_id of the follower's own requests, which nobody else has on that socket. */
const OWN_REQ_ID = 1;

/** A port that no domain has. */
const NO_PORT = 0xffff;

/** A domain of the run, as the follower has made it. */
interface Twin {
  readonly domain: Domain;
  readonly page: Frame;
  /** The ring, with the port that was named last. */
  ring: RingEnd;
  /** A port that no INTRODUCE has named, where there is one. */
  freePort: number | undefined;
}

/** The follower's end of a connection epoch. */
interface End {
  readonly epoch: Epoch;
  readonly link: Link;
  readonly incoming: MessageReader;
  readonly said: Message[];
}

/**
 * The store of this package on a host of its own, given what another one took in: whole requests, in the order in which that one
 * took them, each served before the next. What it says comes out at once, since nobody makes it wait. Errors: none; a request of a
 * connection that it has closed is not served.
 */
export class Follower {
  readonly #host: Host;
  readonly #compat: CompatName;
  readonly #policy: StorePolicy;
  readonly #twins = new Map<number, Twin>();
  readonly #ends = new Map<number, End>();
  /** Of domains: the epoch that is now. */
  readonly #current = new Map<number, number>();
  #own: End;
  /** Whether the hypervisor lets the next INTRODUCE have the ring and the port that it names. */
  mayBind = true;

  constructor(compat: CompatName, policy: StorePolicy) {
    this.#compat = compat;
    this.#policy = policy;
    this.#host = new Host({
      seed: '1',
      jitter: NO_JITTER,
      requestsMax: Number.MAX_SAFE_INTEGER,
      policy,
      compat,
      records: false,
      eventsExpire: false, // its clock stands still
      limitsWrites: false, // who was made to wait has waited already
    });
    this.#own = this.#openOwn();
    this.#settle();
  }

  /** A domain is made; nobody has introduced it. */
  create(domid: number): void {
    this.destroy(domid);
    const { machine, dom0 } = this.#host;
    const built = buildDomain(dom0.os, domid, `d${domid}`, 0);
    if (built === undefined) return;
    const { domain, ring: page, port } = built;
    this.#twins.set(domid, { domain, page, ring: new RingEnd(machine, domain, page, port), freePort: port });
    machine.unpause(domain);
    this.#settle();
  }

  shutDown(domid: number): void {
    const twin = this.#twins.get(domid);
    if (twin === undefined) return;
    this.#host.machine.shutdown(twin.domain, 'poweroff');
    this.#settle();
  }

  resume(domid: number): void {
    const twin = this.#twins.get(domid);
    if (twin === undefined) return;
    this.#host.machine.resume(twin.domain);
    this.#settle();
  }

  /** The domain is gone, and the store is told. */
  destroy(...domids: readonly number[]): void {
    for (const domid of domids) {
      const twin = this.#twins.get(domid);
      if (twin === undefined) continue;
      this.#host.machine.destroy(twin.domain);
      this.#twins.delete(domid);
    }
    this.#settle();
  }

  /** A connection begins: a socket, or a ring whose domain was introduced; dom0's own is a socket here. */
  open(epoch: Epoch): void {
    const { conn, domid } = epoch;
    const isSocket = epoch.isSocket === true || domid === 0;
    const ring = this.#twins.get(domid)?.ring;
    if (!isSocket && ring === undefined) return;
    const before = isSocket ? undefined : this.#ends.get(this.#current.get(domid) ?? -1);
    if (before !== undefined) this.#receive(before);
    this.#ends.set(conn, {
      epoch,
      link: isSocket || ring === undefined ? new SocketEnd(this.#host.listener.connect()) : ring,
      incoming: new MessageReader('believed'),
      said: [],
    });
    if (!isSocket) this.#current.set(domid, conn);
    this.#settle();
  }

  /** A guest breaks its ring, and mends it: it is ignored until an update, which forgets that, or an INTRODUCE. */
  breakRing(domid: number): void {
    const ring = this.#twins.get(domid)?.ring;
    if (ring === undefined) return;
    const whole = ring.wordAt(REQ_CONS);
    ring.setWord(REQ_PROD, (whole + RING_BYTES + 1) >>> 0);
    this.#settle();
    ring.setWord(REQ_PROD, whole);
    this.#settle();
  }

  /** Serve one request. @returns whether there is a connection that it could be put into. */
  serve(conn: number, request: Message): boolean {
    const end = this.#ends.get(conn);
    if (end === undefined) return false;
    const octetsOfIt = this.#octetsFor(request);
    for (let at = 0; at < octetsOfIt.length; ) {
      const put = end.link.send(octetsOfIt, at);
      at += put;
      this.#settle();
      if (put === 0) return false;
    }
    return true;
  }

  /** What has come for that connection since it was asked last. */
  take(conn: number): readonly Message[] {
    return this.#ends.get(conn)?.said.splice(0) ?? [];
  }

  /** A socket is closed by its client; of a ring nothing is to be done. */
  close(conn: number): void {
    const end = this.#ends.get(conn);
    if (end === undefined || end.link instanceof RingEnd) return;
    end.link.close();
    this.#settle();
  }

  /** Update it to itself through its own image. Transactions that are open then are carried, or the other one was forced, too. */
  update(): void {
    const version = this.#compat === '4.17' ? [] : ['-v', '2'];
    this.#control('-f', STORE_BINARY);
    this.#control('-s', '-t', '0', ...(this.#policy === 'daemon' ? ['-F'] : []), ...version);
  }

  #control(...words: readonly string[]): void {
    this.#own.link.send(message(XS.CONTROL, OWN_REQ_ID, 0, strings('live-update', ...words)), 0);
    this.#settle();
    if (this.#own.link.isClosed()) this.#own = this.#openOwn();
    this.#own.said.length = 0;
  }

  #openOwn(): End {
    const link = new SocketEnd(this.#host.listener.connect());
    const epoch = { conn: -1, domid: 0, uniqueId: 0n, name: 'follower', isSocket: true } as const;
    return { epoch, link, incoming: new MessageReader('believed'), said: [] };
  }

  /** INTRODUCE names a port of the domain: here its twin's. */
  #octetsFor({ type, reqId, txId, payload }: Message): Uint8Array {
    const [domid, gfn, port, ...more] = text(payload).split('\0');
    const twin = type === XS.INTRODUCE ? this.#twins.get(Number(domid)) : undefined;
    if (twin === undefined || domid === undefined || gfn === undefined || port === undefined)
      return message(type, reqId, txId, payload);
    const words = [domid, gfn, String(this.#portOf(twin)), ...more].join('\0');
    return message(type, reqId, txId, octets(words));
  }

  #portOf(twin: Twin): number {
    const { machine, dom0 } = this.#host;
    const { domain, page, freePort } = twin;
    if (!this.mayBind) return NO_PORT;
    if (freePort !== undefined) {
      twin.freePort = undefined;
      return freePort;
    }
    const port = dom0.os.hyper.allocUnbound(domain.domid, 0);
    if (!port.ok) return NO_PORT;
    twin.ring = new RingEnd(machine, domain, page, port.value);
    return port.value;
  }

  #settle(): void {
    const { scheduler } = this.#host.machine;
    for (let came = true; came; ) {
      while (scheduler.runNext(scheduler.nowNs + QUIET_NS));
      came = this.#receive(this.#own);
      for (const end of this.#ends.values()) {
        const isRing = end.link instanceof RingEnd;
        if (isRing && this.#current.get(end.epoch.domid) !== end.epoch.conn) continue;
        if (this.#receive(end)) came = true;
      }
    }
  }

  #receive({ link, incoming, said }: End): boolean {
    const bytes = link.receive();
    incoming.push(bytes);
    said.push(...incoming.all());
    return bytes.length > 0;
  }
}
