import { KIND } from '../layout.ts';
import { HEADER_OCTETS, type Run } from './run.ts';

/**
 * Records that a search finds, in order: messages with it in their octets, where it begins with `/` or `@`; else whatever is of a
 * lane or connection of such a name, and facts that say it.
 */
export function search(run: Run, words: string): number[] {
  const wanted = words.trim();
  if (wanted === '') return [];
  const isPath = wanted.startsWith('/') || wanted.startsWith('@');
  const found: number[] = [];
  const octets = Uint8Array.from(wanted, (letter) => letter.charCodeAt(0));
  const relative = relativeTo(wanted);
  const lanes = run.data.lanes.map(({ name }) => !isPath && name.includes(wanted));
  const conns = run.data.conns.map(({ name }) => !isPath && name.includes(wanted));
  const actors = run.data.actors.map((name) => !isPath && name.includes(wanted));
  const notes = run.data.notes.map((note) => note.includes(wanted));
  const isActor = (at: number) => run.kind[at] === KIND.sent && actors[run.actor[at]!] === true;
  for (let at = 0; at < run.count; at++) {
    if (!isPath && (lanes[run.lane[at]!] || conns[run.conn[at]! - 1] || isActor(at))) found.push(at);
    else if (run.kind[at] === KIND.other) {
      if (notes[run.place[at]!]) found.push(at);
    } else if (isPath && run.isMessage(at)) {
      const bytes = run.octets(at).subarray(HEADER_OCTETS);
      if (has(bytes, octets) || (relative !== undefined && isOf(run, at, relative.owner) && has(bytes, relative.rest)))
        found.push(at);
    }
  }
  return found;
}

/** A path of a domain as the domain itself may name it. */
function relativeTo(path: string): { readonly owner: string; readonly rest: Uint8Array } | undefined {
  const [, owner, rest] = /^\/local\/domain\/([0-9]+)\/(.+)$/.exec(path) ?? [];
  if (owner === undefined || rest === undefined) return undefined;
  return { owner, rest: Uint8Array.from(rest, (letter) => letter.charCodeAt(0)) };
}

function isOf(run: Run, at: number, domid: string): boolean {
  const conn = run.data.conns[run.conn[at]! - 1];
  return conn !== undefined && String(conn.domid) === domid;
}

function has(bytes: Uint8Array, wanted: Uint8Array): boolean {
  const first = wanted[0]!;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let i = 1;
    while (i < wanted.length && bytes[at + i] === wanted[i]) i++;
    if (i === wanted.length) return true;
  }
  return false;
}
