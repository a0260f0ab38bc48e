import type { RecordLog } from '../../judge/record-log.ts';

/** How a message lies across a live update: written, or read, in part before it and in part after it. */
export interface Split {
  readonly update: number;
  readonly how: 'written' | 'read';
}

/** Position of a stream when an image was written. */
interface Cut extends Split {
  readonly at: number;
}

/** Where live updates cut the streams of a history. */
export class Splits {
  readonly #cuts = new Map<string, Cut[]>();

  constructor(log: RecordLog) {
    const positions = new Map<string, { written: number; read: number }>();
    for (let seq = 0; seq < log.length; seq++) {
      const record = log.at(seq);
      if (record?.kind === 'publish' || record?.kind === 'consume') {
        const key = keyOf(record.conn, record.dir);
        const position = positions.get(key) ?? { written: 0, read: 0 };
        position[record.kind === 'publish' ? 'written' : 'read'] = record.to;
        positions.set(key, position);
      } else if (record?.kind === 'detach') {
        positions.delete(keyOf(record.conn, 'req'));
        positions.delete(keyOf(record.conn, 'rsp'));
      } else if (record?.kind === 'liveUpdate' && record.what === 'dump') {
        for (const [key, { written, read }] of positions)
          this.#add(
            key,
            { update: record.n, how: 'written', at: written },
            { update: record.n, how: 'read', at: read },
          );
      }
    }
  }

  /** Those of the message from `from` to `to`. */
  of(conn: number, dir: 'req' | 'rsp', from: number, to: number): Split[] {
    const cuts = this.#cuts.get(keyOf(conn, dir)) ?? [];
    return cuts.filter(({ at }) => from < at && at < to).map(({ update, how }) => ({ update, how }));
  }

  #add(key: string, ...cuts: readonly Cut[]): void {
    const before = this.#cuts.get(key);
    if (before === undefined) this.#cuts.set(key, [...cuts]);
    else before.push(...cuts);
  }
}

function keyOf(conn: number, dir: 'req' | 'rsp'): string {
  return `${conn} ${dir}`;
}
