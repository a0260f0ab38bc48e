import { commit, explainConflict } from './commit.ts';
import { domidOf, oneString, parseInt32, stringsOf } from './numbers.ts';
import { absolute, baseOf } from './paths.ts';
import { type Asked, error, OK, type Prediction, refuse, reply } from './prediction.ts';
import { Transaction } from './tree.ts';
import { eventFor } from './watches.ts';
import { Op } from './wire.ts';
import type { Peer, XenstoreModel } from './xenstore-model.ts';

const DOMID_SELF = 32752;

/** Predict an operation on watches. Source: store.md 4.1. */
export function predictWatchOp(model: XenstoreModel, peer: Peer, asked: Asked): Prediction {
  const { conn, seq } = asked;
  if (asked.type === Op.RESET_WATCHES) {
    const effect = () => {
      model.watches.removeAll(conn, seq, 'RESET_WATCHES');
      peer.transactions.clear();
    };
    return { answer: OK, effect };
  }
  const args = stringsOf(asked.payload);
  const hasDepth = asked.type === Op.WATCH && model.compat === '4.22' && args.length === 3;
  const depth = hasDepth ? parseInt32(args[2]!) : -1;
  if (hasDepth ? depth < 0 : args.length !== 2) return refuse('EINVAL', 'wrong number of strings, or negative depth');
  const [raw, token] = args as [string, string];
  const name = absolute(raw, peer, true, model.compat);
  if (name === undefined)
    return refuse(asked.type === Op.UNWATCH && model.compat === '4.17' ? 'ENOENT' : 'EINVAL', 'invalid path');
  const known = model.watches.find(conn, name, token);
  if (asked.type === Op.UNWATCH) {
    if (known === undefined) return refuse('ENOENT', 'no such watch');
    return { answer: OK, effect: () => model.watches.remove(known, seq, 'UNWATCH') };
  }
  if (known !== undefined) return refuse('EEXIST', `the same watch stands since seq ${known.seq}`);
  const cut = raw === name ? 0 : baseOf(peer.domid).length;
  const watch = { conn, name, token, depth, cut, seq };
  return {
    answer: OK,
    mayFail: peer.isPriv ? [] : model.compat === '4.22' ? ['ENOSPC', 'ENOMEM'] : ['E2BIG', 'ENOMEM'],
    effect: () => model.watches.add(watch),
    firstEvent: eventFor({ ...watch, serial: 0 }, name),
  };
}

/** Predict TRANSACTION_START: any id that is not in use. Source: store.md 5.1. */
export function predictStart(model: XenstoreModel, peer: Peer, asked: Asked): Prediction {
  if (asked.txId !== 0) return refuse('EBUSY', 'inside a transaction');
  const accepts = (payload: string) => {
    const id = Number(/^([1-9][0-9]{0,9})\0$/.exec(payload)?.[1] ?? Number.NaN);
    if (Number.isNaN(id)) return 'not a transaction id';
    return peer.transactions.has(id) ? `transaction ${id} of this connection is still open` : undefined;
  };
  const effect = (payload: string) => {
    if (payload === '') return; // its reply never came: nobody knows the id, and nobody can use it
    peer.transactions.set(Number(payload.slice(0, -1)), new Transaction(model.tree));
  };
  return { answer: reply('<id>\0'), accepts, effect, mayFail: peer.isPriv ? [] : ['ENOSPC', 'ENOMEM'] };
}

/** Predict TRANSACTION_END. Source: store.md 5.4, 5.5. */
export function predictEnd(model: XenstoreModel, peer: Peer, asked: Asked): Prediction {
  if (asked.payload !== 'T\0' && asked.payload !== 'F\0') return refuse('EINVAL', 'neither T nor F');
  const tx = peer.transactions.get(asked.txId);
  if (tx === undefined) return refuse('ENOENT', 'no transaction id given');
  const drop = () => void peer.transactions.delete(asked.txId);
  const mayVanish = tx.isDoubtful ? ['ENOENT'] : [];
  if (asked.payload === 'F\0') return { answer: OK, always: drop, mayFail: mayVanish };
  const takeEffect = () => commit(model, peer, asked, tx);
  const conflict = tx.conflict(model.doubtful);
  // 1. A transaction reads /a, and is carried over a live update. 2. No format carries what /a was like when it was read.
  // 3. The successor cannot know whether /a is still the same: EAGAIN is right although nothing changed.
  const mayFail = [...mayVanish, ...(tx.isCarried || tx.conflict() !== undefined ? ['EAGAIN'] : [])];
  // An operation refused for a quota may have marked the transaction (store.md 5.6); and what it creates is counted at the end.
  if (tx.mayHaveFailed) mayFail.push('ENOMEM');
  if (!peer.isPriv) mayFail.push('ENOSPC');
  // 1. A transaction makes a node that domain 5 will own. 2. Domain 5 dies. 3. The commit counts the node for nobody: the
  // daemon answers ENOMEM, and does so before it looks for conflicts.
  if (tx.owners().some((domid) => domid !== 0 && model.existence(domid) !== 'yes')) mayFail.push('ENOMEM');
  if (conflict === undefined)
    return { answer: OK, mayFail, effect: takeEffect, always: drop, failsUnseen: tx.isCarried };
  return {
    answer: error('EAGAIN'),
    mayFail,
    forced: takeEffect,
    always: drop,
    because: explainConflict(model, conflict),
  };
}

/** Predict the operations on domains, quotas and features. Source: store.md 1.8, 8. */
export function predictDomainOp(model: XenstoreModel, peer: Peer, asked: Asked): Prediction {
  const { compat } = model;
  const args = stringsOf(asked.payload);
  const one = domidOf(oneString(asked.payload), compat);
  switch (asked.type) {
    case Op.GET_DOMAIN_PATH:
      return one === undefined ? refuse('EINVAL', 'no domid') : { answer: reply(`/local/domain/${one}\0`) };
    case Op.IS_DOMAIN_INTRODUCED: {
      if (one === undefined) return refuse('EINVAL', 'no domid');
      return { answer: reply(one === DOMID_SELF || model.introduced(one) !== undefined ? 'T\0' : 'F\0') };
    }
    case Op.RELEASE:
    case Op.RESUME: {
      if (one === undefined || one === 0) return refuse('EINVAL', 'no domid, or the store lives there');
      const released = model.introduced(one);
      if (released === undefined) return refuse('ENOENT', `domain ${one} is not introduced`);
      // 4.22 takes the watches at once; the rest goes when the store lets go of the ring (store.md 8.2).
      if (asked.type === Op.RESUME || compat === '4.17') return { answer: OK };
      return { answer: OK, effect: () => model.watches.removeAll(released.conn, asked.seq, 'RELEASE') };
    }
    case Op.INTRODUCE: {
      const domid = domidOf(args[0], compat);
      if (args.length < 3 || domid === undefined || parseInt32(args[2]!) === 0) return refuse('EINVAL', 'malformed');
      // Mapping the ring and binding the port are the hypervisor's answer, with any of its errors.
      const mayFail = model.introduced(domid) === undefined ? ['*'] : [];
      return { answer: OK, mayFail, effect: () => model.introduce(domid, asked.seq) };
    }
    case Op.SET_TARGET: {
      const domid = domidOf(args[0], compat);
      const target = domidOf(args[1], compat);
      if (domid === undefined || target === undefined) return refuse('EINVAL', 'malformed');
      const owner = model.introduced(domid);
      if (owner === undefined || model.introduced(target) === undefined) return refuse('ENOENT', 'not introduced');
      return {
        answer: OK,
        effect: () => {
          owner.target = target;
        },
      };
    }
    case Op.SET_QUOTA: {
      const [domid, name, value] = [domidOf(args[0], compat), args[1], parseInt32(args[2] ?? '')];
      const accepts = () => undefined;
      if (args.length !== 3 || domid === undefined || name === undefined || value < 0)
        return { answer: OK, mayFail: ['*'], accepts };
      const effect = () => {
        const own = model.quotas.get(domid) ?? new Map<string, string>();
        model.quotas.set(domid, own.set(name, String(value)));
      };
      return { answer: OK, mayFail: ['*'], effect };
    }
    case Op.GET_QUOTA: {
      const value = args.length === 2 ? model.quotas.get(domidOf(args[0], compat) ?? -1)?.get(args[1]!) : undefined;
      if (value === undefined) return { answer: OK, mayFail: ['*'], accepts: () => undefined };
      return { answer: reply(`${value}\0`), mayFail: ['ENOENT'] };
    }
    default: // GET_FEATURE, SET_FEATURE: whatever they say touches neither nodes nor events.
      if (asked.type === Op.GET_FEATURE && !peer.isPriv && args.length > 0)
        return refuse('EACCES', 'of another domain');
      return { answer: OK, mayFail: ['*'], accepts: () => undefined };
  }
}
