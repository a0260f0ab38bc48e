import {
  type BuiltDomain,
  type GuestOs,
  LINUX_HABITS,
  strings,
  XS,
  type Xs,
  type XsClient,
} from '../../guests/index.ts';
import type { Host, HostOptions } from '../../scenarios/engine/host.ts';
import type { Actor } from '../../sim/index.ts';
import { ask, look, type OnHost, pass, testHost, until, write } from './host.ts';

/** A running guest that was made by hand. */
export interface HandMade {
  readonly built: BuiltDomain;
  readonly os: GuestOs;
  readonly client: XsClient;
}

/** A host on which a test does by hand, step by step, what a toolstack would do. */
export class HandHost implements OnHost {
  readonly host: Host;
  #tests = 0;

  constructor(options: Partial<HostOptions> = {}) {
    this.host = testHost(options);
  }

  /** Do this in dom0, and wait until it is done. */
  xs(body: (xs: Xs) => Actor): void {
    ask(this, `test${this.#tests++}`, body);
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
    until(this, isSo, { withinNs: 10_000_000_000 });
  }

  /** Let virtual time pass, also if nobody has anything to do. */
  run(ms: number): void {
    pass(this, ms * 1_000_000);
  }

  /** The value of a node; `undefined`: there is none. */
  read(path: string): string | undefined {
    return look(this, path);
  }

  write(path: string, value: string): void {
    write(this, path, value);
  }
}
