import { buildDomain, octets, strings, text, XS } from '../../guests/index.ts';
import {
  type Domain,
  EVTCHN_PORT,
  type Frame,
  type Machine,
  NO_JITTER,
  type Port,
  type UnixSocket,
} from '../../sim/index.ts';
import type { StateFormat } from '../../store/format/model/index.ts';
import type { CompatName, StorePolicy, UpdateRecord } from '../../store/index.ts';
import { MessageReader } from '../../store/protocol/message-reader.ts';
import { type Message, message } from '../../store/protocol/wire.ts';
import { type Link, RingEnd, SocketEnd } from '../drive/link.ts';
import { Host, STORE_BINARY } from '../engine/host.ts';

/** Timers within this time belong to what is still going on. */
const QUIET_NS = 50_000_000;
/** Nothing that an update does takes as long. */
const UPDATE_NS = 100_000_000_000;

/** A client that does one thing after another: of a domain, or on the socket. */
export class Client {
  #host: LabHost;
  #link: Link;
  readonly #inbox: Message[] = [];
  readonly #incoming = new MessageReader('believed');
  #reqId = 0;
  /** Every octet that it was ever sent, in pieces. */
  readonly heard: Uint8Array[] = [];
  /** It takes out nothing of what it is sent. */
  isHeld = false;

  constructor(lab: LabHost, link: Link) {
    this.#host = lab;
    this.#link = link;
  }

  /** The same client at another host: what it has received in part it has received. */
  goOn(host: LabHost, link: Link): void {
    this.#host = host;
    this.#link = link;
  }

  /** Put a request, or its first octets, into the ring or the socket. @returns its req_id. */
  send(op: keyof typeof XS, payload: string | Uint8Array, txId = 0, from = 0, to?: number): number {
    const reqId = from > 0 ? this.#reqId : ++this.#reqId;
    const body = typeof payload === 'string' ? octets(payload) : payload;
    this.#link.send(message(XS[op], reqId, txId, body).slice(from, to), 0);
    return reqId;
  }

  /** A request and its answer as text: an errno's name for an ERROR, `no reply` for none. A last NUL is left out. */
  ask(op: keyof typeof XS, payload: string | Uint8Array, txId = 0): string {
    const reqId = this.send(op, payload, txId);
    this.#host.settle();
    return this.replyTo(reqId);
  }

  /** The answer that has arrived. */
  replyTo(reqId: number): string {
    const at = this.#inbox.findIndex((m) => m.reqId === reqId && m.type !== XS.WATCH_EVENT);
    const reply = at < 0 ? undefined : this.#inbox.splice(at, 1)[0];
    return reply === undefined ? 'no reply' : text(reply.payload).replace(/\0$/, '');
  }

  /** Events since the last call, `<path> <token>` each. */
  events(): string[] {
    const found = this.#inbox.filter((m) => m.type === XS.WATCH_EVENT);
    for (const event of found) this.#inbox.splice(this.#inbox.indexOf(event), 1);
    return found.map(({ payload }) => text(payload).replace(/\0$/, '').replace('\0', ' '));
  }

  /** @returns whether anything came. */
  receive(): boolean {
    if (this.isHeld) return false;
    const came = this.#link.receive();
    if (came.length > 0) this.heard.push(came);
    this.#incoming.push(came);
    this.#inbox.push(...this.#incoming.all());
    return came.length > 0;
  }

  close(): void {
    this.#link.close();
  }
}

/** A domain that was built, and introduced unless that was put off. */
export interface LabGuest extends Client {
  readonly domain: Domain;
  readonly ring: Frame;
  readonly port: Port;
}

export interface LabHostOptions {
  readonly format: StateFormat;
  readonly policy: StorePolicy;
  /** One of several hosts; left out: it is alone. */
  readonly machine?: Machine;
  /** Left out: 4.22. */
  readonly compat?: CompatName;
}

/** A host whose store live-updates through files of one format, and the guests that put something into it before. */
export class LabHost {
  readonly host: Host;
  readonly #clients: Client[] = [];
  #isDumped = false;

  constructor({ format, policy, machine, compat = '4.22' }: LabHostOptions) {
    this.host = new Host({
      seed: '1',
      jitter: NO_JITTER,
      requestsMax: Number.MAX_SAFE_INTEGER,
      policy,
      compat,
      ...(machine === undefined ? {} : { machine }),
      records: false,
      lab: format,
      passImage: (image) => {
        this.#isDumped = true;
        return image;
      },
    });
    this.settle();
  }

  /** A client on a socket; one that connects during an update waits to be accepted. */
  socket(): Client {
    return this.#client(new SocketEnd(this.connect()));
  }

  /** connect(2) alone. */
  connect(): UnixSocket {
    return this.host.listener.connect();
  }

  over(socket: UnixSocket): Client {
    return this.#client(new SocketEnd(socket));
  }

  #client(link: Link): Client {
    const client = new Client(this, link);
    this.#clients.push(client);
    return client;
  }

  /** Build a domain. Unless `isQuiet`, its ring page tells the port, as pages of domains that Xen itself has built do. */
  build(domid: number, isQuiet = false): LabGuest {
    const { machine, dom0 } = this.host;
    const built = buildDomain(dom0.os, domid, `d${domid}`, 0);
    if (built === undefined) throw new Error(`assertion: domain ${domid} could not be created`);
    const { domain, ring, port } = built;
    if (!isQuiet) ring.store32(EVTCHN_PORT, port, true);
    machine.unpause(domain);
    return Object.assign(this.#client(new RingEnd(machine, domain, ring, port)), { domain, ring, port });
  }

  /** Build a domain, introduce it and make its home. */
  guest(domid: number, isQuiet = false): LabGuest {
    const guest = this.build(domid, isQuiet);
    this.introduce(guest);
    return guest;
  }

  /** A guest goes on at another host. */
  leave(guest: LabGuest): void {
    this.#clients.splice(this.#clients.indexOf(guest), 1);
  }

  /** A guest has come from another host, with its page and its port: it goes on in this domain. */
  enter(guest: LabGuest, domain: Domain): void {
    Object.assign(guest, { domain });
    guest.goOn(this, new RingEnd(this.host.machine, domain, guest.ring, guest.port));
    this.#clients.push(guest);
  }

  guests<const Domids extends readonly number[]>(...domids: Domids): { readonly [K in keyof Domids]: LabGuest } {
    return domids.map((domid) => this.guest(domid)) as unknown as { readonly [K in keyof Domids]: LabGuest };
  }

  introduce({ domain: { domid }, port }: LabGuest): void {
    this.tool('INTRODUCE', strings(String(domid), '1', String(port)));
    this.tool('MKDIR', strings(`/local/domain/${domid}`));
    this.tool('SET_PERMS', strings(`/local/domain/${domid}`, `n${domid}`));
  }

  /** One request of a program in dom0, on a socket of its own. */
  tool(op: keyof typeof XS, payload: string | Uint8Array): string {
    const client = this.socket();
    this.settle();
    const answer = client.ask(op, payload);
    client.close();
    this.#clients.splice(this.#clients.indexOf(client), 1);
    this.settle();
    return answer;
  }

  write(path: string, value: string): void {
    this.tool('WRITE', `${path}\0${value}`);
  }

  /** Run until nothing more happens soon, with all clients taking out what comes. */
  settle(forNs = 0): void {
    const { scheduler } = this.host.machine;
    const until = scheduler.nowNs + forNs;
    for (;;) {
      while (scheduler.runNext(Math.max(until, scheduler.nowNs + QUIET_NS)));
      if (this.#clients.map((client) => client.receive()).every((came) => !came)) break;
    }
    if (scheduler.nowNs < until) scheduler.advance(until - scheduler.nowNs);
  }

  /**
   * A live update, asked for on a socket.
   * @param asked called when it is pending, `dumped` when the files are written, `step` after each event until it is over.
   */
  update(hooks: { readonly asked?: () => void; readonly dumped?: () => void; readonly step?: () => void } = {}): void {
    const { store, machine } = this.host;
    const { scheduler } = machine;
    const operator = this.socket();
    this.settle();
    operator.ask('CONTROL', strings('live-update', '-f', STORE_BINARY));
    operator.send('CONTROL', strings('live-update', '-s', '-t', '60'));
    const before = store.updates.length;
    let isTold = false;
    if (hooks.asked !== undefined) {
      this.settle();
      hooks.asked();
    }
    const untilNs = scheduler.nowNs + UPDATE_NS;
    while (store.updates.length === before && scheduler.runNext(untilNs)) {
      if (this.#isDumped && !isTold) {
        isTold = true;
        hooks.dumped?.();
      }
      if (store.updates.length === before) hooks.step?.();
    }
    this.settle();
  }

  get lastUpdate(): UpdateRecord | undefined {
    return this.host.store.updates.at(-1);
  }
}
