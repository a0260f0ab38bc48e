import type { HistoryRecord } from '../history.ts';
import { type Framed, HEADER_OCTETS } from '../oracles/wire.ts';
import type { RecordLog } from '../record-log.ts';

interface Told {
  readonly sent: Extract<HistoryRecord, { readonly kind: 'sent' }>;
  readonly got: Extract<HistoryRecord, { readonly kind: 'got' }>;
}

/** What the client library of one connection says that it sent, or got, in order: where it is in the log. */
export class AllTold<K extends keyof Told> {
  readonly #log: RecordLog;
  readonly #kind: K;
  /** Where its messages end in the stream, and which records say so. */
  readonly #ends: number[] = [];
  readonly #seqs: number[] = [];
  /** By their place here, what is not the message that is in the stream. */
  #odd: Map<number, Told[K]> | undefined;
  /** Each ends further than the one before. */
  #isAscending = true;

  constructor(log: RecordLog, kind: K) {
    this.#log = log;
    this.#kind = kind;
  }

  get length(): number {
    return this.#ends.length;
  }

  /** They are the messages of the stream, as it is cut into them, from the first one on; there may be more of those. */
  areThose(messages: readonly Framed[]): boolean {
    if (!this.#isInOrder || this.length > messages.length) return false;
    const { counts } = this.#log;
    return this.#seqs.every((seq, i) => {
      const { start, end } = messages[i] as Framed;
      return end === this.#ends[i] && start === end - HEADER_OCTETS - (counts[seq] as number);
    });
  }

  /** Each is the message that ends at that position of the stream, further than the one before. */
  get #isInOrder(): boolean {
    return this.#isAscending && this.#odd === undefined;
  }

  /** A record of the columns. */
  add(seq: number): void {
    this.#add(this.#log.places[seq] as number, seq);
  }

  addOdd(record: Told[K]): void {
    this.#odd ??= new Map();
    this.#odd.set(this.#ends.length, record);
    this.#add(record.end, record.seq);
  }

  #add(end: number, seq: number): void {
    if (end <= (this.#ends.at(-1) ?? -1)) this.#isAscending = false;
    this.#ends.push(end);
    this.#seqs.push(seq);
  }

  records(): readonly Told[K][] {
    return this.#seqs.map((seq, i) => {
      const record = this.#odd?.get(i) ?? this.#log.at(seq);
      if (record?.kind !== this.#kind) throw new Error(`assertion: record ${seq} is not of something ${this.#kind}`);
      return record as Told[K];
    });
  }

  /** A function that says who sent what ends at a position, the last one that says so; to be asked for ascending positions. */
  actors(): (end: number) => string | undefined {
    if (!this.#isInOrder) {
      const known = new Map(this.records().map((each) => [each.end, each.kind === 'sent' ? each.actor : undefined]));
      return (end) => known.get(end);
    }
    let next = 0;
    return (end) => {
      while ((this.#ends[next] as number) < end) next++;
      return this.#ends[next] === end ? this.#log.actorOf(this.#seqs[next] as number) : undefined;
    };
  }
}
