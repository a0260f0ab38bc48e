import { show, textOf } from '../oracles/octets.ts';

/** What went wrong with octets that came, and how many of those that were due they stand for. */
interface Difference {
  readonly what: string;
  readonly used: number;
}

/** So much of what came is remembered, to know it when it comes again. */
const REMEMBERED = 4_096;
/** Fewer octets in a row say nothing of where they belong. */
const TELLING = 4;

/** Octets that must come out in the order in which they went in. Offsets count from the first one that came out. */
export class OctetStream {
  #waiting = '';
  #before = '';
  /** Octets that came out. */
  moved = 0;

  put(bytes: Uint8Array): void {
    this.#waiting += textOf(bytes);
  }

  /** These came out. @returns which of them are wrong, for people; `undefined`: none. After octets that were lost, doubled or
   *  changed it goes on behind them. */
  take(bytes: Uint8Array): string | undefined {
    const got = textOf(bytes);
    const difference = compare(this.#waiting, got, this.moved, this.#before);
    this.#waiting = this.#waiting.slice(difference?.used ?? got.length);
    this.#before = (this.#before + got).slice(-REMEMBERED);
    this.moved += got.length;
    return difference?.what;
  }

  /** Replace octets that wait, as a buffer that drops some of them on purpose. */
  edit(change: (waiting: string) => string): void {
    this.#waiting = change(this.#waiting);
  }

  get left(): number {
    return this.#waiting.length;
  }

  /** The octets that wait, for people. */
  get leftover(): string {
    return `${show(this.#waiting)} from offset ${this.moved} on`;
  }
}

/** @param due octets that are next. @param before what came last. @param offset of the first of `got`. */
function compare(due: string, got: string, offset: number, before: string): Difference | undefined {
  let same = 0;
  while (same < got.length && got[same] === due[same]) same++;
  if (same === got.length) return undefined;
  const rest = got.slice(same);
  const at = offset + same;
  const next = due.slice(same);
  const passed = before + got.slice(0, same);
  // One octet is another one: what follows is as it should be.
  if (rest.length > 1 && next.startsWith(rest.slice(1), 1))
    return { what: changed(at, next, rest, 1), used: got.length };
  for (let count = rest.length; count > 0; count--) {
    if (!passed.endsWith(rest.slice(0, count)) || !next.startsWith(rest.slice(count))) continue;
    return {
      what: `${octets(count)} came twice: ${show(rest.slice(0, count))} at offset ${at}`,
      used: got.length - count,
    };
  }
  const found = rest.length < TELLING ? -1 : next.indexOf(rest, 1);
  if (found > 0)
    return {
      what: `${octets(found)} lost: ${show(next.slice(0, found))} at offset ${at}; came ${show(rest)}`,
      used: got.length + found,
    };
  if (next === '')
    return { what: `${octets(rest.length)} came that nobody put in: ${show(rest)} at offset ${at}`, used: same };
  let last = 1;
  for (let i = 1; i < rest.length; i++) if (rest[i] !== next[i]) last = i + 1;
  return { what: changed(at, next, rest, last), used: got.length };
}

function changed(at: number, due: string, got: string, count: number): string {
  return `${octets(count)} changed at offset ${at}: expected ${show(due.slice(0, count))}, came ${show(got.slice(0, count))}`;
}

function octets(count: number): string {
  return count === 1 ? '1 octet' : `${count} octets`;
}
