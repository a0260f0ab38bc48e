import type { Actor } from '../../sim/index.ts';
import { octetsOf as octets } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Thread } from '../kernel/index.ts';
import { strings, Xs, type XsProgram } from '../xenstore/index.ts';
import type { Traffic } from './traffic.ts';

export interface CarelessPlan {
  /** Longest pause between two requests, ns. */
  readonly thinkNsMax: number;
  readonly connect: () => XsProgram;
  /** Domids that there may be. */
  readonly domids: readonly number[];
  /** Whether updates carry limits of single domains; otherwise it only asks for them. */
  readonly setsLimits: boolean;
}

/** Where it has its nodes. */
const HOME = '/careless';
const CROWD = `${HOME}/crowd`;
/** So many names of such a length do not fit into one message. */
const NAMES = 60;
const NAME_LENGTH = 80;
const nameOf = (n: number) => `n${n}`.padEnd(NAME_LENGTH, '-');
/** Subtrees that come and go. */
const TREES = 3;
const treeOf = (n: number) => `${HOME}/tree/${n}`;
/** Longer than any guest may name a node, and as long as dom0 may. */
const LONG = 2_100;

/** One request: its type, its payload, and what it is meant to show. */
type Odd = readonly [type: number, payload: Uint8Array];

const TEXTS = ['', '\0', 'x\0', '-1\0', '0\0', '32752\0', '40000\0', '99999999999\0', '7', '7\x008\0'];
const QUOTAS = ['nodes', 'watches', 'path-max', 'node-size', 'outstanding', 'memory', 'nonsense', ''];
const COMMANDS = [
  '',
  'check\0',
  'check\0now\0',
  'print\0',
  'print\0a\0',
  'quota\0',
  'quota\0x\0',
  'help\0',
  'nonsense\0',
];
const PRIVILEGED = [XS.INTRODUCE, XS.RELEASE, XS.RESUME, XS.SET_TARGET, XS.IS_DOMAIN_INTRODUCED] as const;
/** Types that no daemon knows. */
const UNKNOWN = [20, 27, 100, 0xffff];

/**
 * A privileged program that was written without care: it asks for everything with payloads that are none, names domains that are
 * not there, watches what cannot be, and keeps a directory that no message can hold. The store owes it an answer each time.
 */
export function* careless(me: Thread, traffic: Traffic, plan: CarelessPlan): Actor {
  const { draws } = me;
  const client = plan.connect();
  const xs = new Xs(client, me);
  const ask = function* (type: number, payload: Uint8Array, tx = 0): Actor {
    const { error } = yield* client.request(me, type, payload, tx);
    if (error !== undefined) traffic.refused(error);
  };
  for (let n = 0; n < NAMES && !traffic.stopping; n++) yield* xs.write(`${CROWD}/${nameOf(n)}`, '');
  for (let n = 0; n < TREES; n++) yield* xs.watch(`${treeOf(n)}/below/it`, 'below');
  while (!traffic.stopping && client.isOpen) {
    switch (draws.below(6)) {
      case 0:
        yield* ask(...privileged(me, plan.domids));
        break;
      case 1:
        yield* ask(...malformed(me));
        break;
      case 2:
        yield* watches(me, xs);
        break;
      case 3:
        yield* changes(me, xs);
        break;
      case 4:
        yield* limits(me, xs, plan);
        break;
      default:
        yield* crowd(me, xs);
    }
    yield draws.below(plan.thinkNsMax);
  }
}

/** What only the privileged may ask for, of domains that may not be there. Nobody who is there is let go of. */
function privileged({ draws }: Thread, domids: readonly number[]): Odd {
  const type = draws.pick(PRIVILEGED);
  const isHarmless = type === XS.IS_DOMAIN_INTRODUCED;
  const domid = isHarmless ? String(draws.pick(domids)) : draws.pick(['0', '31000', 'x', '']);
  if (draws.oneIn(3)) return [XS.CONTROL, octets(draws.pick(COMMANDS))];
  if (type === XS.INTRODUCE) return [type, strings(domid, '1', draws.pick(['0', 'x', '']))];
  if (type === XS.SET_TARGET) return [type, strings(domid, '31001')];
  return [type, strings(domid)];
}

/** Any operation, with a payload that is none. */
function malformed({ draws }: Thread): Odd {
  const text = draws.pick(TEXTS);
  const types = [XS.READ, XS.DIRECTORY, XS.GET_PERMS, XS.WRITE, XS.MKDIR, XS.SET_PERMS, XS.UNWATCH, XS.GET_DOMAIN_PATH];
  const type = draws.oneIn(4) ? draws.pick(UNKNOWN) : draws.pick([...types, XS.TRANSACTION_END, XS.DIRECTORY_PART]);
  return [type, octets(text)];
}

/** Watches come and go, in forms that the store takes and in others. */
function* watches({ draws }: Thread, xs: Xs): Actor {
  const path = draws.pick(['@releaseDomain', '@introduceDomain', HOME, '//', '/a//b', 'relative/path', `${HOME}/`, '']);
  yield* xs.watch(path, 'careless');
  if (draws.oneIn(4)) yield* xs.watch(path, 'careless');
  if (draws.oneIn(3)) yield* xs.write(`${HOME}/watched`, String(draws.below(10)));
  yield* xs.unwatch(path, 'careless');
}

/** Transactions that make and take away the same node, write above what they remove, look for what is not there, and end badly. */
function* changes({ draws }: Thread, xs: Xs): Actor {
  const node = treeOf(draws.below(TREES));
  const outer = yield* xs.begin();
  if ('error' in outer) return;
  const tx = outer.txId;
  if (draws.oneIn(4)) yield* xs.call(XS.TRANSACTION_START, strings(''), tx);
  for (let n = draws.below(6); n >= 0; n--) {
    const path = draws.oneIn(2) ? node : `${node}/below/it`;
    switch (draws.below(5)) {
      case 0:
        yield* xs.write(path, String(draws.below(100)), tx);
        break;
      case 1:
        yield* xs.rm(path, tx);
        break;
      case 2:
        yield* xs.mkdir(path, tx);
        break;
      case 3:
        yield* xs.setPerms(path, ['n0', draws.pick(['r1', 'b2', 'w3'])], tx);
        break;
      default:
        yield* xs.read(path, tx);
    }
  }
  if (draws.oneIn(2)) {
    const passing = `${HOME}/passing`;
    yield* xs.write(passing, '', tx);
    yield* xs.rm(passing, tx);
    if (draws.oneIn(2)) {
      yield* xs.write(node, 'before it goes', tx);
      yield* xs.rm(node, tx);
    }
    yield* xs.write(`${node}/after`, '', tx);
  }
  if (draws.oneIn(6)) yield* xs.call(XS.TRANSACTION_END, octets('maybe\0'), tx);
  yield* xs.end(tx, !draws.oneIn(3));
  if (draws.oneIn(6)) yield* xs.read(node, tx); // it is over
}

/** Limits are raised, and asked for. They only ever grow: nobody else is to feel them. */
function* limits({ draws }: Thread, xs: Xs, { domids, setsLimits }: CarelessPlan): Actor {
  const domid = String(draws.pick(domids));
  const name = draws.pick(QUOTAS);
  if (draws.oneIn(3)) yield* xs.call(XS.SET_QUOTA, strings(domid, name, '-1'));
  if (setsLimits && draws.oneIn(3))
    yield* xs.call(XS.SET_QUOTA, strings(domid, name, String(3_000_000 + draws.below(1_000))));
  yield* xs.call(XS.GET_QUOTA, strings(domid, name));
}

/** A directory that is listed in parts while it changes, and a name that is as long as names get. */
function* crowd({ draws }: Thread, xs: Xs): Actor {
  const path = `${CROWD}/${nameOf(draws.below(NAMES))}`;
  if (draws.oneIn(2)) yield* xs.rm(path);
  else yield* xs.write(path, '');
  if (draws.oneIn(2)) yield* xs.names(CROWD);
  if (draws.oneIn(8)) yield* xs.write(`${HOME}/${'l'.repeat(LONG)}`, 'long');
}
