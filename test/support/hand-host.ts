import { type BuiltDomain, type GuestOs, LINUX_HABITS, strings, XS, Xs, type XsClient } from '../../guests/index.ts';
import { Host } from '../../scenarios/engine/host.ts';
import { type Actor, type Jitter, NO_JITTER } from '../../sim/index.ts';

/** A running guest that was made by hand. */
export interface HandMade {
  readonly built: BuiltDomain;
  readonly os: GuestOs;
  readonly client: XsClient;
}

/** A host on which a test does by hand, step by step, what a toolstack would do. */
export class HandHost {
  readonly host: Host;
  #tests = 0;

  constructor(options: { readonly seed?: string; readonly jitter?: Jitter } = {}) {
    this.host = new Host({
      seed: options.seed ?? '1',
      jitter: options.jitter ?? NO_JITTER,
      requestsMax: 1e9,
      policy: 'carry',
      compat: '4.22',
      records: false,
    });
  }

  /** Do this in dom0, and wait until it is done. */
  xs(body: (xs: Xs) => Actor): void {
    let done = false;
    const { os, client } = this.host.dom0;
    os.start(`test${this.#tests++}`, function* (me): Actor {
      yield* body(new Xs(client, me));
      done = true;
    });
    this.until(() => done);
  }

  /** A guest with these nodes of its home, that it may write where the permissions are its own, introduced and running. */
  boot(domid: number, nodes: readonly (readonly [path: string, value: string, isOwn: boolean])[]): HandMade {
    const built = this.host.build(domid, `domU${domid}`);
    const home = `/local/domain/${domid}`;
    this.xs(function* (xs): Actor {
      for (const [path, value, isOwn] of [['', '', false] as const, ...nodes]) {
        const node = path === '' ? home : `${home}/${path}`;
        yield* xs.write(node, value);
        yield* xs.setPerms(node, isOwn ? [`n${domid}`] : ['n0', `r${domid}`]);
      }
      yield* xs.call(XS.INTRODUCE, strings(String(domid), String(built.ring.gfn), String(built.port)));
    });
    const { os, client } = this.host.boot(built, LINUX_HABITS);
    this.host.machine.unpause(built.domain);
    return { built, os, client };
  }

  /** Run until it is so, at most ten virtual seconds. */
  until(isSo: () => boolean): void {
    const { scheduler } = this.host.machine;
    const end = scheduler.nowNs + 10e9;
    while (!isSo()) {
      if (scheduler.nowNs >= end) throw new Error('it did not come to pass');
      this.run(0.02);
    }
  }

  /** Let virtual time pass, also if nobody has anything to do. */
  run(ms: number): void {
    const { scheduler } = this.host.machine;
    const until = scheduler.nowNs + ms * 1_000_000;
    scheduler.at(until, () => {});
    scheduler.run(until);
  }

  /** The value of a node; `undefined`: there is none. */
  read(path: string): string | undefined {
    let value: string | undefined;
    this.xs(function* (xs): Actor {
      const reply = yield* xs.read(path);
      if (reply.error === undefined) value = String.fromCharCode(...reply.payload);
    });
    return value;
  }

  write(path: string, value: string): void {
    this.xs(function* (xs): Actor {
      yield* xs.write(path, value);
    });
  }
}
