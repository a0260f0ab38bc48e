import { type Actor, PARK } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Thread } from '../kernel/index.ts';
import { type KeyValues, split, strings, Xs } from '../xenstore/index.ts';
import { CountedLink, type Tally } from './counted-link.ts';
import type { Libxl, Rc } from './process.ts';
import { ProcessWatch } from './process-watch.ts';

export interface TransactionOptions {
  /** A START that fails is not noticed: what follows is done outside of any transaction, until END fails. */
  readonly startsUnchecked?: boolean;
  /** A commit that fails is not noticed, but for EAGAIN. */
  readonly endsUnchecked?: boolean;
}

/**
 * One operation of a libxl process, as far as one actor does it. What it does between `enter` and `leave` nobody else in the
 * process interrupts; a wait leaves, and enters again when it has something to look at.
 */
export class Call {
  readonly xl: Libxl;
  readonly me: Thread;
  readonly tally: Tally;
  readonly xs: Xs;

  constructor(xl: Libxl, me: Thread, tally: Tally = { requests: 0, conflicts: 0 }) {
    this.xl = xl;
    this.me = me;
    this.tally = tally;
    this.xs = new Xs(new CountedLink(xl.link, tally), me);
  }

  get nowNs(): number {
    return this.xl.os.machine.nowNs;
  }

  enter(): Actor {
    return this.xl.lock.enter(this.me);
  }

  leave(): void {
    this.xl.lock.leave(this.me);
  }

  /** Run `body` with the process' lock. */
  *locked<T>(body: () => Actor<T>): Actor<T> {
    yield* this.enter();
    const result = yield* body();
    this.leave();
    return result;
  }

  /**
   * Run `body` with the lock of a domain's configuration file, which all processes share (TS-5). The process waits
   * for it with everything that it does.
   */
  *withUserdata<T>(domid: number, body: () => Actor<T>): Actor<T> {
    const lock = this.xl.shared.userdataLock(domid);
    yield* lock.enter(this.me);
    const result = yield* body();
    lock.leave(this.me);
    return result;
  }

  /** The value of a node; `undefined`: it cannot be read. */
  *read(path: string, tx = 0): Actor<string | undefined> {
    const reply = yield* this.xs.read(path, tx);
    return reply.error === undefined ? text(reply.payload) : undefined;
  }

  *directory(path: string, tx = 0): Actor<readonly string[] | undefined> {
    const reply = yield* this.xs.directory(path, tx);
    return reply.error === undefined ? split(reply.payload) : undefined;
  }

  /** A domain's home, which libxl asks the store for each time. Source: libxl__xs_get_dompath in libxl_xshelp.c. */
  *dompath(domid: number): Actor<string> {
    yield* this.xs.call(XS.GET_DOMAIN_PATH, strings(String(domid)));
    return `/local/domain/${domid}`;
  }

  /** The domain that this process runs in, by the store's word. Source: libxl__get_domid in libxl_domain.c. */
  *ownDomid(): Actor<number | undefined> {
    const value = yield* this.read('domid');
    return value === undefined ? undefined : Number(value);
  }

  /** WRITE of nothing, then SET_PERMS (TS-4). Source: libxl__xs_mknod in libxl_xshelp.c. */
  *mknod(path: string, perms: readonly string[], tx: number): Actor {
    if ((yield* this.xs.write(path, '', tx)).error !== undefined) return;
    yield* this.xs.setPerms(path, perms, tx);
  }

  /** Keys below a directory, up to the first that fails. Source: libxl__xs_writev_perms in libxl_xshelp.c. */
  *writev(dir: string, keys: KeyValues, tx: number, perms?: readonly string[]): Actor<boolean> {
    for (const [key, value] of keys) {
      if ((yield* this.xs.write(`${dir}/${key}`, value, tx)).error !== undefined) return false;
      if (perms !== undefined && (yield* this.xs.setPerms(`${dir}/${key}`, perms, tx)).error !== undefined)
        return false;
    }
    return true;
  }

  /**
   * `body` in a transaction: EAGAIN means all of it once more, at once (TS-3); any other error ends it. What `body` returns
   * beside 0 aborts. Source: libxl__xs_transaction_start, _commit and _abort in libxl_xshelp.c.
   */
  *transaction(body: (tx: number) => Actor<Rc>, options: TransactionOptions = {}): Actor<Rc> {
    for (let round = 0; round < this.xl.roundsMax; round++) {
      const begun = yield* this.xs.begin();
      if ('error' in begun && options.startsUnchecked !== true) return 'ERROR_FAIL';
      const tx = 'error' in begun ? 0 : begun.txId;
      const rc = yield* body(tx);
      if (rc !== 0) {
        if (tx !== 0) yield* this.xs.end(tx, false);
        return rc;
      }
      const failed = yield* this.xs.end(tx, true);
      if (failed === undefined) return 0;
      if (failed !== 'EAGAIN') return options.endsUnchecked === true ? 0 : 'ERROR_FAIL';
      this.tally.conflicts++;
    }
    return 'ERROR_FAIL';
  }

  /**
   * A watch and a timer (TS-2): each event reads the node, until `decide` has a result for what was read or the time is over.
   * Call it with the lock, which others may have while this one waits.
   * Source: tools/libs/light/libxl_aoutils.c, xswait.
   */
  *xswait<T>(
    path: string,
    timeoutNs: number,
    decide: (value: string | undefined) => T | undefined,
  ): Actor<{ readonly rc: 0; readonly value: T } | { readonly rc: Exclude<Rc, 0> }> {
    const untilNs = this.nowNs + timeoutNs;
    this.xl.os.machine.scheduler.at(untilNs, () => this.me.wake());
    const watch = yield* ProcessWatch.register(this.xl.watches, this.xs, path);
    if (watch === undefined) return { rc: 'ERROR_FAIL' };
    let rc: Exclude<Rc, 0> = 'ERROR_TIMEDOUT';
    let value: T | undefined;
    while (this.nowNs < untilNs && value === undefined) {
      if (watch.take() === undefined) {
        this.leave();
        while (!watch.hasEvents && this.nowNs < untilNs) yield PARK;
        yield* this.enter();
        continue;
      }
      const reply = yield* this.xs.read(path);
      if (reply.error !== undefined && reply.error !== 'ENOENT') {
        rc = 'ERROR_FAIL';
        break;
      }
      value = decide(reply.error === undefined ? text(reply.payload) : undefined);
    }
    yield* watch.deregister();
    return value === undefined ? { rc } : { rc: 0, value };
  }

  /** Wait until a backend has come to `state`; ERROR_INVAL: it is gone. Source: libxl__ev_devstate_wait in libxl_event.c. */
  *devstate(path: string, state: number, timeoutNs: number): Actor<Rc> {
    const waited = yield* this.xswait<Rc>(path, timeoutNs, (value) => {
      if (value === undefined) return 'ERROR_INVAL';
      return Number.parseInt(value, 10) === state ? 0 : undefined;
    });
    return waited.rc === 0 ? waited.value : waited.rc;
  }
}
