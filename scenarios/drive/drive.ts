import { buildDomain, strings, text, XS } from '../../guests/index.ts';
import { type Domain, NO_JITTER, RING_BYTES } from '../../sim/index.ts';
import { formatOf, type LabFormat } from '../../store/format/model/index.ts';
import type { CompatName } from '../../store/index.ts';
import { Host, STORE_BINARY } from '../engine/host.ts';
import { type Connection, Connections } from './connections.ts';
import { RingEnd, SocketEnd } from './link.ts';
import {
  type Action,
  formatLine,
  type MessageAction,
  type OutputLine,
  RING_GFN,
  RING_PORT,
  txIdOf,
  WORDS,
} from './script.ts';

export interface DriveOptions {
  readonly compat: CompatName;
  readonly seed: string;
  /** Name of the format of silent updates, after so many actions each; 0 = none. */
  readonly liveUpdateEvery: number;
  readonly format: string;
  /** The format of that name, unless it is `v1` or `v2`. */
  readonly lab?: LabFormat | undefined;
}

/** Runs traffic scripts in the simulator, one action at a time. */
export class Driver {
  readonly #host: Host;
  readonly #options: DriveOptions;
  readonly #connections: Connections;
  /** Domains that this script made, with their rings: introduced again, they go on with the same page. */
  readonly #domains = new Map<number, { readonly domain: Domain; readonly link: RingEnd }>();
  readonly #txNames = new Map<string, number>();
  #actions = 0;

  constructor(options: DriveOptions) {
    this.#options = options;
    this.#host = new Host({
      seed: options.seed,
      jitter: NO_JITTER,
      requestsMax: Number.MAX_SAFE_INTEGER,
      policy: 'daemon',
      compat: options.compat,
      records: false,
      eventsExpire: false, // a script takes no time that a real daemon would notice
    });
    this.#connections = new Connections(this.#host);
  }

  /** Perform one action: its own line, and what came unasked. */
  perform(action: Action): string[] {
    const lines: OutputLine[] = [this.#act(action), ...this.#connections.takeUnasked()];
    this.#actions++;
    const { liveUpdateEvery, format } = this.#options;
    if (liveUpdateEvery > 0 && this.#actions % liveUpdateEvery === 0) {
      const reason = this.#liveUpdate(format);
      if (reason !== undefined) lines.push({ kind: 'liveUpdate', reason }); // or nobody would know that there was none
      lines.push(...this.#connections.takeUnasked());
    }
    return lines.map(formatLine);
  }

  #act(action: Action): OutputLine {
    switch (action.kind) {
      case 'domain':
        if (action.introduce !== false)
          return { kind: 'domain', domid: action.domid, introduced: this.#createDomain(action.domid) };
        this.#nameRing(action.domid, this.#made(action.domid));
        return { kind: 'domain', domid: action.domid };
      case 'socket': {
        this.#connections.get(action.name)?.link.close(); // the name now stands for the new one
        this.#connections.add(action.name, new SocketEnd(this.#host.listener.connect()));
        this.#connections.settle();
        return { kind: 'socket', name: action.name };
      }
      case 'close':
        return this.#on(action.name, (c) => {
          c.link.close();
          this.#connections.delete(c.name);
          this.#connections.settle();
          return { kind: 'close', name: c.name };
        });
      case 'hold':
        return this.#on(action.on, (c) => {
          c.isHeld = true;
          return { kind: 'hold', name: c.name };
        });
      case 'free':
        return this.#on(action.on, (c) => {
          c.isHeld = false;
          this.#connections.settle();
          return { kind: 'free', name: c.name };
        });
      case 'raw':
        return this.#on(action.on, (c) => {
          const limit = c.link instanceof RingEnd ? RING_BYTES : action.octets.length;
          const taken = c.link.send(action.octets.subarray(0, limit), 0);
          this.#connections.settle();
          return { kind: 'raw', on: c.name, taken };
        });
      case 'word':
        return this.#on(action.on, (c) => {
          const { word } = action;
          if (!(c.link instanceof RingEnd)) return { kind: 'word', on: c.name, word, words: [] };
          c.link.setWord(WORDS[word], action.value);
          this.#connections.settle();
          return { kind: 'word', on: c.name, word, words: Object.values(WORDS).map(c.link.wordAt) };
        });
      case 'message':
        return this.#on(action.on, (c) => this.#message(c, action));
      case 'destroy':
        return this.#domain(action.domid, (domain) => {
          this.#host.machine.destroy(domain);
          this.#domains.delete(action.domid);
          this.#connections.delete(String(action.domid));
          this.#connections.settle();
          return { kind: 'destroy', domid: action.domid };
        });
      case 'shutdown':
        return this.#domain(action.domid, (domain) => {
          this.#host.machine.resume(domain); // a domain that shuts down again ran in between
          this.#host.machine.shutdown(domain, action.reason);
          this.#connections.settle();
          return { kind: 'shutdown', domid: action.domid };
        });
      case 'liveUpdate': {
        const reason = this.#liveUpdate(action.format);
        return reason === undefined ? { kind: 'liveUpdate' } : { kind: 'liveUpdate', reason };
      }
    }
  }

  #on(name: string, then: (connection: Connection) => OutputLine): OutputLine {
    const connection = this.#connections.get(name);
    return connection === undefined ? { kind: 'gone', on: name } : then(connection);
  }

  #domain(domid: number, then: (domain: Domain) => OutputLine): OutputLine {
    const made = this.#domains.get(domid);
    const isGone = made === undefined || !this.#connections.has(String(domid));
    return isGone ? { kind: 'gone', on: String(domid) } : then(made.domain);
  }

  /** The script's domain of that id, created with its ring page, grant 1 and port 7 if it is not there. */
  #made(domid: number): { readonly domain: Domain; readonly link: RingEnd } | undefined {
    const { machine, dom0 } = this.#host;
    const there = this.#domains.get(domid);
    if (there !== undefined || machine.domain(domid) !== undefined) return there;
    const built = buildDomain(dom0.os, domid, `d${domid}`, 0, RING_PORT);
    if (built === undefined) return undefined;
    machine.unpause(built.domain);
    const made = { domain: built.domain, link: new RingEnd(machine, built.domain, built.ring, built.port) };
    this.#domains.set(domid, made);
    return made;
  }

  #nameRing(domid: number, made: { readonly link: RingEnd } | undefined): void {
    const name = String(domid);
    if (made !== undefined && !this.#connections.has(name)) this.#connections.add(name, made.link);
  }

  /** Create a domain and have it introduced (traffic-script, `domain`). */
  #createDomain(domid: number): boolean {
    const made = this.#made(domid);
    if (made === undefined && this.#host.machine.domain(domid) === undefined) return false;
    const { hidden } = this.#connections;
    const ask = (type: number, ...words: readonly string[]) =>
      this.#connections.ask(hidden, type, strings(...words), 0);
    const introduced = ask(XS.INTRODUCE, String(domid), String(RING_GFN), String(RING_PORT));
    ask(XS.MKDIR, `/local/domain/${domid}`);
    ask(XS.SET_PERMS, `/local/domain/${domid}`, `n${domid}`);
    this.#nameRing(domid, made);
    hidden.inbox.length = 0;
    return introduced?.type === XS.INTRODUCE;
  }

  #message(connection: Connection, action: MessageAction): OutputLine {
    const { name: on } = connection;
    const { op, as } = action;
    const reply = this.#connections.ask(connection, action.type, action.payload, txIdOf(action.tx, this.#txNames));
    if (reply === undefined) {
      this.#connections.delete(on);
      connection.link.close();
      this.#connections.settle();
      return { kind: 'dead', on, op };
    }
    const { type, payload } = reply;
    if (as === undefined || action.type !== XS.TRANSACTION_START || type !== XS.TRANSACTION_START)
      return { kind: 'reply', on, op, type, payload };
    this.#txNames.set(as, Number(text(payload).replace(/\0$/, '')));
    return { kind: 'reply', on, op, type, payload, as };
  }

  /** CONTROL live-update over the hidden connection. @returns the reason, if it failed. */
  #liveUpdate(format: string): string | undefined {
    const { compat, lab } = this.#options;
    const image = { v1: '1', v2: '2' }[format];
    const through = image === undefined ? (format === this.#options.format ? lab : formatOf(format)) : undefined;
    if (image === undefined && through === undefined) return `no format '${format}'`;
    this.#host.store.format = through;
    const version = image ?? (compat === '4.17' ? '1' : '2');
    const armed = this.#control('-f', STORE_BINARY);
    if (armed !== 'OK') return armed;
    const flags = compat === '4.17' ? (version === '1' ? [] : ['-v', version]) : ['-v', version];
    const { updates } = this.#host.store;
    const before = updates.length;
    const answer = this.#control('-s', ...flags);
    if (answer === 'OK') return undefined;
    if (updates[before]?.outcome === 'ok') {
      // The format has lost the answer, or the connection.
      this.#connections.renewHidden();
      return undefined;
    }
    this.#control('-a');
    return answer;
  }

  #control(...args: readonly string[]): string {
    const reply = this.#connections.ask(this.#connections.hidden, XS.CONTROL, strings('live-update', ...args), 0);
    return reply === undefined ? 'no answer' : text(reply.payload).replace(/\0$/, '');
  }
}
