import type { Actor, Frame, Gfn, Memory } from '../../sim/index.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';

/** How a guest writes to its memory (4.3). */
export interface DirtyPlan {
  /** Pages that it works in, beside one that tells of them. */
  readonly pages: number;
  /** Of these, those that are written again and again, all of them in `hotPeriodNs`. */
  readonly hot: number;
  readonly hotPeriodNs: number;
  /** Writes a second over the rest, each to a page that is drawn. */
  readonly background: number;
  /** Of 100 spans of 10 ms, in how many there are ten times as many of these. */
  readonly burstsOf100: number;
}

const TICK_NS = 1_000_000;
const NS_PER_S = 1_000_000_000;
/** Ticks of one span. */
const SPAN_TICKS = 10;
/** The first write to a page that log-dirty has called clean: a trip into Xen, ns. */
const FAULT_NS = 2_000;
const WRITE_NS = 100;

/** The page that tells: magic, pages, hot, hot period in ns, background, bursts, writes so far, then the gfns. */
const MAGIC = 0x4452_4954;
const AT = { magic: 0, pages: 4, hot: 8, hotPeriodNs: 12, background: 16, bursts: 20, writes: 24, gfns: 64 } as const;
/** Pages that the page which tells has room for. */
export const DIRTY_PAGES_MAX = 1_000;
/** In each page: how often it was written, and so many words, of which each write changes one. */
const COUNT_AT = 0;
const WORDS_AT = 8;
const WORDS = 1_022;

/** What is wrong with a page: its number among the pages. */
export interface DirtyFinding {
  readonly page: number;
  readonly gfn: Gfn;
  readonly detail: string;
}

/**
 * A program that writes to its memory, and has all that it knows there: it goes on from the pages alone. What a page holds
 * follows from its number and from how often it was written, and all pages together from one sum: so a page that is of another
 * moment than the rest shows.
 */
export class DirtyMemory {
  readonly #os: GuestOs;
  readonly #told: Gfn;
  /** Of who writes; a thread may take its first step in a new domain before its kernel has found out. */
  #me: Thread | undefined;

  private constructor(os: GuestOs, told: Gfn) {
    this.#os = os;
    this.#told = told;
  }

  /** Take the pages, and remember them in the domain: a kernel that begins there can find them again. */
  static create(os: GuestOs, plan: DirtyPlan): DirtyMemory {
    if (plan.pages > DIRTY_PAGES_MAX || plan.hot > plan.pages) throw new Error(`assertion: ${plan.pages} pages`);
    const told = os.allocPage();
    const put = (at: number, value: number) => told.store32(at, value, true);
    put(AT.pages, plan.pages);
    put(AT.hot, plan.hot);
    put(AT.hotPeriodNs, plan.hotPeriodNs);
    put(AT.background, plan.background);
    put(AT.bursts, plan.burstsOf100);
    for (let i = 0; i < plan.pages; i++) put(AT.gfns + 4 * i, os.allocPage().gfn);
    put(AT.magic, MAGIC);
    os.domain.program = `dirty-memory ${told.gfn}`;
    return new DirtyMemory(os, told.gfn);
  }

  /** What a domain's memory has of it, by the name that it left; `undefined`: nothing. */
  static find(os: GuestOs, program: string = os.domain.program): DirtyMemory | undefined {
    const gfn = Number(/^dirty-memory (\d+)$/.exec(program)?.[1] ?? Number.NaN);
    const told = os.domain.memory.frame(gfn);
    return told?.load32(AT.magic) === MAGIC ? new DirtyMemory(os, gfn) : undefined;
  }

  /** Writes so far. */
  get writes(): number {
    return this.#page(this.#told).load32(AT.writes);
  }

  get pages(): number {
    return this.#page(this.#told).load32(AT.pages);
  }

  /** Write on, for ever. Draws from the thread's own stream which pages. */
  *run(me: Thread, stopping: () => boolean = () => false): Actor {
    this.#me = me;
    let hotDue = 0;
    let backgroundDue = 0;
    let isBurst = false;
    let cursor = 0;
    for (let tick = 0; !stopping(); tick++) {
      const told = this.#page(this.#told);
      const [pages, hot] = [told.load32(AT.pages), told.load32(AT.hot)];
      if (tick % SPAN_TICKS === 0) isBurst = me.draws.below(100) < told.load32(AT.bursts);
      hotDue += (hot * TICK_NS) / told.load32(AT.hotPeriodNs);
      backgroundDue += (told.load32(AT.background) * TICK_NS * (isBurst ? 10 : 1)) / NS_PER_S;
      let spentNs = 0;
      while (hotDue >= 1 || backgroundDue >= 1) {
        let page = cursor;
        if (hotDue >= 1) {
          hotDue--;
          cursor = (cursor + 1) % Math.max(1, hot);
        } else {
          backgroundDue--;
          page = hot + me.draws.below(Math.max(1, pages - hot));
        }
        if (page < pages) this.#write(page);
        const ns = WRITE_NS + FAULT_NS * (this.#memory.dirty?.takeFaults() ?? 0);
        spentNs += ns;
        yield ns;
      }
      yield Math.max(1, TICK_NS - spentNs);
    }
  }

  /** Pages that cannot be what this program left: written for another number, or another sum. */
  *check(): Iterable<DirtyFinding> {
    const { pages, writes } = this;
    let sum = 0;
    for (let page = 0; page < pages; page++) {
      const gfn = this.#gfn(page);
      const frame = this.#memory.frame(gfn);
      if (frame === undefined) {
        yield { page, gfn, detail: 'is not there' };
        continue;
      }
      const count = frame.load32(COUNT_AT);
      sum += count;
      const wrong = wrongWord(frame, page, count);
      if (wrong !== undefined)
        yield { page, gfn, detail: `was written ${count} times, and word ${wrong} is of another time` };
    }
    if (sum !== writes) yield { page: -1, gfn: this.#told, detail: `${writes} writes, and pages that had ${sum}` };
  }

  #write(page: number): void {
    const frame = this.#page(this.#gfn(page));
    const count = frame.load32(COUNT_AT) + 1;
    frame.store32(WORDS_AT + 4 * (count % WORDS), mix(page, count), true);
    frame.store32(COUNT_AT, count, true);
    this.#page(this.#told).store32(AT.writes, this.writes + 1, true);
  }

  /** Where the thread is: while its vCPUs are saved that is nowhere, and one that has ended does not go along elsewhere. */
  get #memory(): Memory {
    const task = this.#me?.task;
    const own = task?.state === 'done' ? undefined : task?.domain?.memory;
    return own?.frame(this.#told) === undefined ? this.#os.domain.memory : own;
  }

  #gfn(page: number): Gfn {
    return this.#page(this.#told).load32(AT.gfns + 4 * page);
  }

  /** Looked up each time: after a restore the page is another one. */
  #page(gfn: Gfn): Frame {
    const frame = this.#memory.frame(gfn);
    if (frame === undefined) throw new Error(`assertion: a guest without its page 0x${gfn.toString(16)}`);
    return frame;
  }
}

/** The first word that is not what so many writes leave. */
function wrongWord(frame: Frame, page: number, count: number): number | undefined {
  for (let word = 0; word < WORDS; word++) {
    const last = count - ((count - word + WORDS) % WORDS);
    const expected = last <= 0 ? 0 : mix(page, last);
    if (frame.load32(WORDS_AT + 4 * word) !== expected) return word;
  }
  return undefined;
}

/** What write `count` of a page stores. */
function mix(page: number, count: number): number {
  return (Math.imul(page + 1, 0x9e37_79b1) ^ Math.imul(count, 0x85eb_ca6b)) >>> 0;
}
