import type { Actor } from '../../sim/index.ts';
import { textOf } from '../../store/protocol/octets.ts';
import type { Xs } from '../xenstore/index.ts';

/** A transaction is tried until it commits, as the kernel does (LX-17); more rounds than that would be a live-lock. */
const ROUNDS_MAX = 10_000;

/**
 * HS-9: what `control/shutdown` says is read and taken away in one transaction, if it is known; `undefined`: there is nothing to act
 * on. EAGAIN alone is another round. Any other refusal of the commit is not looked at: the kernel acts on what it has read, whether
 * its acknowledgement is there or not, as where a program that has come here from another host has ended the transaction, whose id
 * its own had there. Source: linux drivers/xen/manage.c, shutdown_handler.
 */
export function* takeCommand<C extends string>(xs: Xs, isKnown: (said: string) => said is C): Actor<C | undefined> {
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
    const begun = yield* xs.begin();
    if ('error' in begun) return undefined;
    const reply = yield* xs.read('control/shutdown', begun.txId);
    const said = textOf(reply.payload);
    if (reply.error !== undefined || said === '') {
      yield* xs.end(begun.txId, false);
      return undefined;
    }
    const known = isKnown(said) ? said : undefined;
    if (known !== undefined) yield* xs.write('control/shutdown', '', begun.txId);
    if ((yield* xs.end(begun.txId, true)) !== 'EAGAIN') return known;
  }
  return undefined;
}
