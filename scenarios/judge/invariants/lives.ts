import type { History, HistoryRecord, Verdict, Violation } from '../history.ts';
import { show, textOf } from '../oracles/octets.ts';
import { Op } from '../oracles/wire.ts';

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
  /** What to take back should the oldest request of a req_id fail. */
  readonly open: Map<number, (() => void)[]>;
}

/** Judge the guests of a history that were restored, from what their client libraries say. */
export function livesGoOn(history: History): Verdict {
  const violations: Violation[] = [];
  const lives = history.epochs.map((): Life => ({ standing: [], due: [], isOver: false, open: new Map() }));
  let restores = 0;
  let watches = 0;
  const bad = (r: HistoryRecord, conn: number, due: Registered, instead: string) => {
    const { name, domid } = history.epochs[conn]!;
    const detail = `${name} was restored as domain ${domid}: its watch on ${show(due.path)} had to be registered next, ${instead}`;
    violations.push({ invariant: 'lives', seq: r.seq, timeNs: r.timeNs, actor: name, request: '', detail });
  };
  for (const r of history.records) {
    if (r.kind === 'open') {
      const { heirOf } = history.epochs[r.conn]!;
      if (heirOf === undefined) continue;
      restores++;
      const life = lives[r.conn]!;
      life.standing = lives[heirOf.conn]!.standing.slice();
      life.due = heirOf.rewatch === 'newest first' ? life.standing.toReversed() : life.standing.slice();
      watches += life.due.length;
    } else if (r.kind === 'life' && (r.what === 'shutdown' || r.what === 'dying')) {
      for (const { conn, uniqueId } of history.epochs) if (uniqueId === r.uniqueId) lives[conn]!.isOver = true;
    } else if (r.kind === 'sent') {
      const life = lives[r.conn]!;
      const [path = '', token = ''] = textOf(r.payload).split('\0');
      const next = life.due[0];
      let failed = () => {};
      if (next !== undefined && (r.type === Op.WATCH || r.type === Op.UNWATCH)) {
        if (r.type === Op.UNWATCH || next.path !== path) {
          bad(r, r.conn, next, `${r.type === Op.WATCH ? 'one on' : 'the end of one on'} ${show(path)} came`);
          life.due = [];
        } else {
          next.token = token; // errors are ignored: it stays in the list
          life.due.shift();
        }
      } else failed = note(life, r.type, path, token);
      const waiting = life.open.get(r.reqId);
      if (waiting === undefined) life.open.set(r.reqId, [failed]);
      else waiting.push(failed);
    } else if (r.kind === 'got' && r.type !== Op.WATCH_EVENT) {
      const failed = lives[r.conn]!.open.get(r.reqId)?.shift();
      if (r.type === Op.ERROR) failed?.();
    }
  }
  const end = history.records.at(-1);
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
