import { oneString, parseInt32, stringsOf } from './numbers.ts';
import { absolute, childOf, leafOf, parentOf } from './paths.ts';
import { DOMID_ANY, OWNER, type Perm, parsePerm, printsAs, READ, rightsOf, WRITE } from './permissions.ts';
import { type Asked, error, OK, type Prediction, refuse, reply } from './prediction.ts';
import { create, type Node, postOrder, type Transaction, unlink, type View, type Writer } from './tree.ts';
import { Op } from './wire.ts';
import type { Peer, XenstoreModel } from './xenstore-model.ts';

/** Everything an operation on nodes needs. */
interface Scene {
  readonly model: XenstoreModel;
  readonly peer: Peer;
  readonly asked: Asked;
  readonly view: View;
  readonly tx: Transaction | undefined;
  readonly by: Writer;
}

type Seen =
  | { readonly state: 'ok'; readonly node: Node }
  | { readonly state: 'missing' }
  | { readonly state: 'denied' };

/** The visibility rule. In a transaction, looking is what makes a name part of the read set. Source: store.md 3.3, 5.3. */
function look(s: Scene, name: string, wanted: number): Seen {
  const node = s.view.read(name);
  if (node !== undefined) {
    if ((rightsOf(node.perms, s.peer) & wanted) === wanted) return { state: 'ok', node };
    s.view.read(parentOf(name));
    return { state: 'denied' };
  }
  let top = parentOf(name);
  let ancestor = s.view.read(top);
  while (ancestor === undefined && top !== '/') {
    top = parentOf(top);
    ancestor = s.view.read(top);
  }
  const shares = ancestor !== undefined && (rightsOf(ancestor.perms, s.peer) & wanted) !== 0;
  return { state: shares ? 'missing' : 'denied' };
}

/** Predict an operation on nodes: DIRECTORY, DIRECTORY_PART, READ, GET_PERMS, WRITE, MKDIR, RM, SET_PERMS.
 *  Order of checks: store.md 1.8. */
export function predictNodeOp(model: XenstoreModel, peer: Peer, asked: Asked): Prediction {
  const tx = peer.transactions.get(asked.txId);
  const s: Scene = { model, peer, asked, tx, view: tx ?? model.tree, by: model.writer(peer, asked, false) };
  const plain = forOwners(s, predictOne(s));
  if (peer.isPriv) return plain;
  const mayFail = [...(plain.mayFail ?? []), ...quotaErrors(asked, tx, plain)];
  if (mayFail.length === 0) return plain;
  if (tx === undefined) return { ...plain, mayFail };
  const onFailure = () => {
    plain.onFailure?.();
    tx.mayHaveFailed = true;
  };
  return { ...plain, mayFail, onFailure };
}

/**
 * 1. A transaction makes something for domain 5. 2. Domain 5 goes. 3. It makes more: from when the store has noticed that, the
 * answer is ENOMEM, as there is nobody to count it for (4.22). No record shows when that is. Who takes a node from domain 5
 * gets the same when domain 5 lives and was only let go of: its account is gone. Source: domain.c, domain_acc_add.
 */
function forOwners(s: Scene, plain: Prediction): Prediction {
  const { type } = s.asked;
  const counts = type === Op.WRITE || type === Op.MKDIR || type === Op.SET_PERMS;
  if (!counts || s.tx === undefined || s.model.compat === '4.17' || plain.name === undefined) return plain;
  let name = plain.name;
  while (s.tx.peek(name) === undefined && name !== '/') name = parentOf(name);
  const owner = s.tx.peek(name)?.perms[0]?.domid ?? 0;
  const isThere = type === Op.SET_PERMS ? s.model.hasAccount(owner) === 'yes' : s.model.existence(owner) === 'yes';
  if (isThere || owner === s.peer.domid) return plain;
  return { ...plain, mayFail: [...(plain.mayFail ?? []), 'ENOMEM'] };
}

/** Errors of quotas (store.md 6). They are accepted from unprivileged connections wherever they can come at all: to
 *  predict them exactly would mean to model accounting, which the protocol does not show. */
function quotaErrors(asked: Asked, tx: Transaction | undefined, plain: Prediction): readonly string[] {
  const changes = asked.type === Op.WRITE || asked.type === Op.MKDIR || asked.type === Op.SET_PERMS;
  if (changes) return ['ENOSPC', 'ENOMEM', 'EIO'];
  if (tx !== undefined) return asked.type === Op.RM ? ['ENOSPC', 'EIO'] : ['ENOSPC', 'ENOMEM'];
  return plain.answer.ok && plain.answer.payload.length > 16 ? ['ENOMEM'] : [];
}

function predictOne(s: Scene): Prediction {
  switch (s.asked.type) {
    case Op.WRITE:
      return predictWrite(s);
    case Op.SET_PERMS:
      return predictSetPerms(s);
    case Op.DIRECTORY_PART:
      return predictDirectoryPart(s);
  }
  const raw = oneString(s.asked.payload);
  // 4.17 answers a malformed request with whatever the last failing call left in errno (store.md 1.7).
  if (raw === undefined)
    return s.model.compat === '4.17' ? { ...refuse('EINVAL'), mayFail: ['*'] } : refuse('EINVAL', 'malformed');
  const special = s.asked.type === Op.GET_PERMS && s.model.compat === '4.22';
  const name = absolute(raw, s.peer, special, s.model.compat);
  if (name === undefined) return refuse('EINVAL', 'invalid path');
  switch (s.asked.type) {
    case Op.MKDIR:
      return predictMkdir(s, name);
    case Op.RM:
      return predictRm(s, name);
    default:
      return predictRead(s, name);
  }
}

function unseen(seen: Exclude<Seen, { state: 'ok' }>, name: string): Prediction {
  return seen.state === 'missing'
    ? { ...refuse('ENOENT', `no node ${name}`), name }
    : { ...refuse('EACCES', `no permission at ${name}`), name };
}

function predictRead(s: Scene, name: string): Prediction {
  const seen = look(s, name, READ);
  if (seen.state !== 'ok') return unseen(seen, name);
  const { node } = seen;
  if (s.asked.type === Op.READ) return { answer: reply(node.value), node, name };
  if (s.asked.type === Op.GET_PERMS) {
    const accepts = (payload: string) =>
      printsAs(node.perms, stringsOf(payload)) ? undefined : 'not the permissions of the node';
    return { answer: reply(s.model.printed(node.perms)), accepts, node, name };
  }
  const list = node.children.map((c) => `${c}\0`).join('');
  if (list.length > 4096) return { ...refuse('E2BIG', 'list too long'), node, name };
  return { answer: reply(list), node, name };
}

function predictDirectoryPart(s: Scene): Prediction {
  const args = stringsOf(s.asked.payload);
  if (args.length !== 2) return refuse('EINVAL', 'not two strings');
  const name = absolute(args[0]!, s.peer, false, s.model.compat);
  if (name === undefined) return refuse('EINVAL', 'invalid path');
  const seen = look(s, name, READ);
  if (seen.state !== 'ok') return unseen(seen, name);
  const { node } = seen;
  const list = node.children.map((c) => `${c}\0`).join('');
  const offset = parseInt32(args[1]!) >>> 0;
  const accepts = (payload: string) => {
    const generation = /^[0-9]+\0/.exec(payload)?.[0];
    if (generation === undefined) return 'no generation number';
    if (payload !== generation + pageOf(list, offset, 4096 - generation.length - 1)) return 'not this page of the list';
    if (s.tx !== undefined) return undefined;
    return s.model.sameGeneration(name, generation, node.version);
  };
  return { answer: reply(`<generation>\0${pageOf(list, offset, 4080)}`), accepts, node, name };
}

/** Whole names from `offset` on, as many as fit; a final NUL where the list ends. Source: store.md 3.6. */
function pageOf(list: string, offset: number, room: number): string {
  if (offset >= list.length) return '\0';
  let at = offset;
  while (at < list.length) {
    const end = list.indexOf('\0', at) + 1;
    if (end - offset >= room) return list.slice(offset, at);
    at = end;
  }
  return `${list.slice(offset)}\0`;
}

function predictWrite(s: Scene): Prediction {
  const cut = s.asked.payload.indexOf('\0');
  if (cut < 0) return refuse('EINVAL', 'no NUL');
  const name = absolute(s.asked.payload.slice(0, cut), s.peer, false, s.model.compat);
  if (name === undefined) return refuse('EINVAL', 'invalid path');
  const value = s.asked.payload.slice(cut + 1);
  const seen = look(s, name, WRITE);
  if (seen.state === 'denied') return unseen(seen, name);
  const effect = () => {
    if (seen.state === 'ok') s.view.write(name, { ...seen.node, value }, s.by, 'subtree');
    else create(s.view, name, value, s.peer, s.by);
    if (s.tx === undefined) s.model.fire(name, 'subtree', s.model.tree.read(name), undefined);
  };
  return { answer: OK, effect, name };
}

function predictMkdir(s: Scene, name: string): Prediction {
  const seen = look(s, name, WRITE);
  if (seen.state === 'denied') return unseen(seen, name);
  if (seen.state === 'ok') return { answer: OK, name };
  const effect = () => {
    create(s.view, name, '', s.peer, s.by);
    if (s.tx === undefined) s.model.fire(name, 'subtree', s.model.tree.read(name), undefined);
  };
  return { answer: OK, effect, name };
}

function predictRm(s: Scene, name: string): Prediction {
  const seen = look(s, name, WRITE);
  if (seen.state === 'denied') return unseen(seen, name);
  if (seen.state === 'missing') {
    return s.view.read(parentOf(name)) === undefined
      ? { ...refuse('ENOENT', `no node ${parentOf(name)}`), name }
      : { answer: OK, name };
  }
  if (name === '/') return refuse('EINVAL', 'the root stays');
  const { tx } = s;
  if (tx === undefined) return { answer: OK, effect: () => s.model.remove(s.view, name, s.by), name };
  // 1. The transaction looks at a node. 2. Somebody removes its parent. 3. RM asks for the parent first, and removes nothing.
  if (tx.read(parentOf(name)) === undefined) return { ...refuse('EINVAL', 'its parent is gone'), name };
  // A transaction's lists and nodes may not fit: one was read before, the other after somebody else's change. The daemon
  // removes until it notices, answers EIO, and leaves what it has removed removed; the commit cannot succeed any more.
  if (!fits(tx, name, true))
    return {
      ...refuse('EIO', 'the lists do not fit the nodes'),
      always: () => void removeUntil(s, tx, name, true),
      name,
    };
  const effect = () => s.model.remove(tx, name, s.by);
  const unread = { read: (each: string) => tx.peek(each) };
  if (postOrder(unread, name).every(({ node }) => isCounted(s, node))) return { answer: OK, effect, name };
  // 1. The transaction looks at what domain 5 owns, or makes something for it. 2. The store lets go of domain 5, at a moment that
  // not every record shows. 3. RM takes a node from an account that is gone: EIO, and what was removed before stays removed.
  return { answer: OK, effect, mayFail: ['EIO'], onFailure: () => void removeUntil(s, tx, name, true), name };
}

/** Whether the owner's account is there for certain, so that the node can be taken from it. 4.17 counts at commit only. */
function isCounted({ model, peer }: Scene, { perms }: Node): boolean {
  const owner = perms[0]!.domid;
  return model.compat === '4.17' || owner === peer.domid || model.hasAccount(owner) === 'yes';
}

function fits(tx: Transaction, name: string, isTop: boolean): boolean {
  const node = tx.peek(name);
  if (node === undefined) return false;
  if (isTop && tx.peek(parentOf(name))?.children.includes(leafOf(name)) !== true) return false;
  return node.children.every((leaf) => fits(tx, childOf(name, leaf), false));
}

/** Remove up to where the daemon gives up: a node that is not there, or one whose owner has no account.
 *  @returns whether it got to the end. */
function removeUntil(s: Scene, tx: Transaction, name: string, isTop: boolean): boolean {
  const node = tx.read(name);
  if (node === undefined) return false;
  for (const leaf of node.children) if (!removeUntil(s, tx, childOf(name, leaf), false)) return false;
  if (!isCounted(s, node)) {
    tx.leaveHalfRemoved(name);
    return false;
  }
  tx.write(name, undefined, s.by, 'exact');
  if (!isTop) unlink(tx, name, s.by);
  return true;
}

function predictSetPerms(s: Scene): Prediction {
  const args = stringsOf(s.asked.payload);
  if (args.length < 2) return refuse('EINVAL', 'no permissions');
  const perms: Perm[] = [];
  for (const text of args.slice(1)) {
    const one = parsePerm(text);
    if (one === undefined) return refuse('EINVAL', 'no permission entry');
    const exists = one.domid === DOMID_ANY ? 'yes' : s.model.existence(one.domid);
    perms.push({ ...one, isStale: exists === 'no', mayBeStale: exists === 'unsure' });
  }
  const owner = perms[0]!;
  if (owner.isStale) return refuse('ENOENT', `no domain ${owner.domid}`);
  const raw = args[0]!;
  const name = absolute(raw, s.peer, true, s.model.compat);
  // The store learns that a domain is gone only from its VIRQ; until then it may take it for an existing one or not.
  const mayFail = s.model.existence(owner.domid) === 'unsure' || owner.domid === DOMID_ANY ? ['ENOENT', 'ENOMEM'] : [];
  if (name === undefined) return { ...refuse('EINVAL', 'invalid path'), mayFail };
  const seen = look(s, name, WRITE | OWNER);
  if (seen.state !== 'ok') return { ...unseen(seen, name), mayFail: name.startsWith('@') ? ['*'] : mayFail };
  const { node } = seen;
  if (!s.peer.isPriv && node.perms[0]!.domid !== owner.domid)
    return { answer: error('EPERM'), because: 'not the owner', mayFail, name };
  const effect = () => {
    for (const p of perms) s.model.domains.refer(p.domid);
    s.view.write(name, { ...node, perms }, s.by, 'subtree');
    const silent = name.startsWith('@') && s.model.compat === '4.17';
    if (s.tx === undefined && !silent) s.model.fire(name, 'subtree', s.model.tree.read(name), node.perms);
  };
  return { answer: OK, effect, mayFail, name };
}
