import { type Carrier, STATE_ROWS, type StateRow } from '../../../../store/format/model/carriage.ts';

/** The table of what the documents can hold and what the daemons transfer, as it is published. */
const PUBLISHED = `
| state | G1 | G2 | G3.0 | G3.1 | G3.2 | G4.0 | G4.1 | C-4.16 | C-4.22 | Ox-c |
| node path, value | y | y | y | y | y | y | y | y | y | y |
| sibling order | p1 | p1 | p1 | p1 | p1 | p1 | p1 | y | y | - |
| owner and ACL | y | y | y | y | y | y | y | y | y | y |
| stale ACL entry | - | - | - | - | y | y | y | y | y | - |
| ACL of special nodes | - | - | p2 | p2 | p2 | p2 | p2 | y | y | y |
| node generation | - | - | - | - | - | - | - | - | - | - |
| watch path, token | y | y | y | y | y | y | y | y | y | y |
| watch depth | - | - | - | - | - | y | y | n/a | p3 | n/a |
| open transaction id | y | y | y | y | y | y | y | - | - | - |
| transaction writes | - | p4 | y | y | y | y | y | - | - | - |
| transaction deletes | - | y | y | y | y | y | y | - | - | - |
| transaction reads | - | p4 | y | y | y | y | y | - | - | - |
| conflict base (generation at start / first access) | - | - | - | - | - | - | - | - | - | - |
| watch events queued in a transaction | - | - | - | - | - | - | - | - | - | - |
| undelivered output | - | y | y | y | y | y | y | y | y | - |
| boundary of half-sent message | - | - | - | y | y | y | y | y | y | - |
| consumed but unprocessed input | - | - | - | y | y | y | y | y | y | - |
| delayed requests | - | - | - | p5 | p5 | p5 | p5 | y | y | - |
| SET_TARGET | - | - | y | y | y | y | y | p6 | p6 | - |
| which domain a record belongs to | p7 | y | y | y | y | y | y | y | y | y |
| more than one connection | - | p8 | y | y | y | y | y | y | y | y |
| socket connections (fd) | - | - | y | y | y | y | y | y | y | y |
| read-only connection | - | - | y | y | - | - | - | n/a | n/a | n/a |
| listening sockets | - | - | rw+ro | rw+ro | rw | rw | rw | rw | rw | rw |
| event channel device fd | - | - | - | - | y | y | y | y | y | y |
| event channel port | - | - | guest | guest | daemon | daemon | daemon | daemon | daemon | both |
| ring frame number | - | - | - | - | - | - | - | - | - | y |
| default quotas | - | - | - | - | - | y | y | - | y | - |
| per-domain quotas | - | - | - | - | - | y | y | - | y | - |
| unknown quotas passed through | - | - | - | - | - | y | y | - | - | - |
| server features per domain | - | - | - | - | - | v2 | v2 | - | v2 | - |
| domain unique id | - | - | - | - | - | - | y | - | y | - |
| introduced-but-dead, ignored, shutdown flags | - | - | - | - | - | - | - | - | - | - |
`
  .trim()
  .split('\n')
  .map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  );

export const [, ...COLUMNS] = PUBLISHED[0] as [string, ...Carrier[]];
export const CELLS = PUBLISHED.slice(1).flatMap(([title, ...marks]) =>
  marks.map((mark, i) => ({ title: title as string, carrier: COLUMNS[i] as Carrier, mark })),
);
export const rowOf = (title: string) => Object.entries(STATE_ROWS).find(([, name]) => name === title)?.[0] as StateRow;
