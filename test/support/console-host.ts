import {
  type ConsoleHabits,
  type ConsolePage,
  GuestConsole,
  GuestOs,
  HVC_HABITS,
  strings,
  Xenconsoled,
  XS,
} from '../../guests/index.ts';
import type { Host } from '../../scenarios/engine/host.ts';
import { ConsoleRecorder } from '../../scenarios/judge/console-recorder.ts';
import {
  type Actor,
  CONSOLE_CONNECTION,
  Devpts,
  type Domain,
  GNTTAB_RESERVED_CONSOLE,
  type Pty,
  XENCONSOLE_DISCONNECTED,
} from '../../sim/index.ts';
import { HandHost } from './hand-host.ts';

export interface ConsoleHostOptions {
  readonly seed?: string;
  readonly overflow?: 'discard' | 'keep';
  /** Value of the key `limit`; left out: no such key. */
  readonly limit?: number;
  readonly type?: string;
}

/** A host with a console daemon, and domains built by hand. */
export class ConsoleHost {
  readonly host: Host;
  readonly devpts = new Devpts();
  readonly recorder: ConsoleRecorder;
  readonly daemon: Xenconsoled;
  readonly #options: ConsoleHostOptions;
  readonly #hand: HandHost;

  constructor(options: ConsoleHostOptions = {}) {
    this.#options = options;
    const overflow = options.overflow ?? 'discard';
    this.#hand = new HandHost(options.seed === undefined ? {} : { seed: options.seed });
    this.host = this.#hand.host;
    const { machine, dom0 } = this.host;
    this.recorder = new ConsoleRecorder(machine, overflow);
    this.daemon = new Xenconsoled(dom0.os, dom0.client, this.devpts, { overflow, observer: this.recorder.observer });
    this.daemon.start();
  }

  /** A domain whose console nodes are there, introduced unless it is not to be, and paused; its console page and port as the builder leaves them. */
  build(
    domid: number,
    isIntroduced = true,
  ): { readonly domain: Domain; readonly os: GuestOs; readonly page: ConsolePage } {
    const { host } = this;
    const { hyper } = host.dom0.os;
    const built = host.build(domid, `domU${domid}`);
    const { domain } = built;
    const ring = domain.memory.alloc();
    ring.bytes[CONSOLE_CONNECTION] = XENCONSOLE_DISCONNECTED;
    hyper.seedGrant(domid, GNTTAB_RESERVED_CONSOLE, 0, ring);
    const port = hyper.allocUnbound(domid, 0);
    if (!port.ok) throw new Error('assertion: no port in a new domain');
    const page = { ring, port: port.value };
    this.recorder.follow(domain, ring);
    const { limit, type = 'xenconsoled' } = this.#options;
    this.xs(function* (xs): Actor {
      const path = `/local/domain/${domid}/console`;
      yield* xs.write(`${path}/type`, type);
      yield* xs.write(`${path}/tty`, '');
      if (limit !== undefined) yield* xs.write(`${path}/limit`, String(limit));
      yield* xs.write(`${path}/port`, String(page.port));
      yield* xs.write(`${path}/ring-ref`, String(ring.gfn));
      if (isIntroduced)
        yield* xs.call(XS.INTRODUCE, strings(String(domid), String(built.ring.gfn), String(built.port)));
    });
    return { domain, os: new GuestOs(host.machine, domain), page };
  }

  /** Start the driver of a domain that was built, and let the domain run. */
  console({ domain, os, page }: ReturnType<ConsoleHost['build']>, habits: ConsoleHabits = HVC_HABITS): GuestConsole {
    const guest = new GuestConsole(os, page, habits);
    this.host.machine.unpause(domain);
    guest.start();
    return guest;
  }

  /** The same, built and running; returned when the daemon serves it on terminal `pts`. */
  boot(
    domid: number,
    habits: ConsoleHabits = HVC_HABITS,
    pts = domid - 1,
  ): { readonly guest: GuestConsole; readonly tty: Pty } & ReturnType<ConsoleHost['build']> {
    const built = this.build(domid);
    const guest = this.console(built, habits);
    const find = () => this.devpts.find(`/dev/pts/${pts}`);
    this.until(() => this.daemon.domids.includes(domid) && find() !== undefined);
    this.run(1);
    return { ...built, guest, tty: find() as Pty };
  }

  readonly xs: HandHost['xs'] = (body) => this.#hand.xs(body);
  readonly until: HandHost['until'] = (isSo) => this.#hand.until(isSo);
  readonly run: HandHost['run'] = (ms) => this.#hand.run(ms);
  readonly read: HandHost['read'] = (path) => this.#hand.read(path);
}
