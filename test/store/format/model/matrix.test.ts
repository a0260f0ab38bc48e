import { describe, expect, it } from 'vitest';
import {
  CARRIERS,
  type Carrier,
  carriageOf,
  STATE_ROWS,
  type StateRow,
} from '../../../../store/format/model/carriage.ts';
import { diffStates } from '../../../../store/format/model/diff.ts';
import { lossText } from '../../../../store/format/model/losses.ts';
import { reduceState } from '../../../../store/format/model/reduce.ts';
import { everything } from './everything.ts';
import { CELLS, rowOf } from './published.ts';

/** What a mark means for a state that has something of every kind: is there a loss? */
const LOSES: Readonly<Record<string, boolean>> = {
  y: false,
  '-': true,
  'n/a': true,
  p1: false,
  p2: false,
  p3: true,
  p5: false,
  p6: true, // the target of domain 5 comes after it
  p7: false,
  p8: false, // the socket has a row of its own
  rw: true, // there is a read-only one
  'rw+ro': false,
  guest: true,
  daemon: true,
  both: false,
  v2: false,
};

describe('the table of what formats carry', () => {
  it.each(CELLS)('$title in $carrier is $mark', ({ title, carrier, mark }) => {
    expect(carriageOf(carrier).marks[rowOf(title)]).toBe(mark);
  });

  it.each(CARRIERS)('has a mark in each row for %s', (carrier) => {
    expect(Object.keys(carriageOf(carrier).marks)).toEqual(Object.keys(STATE_ROWS));
  });

  it.each(CELLS)('$carrier loses of "$title" what $mark says', ({ title, carrier, mark }) => {
    const row = rowOf(title);
    const lost = reduceState(everything(), carriageOf(carrier)).losses.filter((loss) => loss.row === row);
    // Reads are left out or listed as written; writes are listed, and come back as writes.
    if (mark === 'p4') expect(lost.length > 0).toBe(row === 'txReads');
    // One file for each domain: nothing is lost as long as all are written.
    else if (row === 'connections') expect(lost).toEqual([]);
    // Said of the socket, which is gone.
    else if (row === 'readOnly' && ['G1', 'G2'].includes(carrier)) expect(lost).toEqual([]);
    else expect(lost.length > 0).toBe(LOSES[mark]);
  });

  it.each(CARRIERS)('%s takes no more the second time, and the differences are those it told of', (carrier) => {
    const carriage = carriageOf(carrier);
    const { state, losses } = reduceState(everything(), carriage);
    expect(reduceState(state, carriage).losses).toEqual([]);
    const told = new Set(losses.map(({ row }) => row));
    if (carriage.outputOnBoundary) told.add('output'); // goes with the boundary that is not there
    expect(told).toEqual(new Set([...diffStates(everything(), state).map(({ row }) => row), ...gone(told)]));
  });

  it('says of each loss what it happens to and what becomes of it', () => {
    const texts = (carrier: Carrier) => reduceState(everything(), carriageOf(carrier)).losses.map(lossText);
    expect(texts('G3.1')).toEqual([
      'node "/b": stale ACL entry dropped: r9',
      'node "/b": node generation dropped: 77; it counts anew',
      'daemon: event channel device fd dropped: fd 6',
      'daemon: port of VIRQ_DOM_EXC dropped: port 8; the successor binds the VIRQ again',
      'daemon: default quotas dropped: nodes=1000',
      'daemon: unknown quotas passed through dropped: odd=3',
      "domain 0: event channel port dropped: 1, the daemon's",
      'domain 0: ring frame number dropped: 1',
      'domain 0: domain unique id dropped: 0x1',
      "domain 5: event channel port dropped: 42, the daemon's",
      'domain 5: ring frame number dropped: 74565',
      'domain 5: domain unique id dropped: 0xa5',
      'domain 5: introduced-but-dead, ignored, shutdown flags dropped: ignored',
      'watch "/a" "" of domain 5: watch depth changed: depth 1 becomes unlimited',
      'transaction 3 of domain 5: conflict base (generation at start / first access) dropped: generation 70',
      'transaction 3 of domain 5: watch events queued in a transaction dropped: 1 events',
      'transaction 3 of domain 5, "/a": conflict base (generation at start / first access) dropped: generation 60',
      "domain 7: event channel port dropped: 43, the daemon's",
      'domain 7: ring frame number dropped: 3',
      'domain 7: domain unique id dropped: 0x3',
      'domain 5: per-domain quotas dropped: nodes=9',
      'domain 5: unknown quotas passed through dropped: colour=1',
      'domain 5: server features per domain dropped: 0x6',
    ]);
  });
});

/** Rows that leave no trace in a comparison, since what they belong to is gone as a whole, or is told elsewhere. */
function gone(told: ReadonlySet<StateRow>): StateRow[] {
  const hidden: readonly StateRow[] = told.has('txId') ? ['txReads', 'txWrites', 'txDeletes'] : [];
  return hidden.filter((row) => told.has(row));
}
