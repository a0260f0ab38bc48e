import type { History, Verdict, Violation } from '../history.ts';
import { show, textOf } from '../oracles/octets.ts';
import { type Moment, Op } from '../oracles/wire.ts';
import { logOf } from '../recorded-history.ts';
import { withClientsEyes } from './answered.ts';

const CLAIM =
  'A guest that goes on in a new domain registers every watch that it had anew, in the order of its kind, before any other';
const SOURCE = 'linux drivers/xen/xenbus/xenbus_xs.c, xs_resume; guests.md 1.2 LX-18, MO-5, WN-6';

interface Registered {
  readonly path: string;
  token: string;
}

/** What one client holds on to in one life, as far as watches go. */
interface Life {
  /** In order of registration. */
  standing: Registered[];
  /** Inherited, and still to be registered anew, in the order that is due. */
  due: Registered[];
  /** Its domain shut down or died. */
  isOver: boolean;
}

/** Judge the guests of a history that were restored, from what their client libraries say. */
export function livesGoOn(history: History): Verdict {
  const violations: Violation[] = [];
  const lives = history.epochs.map((): Life => ({ standing: [], due: [], isOver: false }));
  let restores = 0;
  let watches = 0;
  const bad = (r: Moment, conn: number, due: Registered, instead: string) => {
    const { name, domid } = history.epochs[conn]!;
    const detail = `${name} was restored as domain ${domid}: its watch on ${show(due.path)} had to be registered next, ${instead}`;
    violations.push({ invariant: 'lives', seq: r.seq, timeNs: r.timeNs, actor: name, request: '', detail });
  };
  const log = logOf(history);
  /** What to take back should a request fail, by its place in the log. */
  const undo = new Map<number, () => void>();
  withClientsEyes(log, {
    fact: (r) => {
      if (r.kind === 'open') {
        const { heirOf } = history.epochs[r.conn]!;
        if (heirOf === undefined) return;
        restores++;
        const life = lives[r.conn]!;
        life.standing = lives[heirOf.conn]!.standing.slice();
        life.due = heirOf.rewatch === 'newest first' ? life.standing.toReversed() : life.standing.slice();
        watches += life.due.length;
      } else if (r.kind === 'life' && (r.what === 'shutdown' || r.what === 'dying')) {
        for (const { conn, uniqueId } of history.epochs) if (uniqueId === r.uniqueId) lives[conn]!.isOver = true;
      }
    },
    sent: (seq) => {
      const type = log.typeOf(seq);
      if (type !== Op.WATCH && type !== Op.UNWATCH) return;
      const conn = log.conns[seq]!;
      const life = lives[conn]!;
      const [path = '', token = ''] = textOf(log.payloadOf(seq)).split('\0');
      const next = life.due[0];
      if (next === undefined) undo.set(seq, note(life, type, path, token));
      else if (type === Op.UNWATCH || next.path !== path) {
        const at = { seq, timeNs: log.times[seq]! };
        bad(at, conn, next, `${type === Op.WATCH ? 'one on' : 'the end of one on'} ${show(path)} came`);
        life.due = [];
      } else {
        next.token = token; // errors are ignored: it stays in the list
        life.due.shift();
      }
    },
    answered: (reply, request) => {
      const failed = undo.get(request ?? -1);
      if (failed === undefined) return;
      undo.delete(request ?? -1);
      if (log.typeOf(reply) === Op.ERROR) failed();
    },
  });
  const end = log.at(-1);
  for (const [conn, { due, isOver }] of lives.entries())
    if (end !== undefined && due[0] !== undefined && !isOver) bad(end, conn, due[0], 'and never was');
  return {
    invariant: 'lives',
    claim: CLAIM,
    source: SOURCE,
    checked: [
      ['restores', restores],
      ['watches registered anew', watches],
    ],
    violations,
  };
}

/** A request of the guest's own. @returns what a refusal takes back. */
function note({ standing }: Life, type: number, path: string, token: string): () => void {
  if (type === Op.WATCH) {
    const watch = { path, token };
    standing.push(watch);
    return () => void standing.splice(standing.indexOf(watch), 1);
  }
  if (type === Op.UNWATCH) {
    const at = standing.findIndex((w) => w.token === token && w.path === path);
    if (at >= 0) standing.splice(at, 1);
  }
  return () => {};
}
