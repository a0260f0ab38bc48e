import { buildDomain, strings, text, XS } from '../../guests/index.ts';
import { type Domain, NO_JITTER, RING_BYTES } from '../../sim/index.ts';
import { formatOf, type LabFormat } from '../../store/format/model/index.ts';
import type { CompatName, StorePolicy } from '../../store/index.ts';
import type { Message } from '../../store/protocol/wire.ts';
import { Host, type HostOptions, STORE_BINARY } from '../engine/host.ts';
import { AskedUpdate } from './asked-update.ts';
import { type Connection, Connections } from './connections.ts';
import { disappointment, type Expectation } from './expectation.ts';
import { RingEnd, SocketEnd } from './link.ts';
import {
  type Action,
  formatLine,
  type MessageAction,
  type OutputLine,
  RING_GFN,
  RING_PORT,
  txIdOf,
  type When,
  WORDS,
} from './script.ts';

export interface DriveOptions {
  readonly compat: CompatName;
  readonly seed: string;
  /** What the store does about open transactions when it updates; `daemon` where left out. */
  readonly policy?: StorePolicy | undefined;
  /** Where the store's own log goes (CONTROL logfile); nowhere where left out. */
  readonly appendTo?: HostOptions['appendTo'];
  /** Name of the format of silent updates, after so many actions each; 0 = none. */
  readonly liveUpdateEvery: number;
  readonly format: string;
  /** The format of that name, unless it is `v1` or `v2`. */
  readonly lab?: LabFormat | undefined;
}

/** What comes into an action while it is under way. */
export interface Meanwhile {
  readonly atStep: number;
  readonly action: Action & { readonly kind: 'liveUpdate' | 'destroy' };
}

/** Runs traffic scripts in the simulator, one action at a time. */
export class Driver {
  readonly #host: Host;
  readonly #options: DriveOptions;
  readonly #connections: Connections;
  /** Domains that this script made, with their rings: introduced again, they go on with the same page. */
  readonly #domains = new Map<number, { readonly domain: Domain; readonly link: RingEnd }>();
  readonly #txNames = new Map<string, number>();
  /** A live update that nobody waits for. */
  #askedUpdate: AskedUpdate | undefined;
  readonly #printed: { readonly ever: string[]; lines: readonly string[] } = { ever: [], lines: [] };
  #actions = 0;
  /** Why what was expected did not come, in the order of the script. */
  readonly disappointments: string[] = [];

  constructor(options: DriveOptions) {
    this.#options = options;
    this.#host = new Host({
      seed: options.seed,
      jitter: NO_JITTER,
      requestsMax: Number.MAX_SAFE_INTEGER,
      policy: options.policy ?? 'daemon',
      compat: options.compat,
      records: false,
      appendTo: options.appendTo,
      eventsExpire: false, // a script takes no time that a real daemon would notice
    });
    this.#connections = new Connections(this.#host);
  }

  /** Steps of all actors so far. */
  get steps(): number {
    return this.#host.machine.scheduler.steps;
  }

  /**
   * Perform one action: its own line, and what came unasked. Nothing is printed of an expectation. `meanwhile` happens while it is
   * under way, right before the step that it names; of that no line of its own is printed, only the answer to a live update.
   */
  perform(action: Action, meanwhile?: Meanwhile): string[] {
    if (meanwhile !== undefined)
      this.#connections.plan(meanwhile.atStep, () => void this.#act({ ...meanwhile.action, wait: false }));
    if (action.kind === 'expect') {
      const { ever, lines } = this.#printed;
      const reason = disappointment(action, action.ever === true ? ever : lines);
      if (reason !== undefined) this.disappointments.push(reason);
      return [];
    }
    const lines = this.#lines(action).map(formatLine);
    this.#printed.lines = lines;
    for (const line of lines) this.#printed.ever.push(line);
    return lines;
  }

  #lines(action: Exclude<Action, Expectation>): OutputLine[] {
    const { atStep, wait } = action as When;
    let own: OwnLine | undefined;
    const act = () => {
      own = this.#act(action);
    };
    if (atStep === undefined) act();
    else this.#connections.plan(atStep, act);
    if (wait !== false || atStep !== undefined) this.#connections.settle();
    const line = own!();
    const lines: OutputLine[] = [line, ...this.#takeUnasked()];
    this.#actions++;
    const { liveUpdateEvery, format } = this.#options;
    if (liveUpdateEvery > 0 && this.#actions % liveUpdateEvery === 0) {
      const reason = this.#liveUpdate({ kind: 'liveUpdate', format });
      if (reason !== undefined) lines.push({ kind: 'liveUpdate', reason }); // or nobody would know that there was none
      lines.push(...this.#takeUnasked());
    }
    return lines;
  }

  #takeUnasked(): OutputLine[] {
    const lines = this.#connections.takeUnasked((asked, reply) => this.#replyTo(asked, reply));
    const answered = this.#takeAnswer();
    if (answered !== undefined) lines.push(answered);
    return lines;
  }

  /** Do it; its line is asked for when the system has run, if it does. */
  #act(action: Exclude<Action, Expectation>): OwnLine {
    switch (action.kind) {
      case 'domain': {
        const { domid } = action;
        if (action.introduce !== false) {
          const introduced = this.#createDomain(domid);
          return () => ({ kind: 'domain', domid, introduced });
        }
        this.#nameRing(domid, this.#made(domid));
        return () => ({ kind: 'domain', domid });
      }
      case 'socket': {
        this.#connections.get(action.name)?.link.close(); // the name now stands for the new one
        this.#connections.add(action.name, new SocketEnd(this.#host.listener.connect()));
        return () => ({ kind: 'socket', name: action.name });
      }
      case 'close':
        return this.#on(action.name, ({ link, name }) => {
          link.close();
          this.#connections.delete(name);
          return () => ({ kind: 'close', name });
        });
      case 'hold':
        return this.#on(action.on, (c) => {
          c.mayTake = action.after ?? 0;
          return () => ({ kind: 'hold', name: c.name });
        });
      case 'free':
        return this.#on(action.on, (c) => {
          c.mayTake = Number.POSITIVE_INFINITY;
          return () => ({ kind: 'free', name: c.name });
        });
      case 'go':
        return this.#on(action.on, (c) => {
          this.#connections.go(c);
          return () => ({ kind: 'go', name: c.name });
        });
      case 'raw':
        return this.#on(action.on, ({ link, name: on }) => {
          const limit = link instanceof RingEnd ? RING_BYTES : action.octets.length;
          const taken = link.send(action.octets.subarray(0, limit), 0);
          return () => ({ kind: 'raw', on, taken });
        });
      case 'word':
        return this.#on(action.on, ({ link, name: on }) => {
          const { word } = action;
          if (!(link instanceof RingEnd)) return () => ({ kind: 'word', on, word, words: [] });
          link.setWord(WORDS[word], action.value);
          return () => ({ kind: 'word', on, word, words: Object.values(WORDS).map(link.wordAt) });
        });
      case 'message':
        return this.#on(action.on, (c) => this.#message(c, action));
      case 'destroy':
        return this.#domain(action.domid, (domain) => {
          this.#host.machine.destroy(domain);
          this.#domains.delete(action.domid);
          this.#connections.delete(String(action.domid));
          return () => ({ kind: 'destroy', domid: action.domid });
        });
      case 'shutdown':
        return this.#domain(action.domid, (domain) => {
          this.#host.machine.resume(domain); // a domain that shuts down again ran in between
          this.#host.machine.shutdown(domain, action.reason);
          return () => ({ kind: 'shutdown', domid: action.domid });
        });
      case 'liveUpdate':
        return this.#updated(action);
    }
  }

  #on(name: string, then: (connection: Connection) => OwnLine): OwnLine {
    const connection = this.#connections.get(name);
    return connection === undefined ? () => ({ kind: 'gone', on: name }) : then(connection);
  }

  #domain(domid: number, then: (domain: Domain) => OwnLine): OwnLine {
    const made = this.#domains.get(domid);
    const isGone = made === undefined || !this.#connections.has(String(domid));
    return isGone ? () => ({ kind: 'gone', on: String(domid) }) : then(made.domain);
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

  #message(connection: Connection, action: MessageAction): OwnLine {
    const { name: on } = connection;
    const { op, octets: octetsMax, type, payload, wait, atStep } = action;
    const tx = txIdOf(action.tx, this.#txNames);
    if (octetsMax !== undefined || wait === false || atStep !== undefined) {
      const { sent } = this.#connections.post(connection, type, payload, tx, { octetsMax, action });
      return () => ({ kind: 'sent', on, op, octets: sent });
    }
    const reply = this.#connections.ask(connection, type, payload, tx);
    if (reply !== undefined) {
      const line = this.#replyTo(action, reply);
      return () => line;
    }
    this.#connections.delete(on);
    connection.link.close();
    return () => ({ kind: 'dead', on, op });
  }

  #replyTo({ on, op, as, type: asked }: MessageAction, { type, payload }: Message): OutputLine {
    if (as === undefined || asked !== XS.TRANSACTION_START || type !== XS.TRANSACTION_START)
      return { kind: 'reply', on, op, type, payload };
    this.#txNames.set(as, Number(text(payload).replace(/\0$/, '')));
    return { kind: 'reply', on, op, type, payload, as };
  }

  #updated(action: UpdateAction): OwnLine {
    const { format, wait, atStep } = action;
    if (wait !== false && atStep === undefined) {
      const reason = this.#liveUpdate(action);
      return () => (reason === undefined ? { kind: 'liveUpdate' } : { kind: 'liveUpdate', reason });
    }
    const words = this.#prepareUpdate(action);
    if (words === undefined) return () => ({ kind: 'liveUpdate', reason: `no format '${format}'` });
    const asked = new AskedUpdate(this.#host.store, this.#connections, words);
    this.#askedUpdate = asked;
    return () => this.#takeAnswer() ?? { kind: 'liveUpdateAsked' };
  }

  #takeAnswer(): OutputLine | undefined {
    const answer = this.#askedUpdate?.answered();
    if (answer !== undefined) this.#askedUpdate = undefined;
    return answer;
  }

  /** Have the store update through a format. @returns the words of the CONTROLs that arm and start it; `undefined`: there is none. */
  #prepareUpdate({
    format,
    timeout,
    force,
  }: UpdateAction): readonly [readonly string[], readonly string[]] | undefined {
    const { compat, lab } = this.#options;
    const image = { v1: '1', v2: '2' }[format];
    const through = image === undefined ? (format === this.#options.format ? lab : formatOf(format)) : undefined;
    if (image === undefined && through === undefined) return undefined;
    this.#host.store.format = through;
    const version = image ?? (compat === '4.17' ? '1' : '2');
    const flags = compat === '4.17' && version === '1' ? [] : ['-v', version];
    return [
      ['-f', STORE_BINARY],
      ['-s', ...(timeout === undefined ? [] : ['-t', String(timeout)]), ...(force === true ? ['-F'] : []), ...flags],
    ];
  }

  /** CONTROL live-update over the hidden connection. @returns the reason, if it failed. */
  #liveUpdate(action: UpdateAction): string | undefined {
    const words = this.#prepareUpdate(action);
    if (words === undefined) return `no format '${action.format}'`;
    const [arm, start] = words;
    const armed = this.#control(...arm);
    if (armed !== 'OK') return armed;
    const { updates } = this.#host.store;
    const before = updates.length;
    const answer = this.#control(...start);
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

type UpdateAction = Action & { readonly kind: 'liveUpdate' };

/** What is printed of an action, once the system has run. */
type OwnLine = () => OutputLine;
