import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import type { RunRequest } from '../../../scenarios/engine/scenario.ts';
import { Fifo } from '../../../sim/events/fifo.ts';
import { Accounting } from '../../../store/daemon/accounting.ts';
import { Connections } from '../../../store/daemon/connections.ts';
import { DeadNodes } from '../../../store/daemon/dead-nodes.ts';
import { DomainChanges } from '../../../store/daemon/domain-changes.ts';
import { MappedRing } from '../../../store/daemon/mapped-ring.ts';
import { Output } from '../../../store/daemon/output.ts';
import type { StateRecord } from '../../../store/format/index.ts';
import { textOf } from '../../../store/protocol/octets.ts';
import { LiveTree } from '../../../store/tree/live-tree.ts';
import { tamper } from '../../support/headline.ts';

const SEEDS = Array.from({ length: 20 }, (_, i) => String(i + 1));

/** What is wrong with the store; what a run is to be given besides. */
type Plant = () => Pick<RunRequest, 'passImage' | 'execFails'>;

/** The successor is handed an image from which `isLost` has been taken; of updates that `when` says. */
const losing =
  (
    isLost: (record: StateRecord, i: number, all: readonly StateRecord[]) => boolean,
    when = (_: number) => true,
  ): Plant =>
  () => ({
    passImage: (image, n) => {
      if (!when(n)) return image;
      const all: StateRecord[] = [];
      tamper((record) => {
        all.push(record);
        return record;
      })(image);
      return tamper((record, i) => (isLost(record, i, all) ? undefined : record))(image);
    },
  });

const changing =
  (change: (record: StateRecord) => StateRecord): Plant =>
  () => ({ passImage: tamper(change) });

const isLastOf = (kind: StateRecord['kind']) => (record: StateRecord, i: number, all: readonly StateRecord[]) =>
  record.kind === kind && !all.slice(i + 1).some((later) => later.kind === kind);

/** For each scenario a mistake of the kind that it stands for. */
const PLANTED: Readonly<Record<string, Plant>> = {
  'watch-flood': () => {
    const { event } = Output.prototype;
    let n = 0;
    vi.spyOn(Output.prototype, 'event').mockImplementation(function (this: Output, ...args) {
      if (++n % 500 !== 0) event.apply(this, args);
    });
    return {};
  },
  'conflict-storm': () => {
    vi.spyOn(LiveTree.prototype, 'nextGeneration').mockReturnValue(1); // nobody sees that a node has changed
    return {};
  },
  'crowded-host': losing(isLastOf('WATCH_DATA')),
  'domid-reuse': () => {
    vi.spyOn(DeadNodes.prototype, 'removeOf').mockImplementation(() => {}); // neither its nodes go, nor its entries
    return {};
  },
  // A driver domain does not hear of devices any more.
  'driver-domains': losing((record) => record.kind === 'WATCH_DATA' && textOf(record.wpath).endsWith('/backend')),
  'forced-updates': changing((record) =>
    record.kind === 'CONNECTION_DATA' ? { ...record, inData: new Uint8Array(0) } : record,
  ),
  'format-up-and-down': losing(isLastOf('WATCH_DATA'), (n) => n % 2 === 1),
  'guests-that-die': () => {
    vi.spyOn(DomainChanges.prototype, 'checkEvery').mockImplementation(() => {}); // who died in an update is not missed
    return {};
  },
  'huge-store': losing((record, i, all) => {
    const isEntry = (r: StateRecord) => r.kind === 'NODE_DATA' && textOf(r.path).startsWith('/tool/heap/0/');
    return isEntry(record) && !all.slice(i + 1).some(isEntry);
  }),
  'kernel-trials': () => {
    vi.spyOn(Fifo.prototype, 'isBusy').mockReturnValue(false); // a port is given out that is in a queue
    return {};
  },
  'quota-pressure': () => {
    const { count } = Accounting.prototype;
    vi.spyOn(Accounting.prototype, 'count').mockImplementation(function (this: Accounting, conn, what, by) {
      if (what !== 'watches' || by > 0) count.call(this, conn, what, by); // what is taken off still counts
    });
    return {};
  },
  'ring-reconnect': () => {
    vi.spyOn(Connections.prototype, 'forget').mockImplementation(() => {}); // watches, transactions and half a request stay
    return {};
  },
  'soft-reset': () => {
    const { store32 } = MappedRing.prototype;
    vi.spyOn(MappedRing.prototype, 'store32').mockImplementation(function (this: MappedRing, offset, value) {
      if (value !== 0) store32.call(this, offset, value); // the indexes stay where the old kernel had them
    });
    return {};
  },
  'slow-consumers': changing((record) =>
    record.kind === 'CONNECTION_DATA' ? { ...record, outRespLen: 0, outData: new Uint8Array(0) } : record,
  ),
  'stub-domains': changing((record) =>
    record.kind === 'CONNECTION_DATA' && 'targetDomid' in record.conn
      ? { ...record, conn: { ...record.conn, targetDomid: 0x7ff4 } }
      : record,
  ),
  'update-after-update': losing(isLastOf('WATCH_DATA'), (n) => n % 3 === 2),
  'updates-that-fail': () => {
    const { event } = Output.prototype;
    let hasFailed = false;
    vi.spyOn(Output.prototype, 'event').mockImplementation(function (this: Output, ...args) {
      if (!hasFailed) event.apply(this, args);
      hasFailed = false; // the first event after an update that came to nothing is not queued
    });
    return {
      execFails: (n) => {
        hasFailed = n % 3 === 1;
        return hasFailed;
      },
    };
  },
  'xenbus-programs': losing(
    (record) => record.kind === 'TRANSACTION_DATA' || (record.kind === 'NODE_DATA' && record.connId !== 0),
  ),
};

describe('a worry', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each(SCENARIOS.map(({ name, worry }) => [name, worry] as const))('of %s is a question', (_, worry) => {
    expect(worry).toMatch(/\?$/);
  });

  it('has a mistake planted for each scenario of its folder', () => {
    const dir = join(import.meta.dirname, '../../../scenarios/catalogue/worries');
    const helpers = ['ordinary.ts', 'play.ts'];
    const files = readdirSync(dir).filter((name) => !helpers.includes(name));
    expect(
      Object.keys(PLANTED)
        .map((name) => `${name}.ts`)
        .sort(),
    ).toEqual(files.sort());
    expect(SCENARIOS.length).toBeGreaterThanOrEqual(28);
  });

  it.each(Object.entries(PLANTED))('%s finds what is wrong within 20 seeds', (name, plant) => {
    const scenario = SCENARIOS.find((each) => each.name === name)!;
    const found = SEEDS.find((seed) => {
      vi.restoreAllMocks();
      const { outcome } = scenario.run({ seed, format: 'v2', settings: {}, checks: true, ...plant() });
      return outcome === 'violation';
    });
    expect(found).toBeDefined();
  });

  it.each(Object.keys(PLANTED))('%s passes where nothing is', (name) => {
    const scenario = SCENARIOS.find((each) => each.name === name)!;
    expect(scenario.run({ seed: '1', format: 'v2', settings: {}, checks: true }).outcome).toBe('pass');
  });
});
