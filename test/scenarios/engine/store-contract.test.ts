import { describe, expect, it } from 'vitest';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import { type StartStore, type StoreProcess, startXenstored } from '../../../store/index.ts';

/** Members of the contract that were used. */
type Used = Set<keyof StoreProcess>;

/** Another store: it has nothing of the daemon's class, does nothing itself, and knows what was asked of it. */
function standIn(used: Used): StartStore {
  return (machine, domain, setup) => {
    const daemon = startXenstored(machine, domain, setup);
    const note = <K extends keyof StoreProcess>(name: K): StoreProcess => {
      used.add(name);
      return daemon;
    };
    return {
      get ended() {
        return note('ended').ended;
      },
      get ports() {
        return note('ports').ports;
      },
      get updates() {
        return note('updates').updates;
      },
      get handedOver() {
        return note('handedOver').handedOver;
      },
      get format() {
        return note('format').format;
      },
      set format(format) {
        note('format').format = format;
      },
      get waitsForCredit() {
        return note('waitsForCredit').waitsForCredit;
      },
      get movesInSteps() {
        return note('movesInSteps').movesInSteps;
      },
      set movesInSteps(is) {
        note('movesInSteps').movesInSteps = is;
      },
      get allocationFails() {
        return note('allocationFails').allocationFails;
      },
      set allocationFails(fails) {
        note('allocationFails').allocationFails = fails;
      },
      jumpWallClock: (seconds) => note('jumpWallClock').jumpWallClock(seconds),
      hangUp: () => note('hangUp').hangUp(),
      end: () => note('end').end(),
    };
  };
}

function run(startStore: StartStore | undefined, faults: string): RunResult {
  return liveUpdateMidTraffic.run({
    seed: '4',
    format: 'v2',
    settings: { requests: 2_000, updates: 3, faults },
    startStore,
    checks: true,
  });
}

describe('a store behind the contract', () => {
  it.each([
    ['off', ['ended', 'movesInSteps', 'updates']],
    ['all', ['allocationFails', 'ended', 'jumpWallClock', 'movesInSteps', 'ports', 'updates']],
  ])('is all that a scenario knows of one, with faults %s', (faults, members) => {
    const used: Used = new Set();
    const there = run(standIn(used), faults);
    expect([...used].sort()).toEqual(members);
    const here = run(undefined, faults);
    expect([there.digest, there.outcome, there.updates]).toEqual([here.digest, here.outcome, here.updates]);
  });

  it('is started once for each host, in the domain where the store is to be', () => {
    const domids: number[] = [];
    const startStore: StartStore = (machine, domain, setup) => {
      domids.push(domain.domid);
      return startXenstored(machine, domain, setup);
    };
    for (const store of ['dom0', 'stubdom'])
      liveUpdateMidTraffic.run({
        seed: '1',
        format: 'v2',
        settings: { requests: 200, updates: 1, store },
        startStore,
        checks: false,
      });
    expect(domids).toEqual([0, 1]);
  });
});
