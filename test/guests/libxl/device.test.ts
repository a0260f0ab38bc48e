import { describe, expect, it } from 'vitest';
import { Xs } from '../../../guests/index.ts';
import { addDevice, createDomain, type Force, removeDevice, vbd, vif } from '../../../guests/libxl/index.ts';
import { look, pass, permsOf, remove, run, together, write } from '../../support/host.ts';
import { asked, type LibxlBench, length, libxlBench, startBackends, transaction } from './host.ts';

const D = '/local/domain/1';
const BACK = '/local/domain/0/backend/vif/1/0';
const SECOND_NS = 1_000_000_000;

function guest(options: { readonly backends?: 'close' | 'stay open' | 'none' } = {}): LibxlBench {
  const h = libxlBench();
  const { backends = 'close' } = options;
  if (backends !== 'none') startBackends(h, backends === 'close');
  expect(run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g' })).rc).toBe(0);
  return h;
}

const detach = (h: LibxlBench, force?: Force) => run(h, 'detach', (me) => removeDevice(me, h.xl, 1, vif(), force));

describe('adding a device', () => {
  it('HS-6: the guest has its own directory to itself, and may read that of its backend', () => {
    const h = guest();
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    expect(permsOf(h, `${D}/device/vif/0`)).toBe('n1,r0');
    expect([look(h, `${D}/device/vif/0/state`), permsOf(h, `${D}/device/vif/0/state`)]).toEqual(['1', 'n1,r0']);
    expect(permsOf(h, `${D}/device/vif/0/mtu`)).toBe('n0,r1');
    expect(permsOf(h, BACK)).toBe('n0,r1');
    expect([look(h, `${BACK}/hotplug-status`), permsOf(h, `${BACK}/hotplug-status`)]).toEqual(['', 'n0,r1']);
    expect(permsOf(h, '/libxl/1/device/vif/0/frontend')).toBe('n0');
  });

  it('HS-7: what an earlier one left is removed, and the new one is there in the same burst', () => {
    const h = guest();
    write(h, `${D}/device/vif/0/old`, 'x');
    write(h, `${BACK}/old`, 'x');
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    expect(look(h, `${D}/device/vif/0/old`)).toBeUndefined();
    expect(look(h, `${BACK}/old`)).toBeUndefined();
  });

  it('refuses a device that is there already', () => {
    const h = guest();
    const attach = () => run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    expect(attach().rc).toBe(0);
    const from = length(h);
    expect(attach().rc).toBe('ERROR_DEVICE_EXISTS');
    expect(transaction(asked(h, 'attach', from), 0)).toEqual(['READ /libxl/1/device/vif/0', 'TRANSACTION_END F']);
  });

  it("HS-8: libxl goes by its own tree, whatever the guest makes of its device's nodes", () => {
    const h = guest();
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    remove(h, `${D}/device/vif/0`);
    expect(run(h, 'again', (me) => addDevice(me, h.xl, 1, vif())).rc).toBe('ERROR_DEVICE_EXISTS');
    expect(detach(h).rc).toBe(0);
    expect(look(h, '/libxl/1/device/vif')).toBeUndefined();
  });

  it('HS-11: waits until the backend is in state 2, and gives up after 10 s', () => {
    const h = guest({ backends: 'none' });
    const before = h.host.machine.nowNs;
    expect(run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif())).rc).toBe('ERROR_TIMEDOUT');
    expect(h.host.machine.nowNs - before).toBeGreaterThanOrEqual(10 * SECOND_NS);
    expect(h.host.machine.nowNs - before).toBeLessThan(11 * SECOND_NS);
    expect(look(h, `${BACK}/state`)).toBe('1'); // nobody cleans up after a hotplug that failed
  });

  it('TS-2: a wait looks at the node with each event of its own watch', () => {
    const h = guest({ backends: 'none' });
    const [outcome] = together(h, [
      ['attach', (me) => addDevice(me, h.xl, 1, vif())],
      [
        'backend',
        function* (me) {
          yield SECOND_NS;
          yield* new Xs(h.host.dom0.client, me).write(`${BACK}/state`, '1');
          yield SECOND_NS;
          yield* new Xs(h.host.dom0.client, me).write(`${BACK}/state`, '2');
          return undefined;
        },
      ],
    ]);
    expect(outcome).toMatchObject({ rc: 0 });
    const reads = asked(h, 'attach').filter(({ line }) => line === `READ ${BACK}/state`);
    expect(reads.length).toBe(3); // the watch's own first event, state 1 once more, state 2
  });

  it('TS-1: parts of one process do not get into each other’s transactions', () => {
    const h = guest();
    const outcomes = together(
      h,
      [0, 1, 2].map((devid) => [`attach${devid}`, (me) => addDevice(me, h.xl, 1, vif({ devid }))] as const),
    );
    expect(outcomes.map(({ rc, conflicts }) => [rc, conflicts])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  it("TS-5: nor do those of several processes for one domain: its configuration file's lock is in the way", () => {
    const h = guest();
    const outcomes = together(
      h,
      [0, 1, 2].map((devid) => [`attach${devid}`, (me) => addDevice(me, h.process(), 1, vif({ devid }))] as const),
    );
    expect(outcomes.map(({ rc, conflicts }) => [rc, conflicts])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  const toEach = (h: LibxlBench, roundsMax?: number) => {
    for (const n of [2, 3, 4]) run(h, `xl${n}`, (me) => createDomain(me, h.xl, { name: `g${n}` }));
    const process = () => h.process(roundsMax === undefined ? {} : { roundsMax });
    return together(
      h,
      [1, 2, 3, 4].map((domid) => [`attach${domid}`, (me) => addDevice(me, process(), domid, vif())] as const),
    );
  };

  it('TS-3: those for several domains meet under common parents, and are done again until they are committed', () => {
    const h = guest();
    const outcomes = toEach(h);
    expect(outcomes.map(({ rc }) => rc)).toEqual([0, 0, 0, 0]);
    expect(outcomes.reduce((sum, { conflicts }) => sum + conflicts, 0)).toBeGreaterThan(0);
    for (const domid of [1, 2, 3, 4]) expect(look(h, `/libxl/${domid}/device/vif/0/handle`)).toBe('0');
  });

  it('TS-3: a process that is not to go on for ever fails', () => {
    const rcs = toEach(guest(), 1).map(({ rc }) => rc);
    expect(rcs).toContain('ERROR_FAIL');
    expect(rcs).toContain(0);
  });
});

describe('removing a device', () => {
  it('asks the drivers to close, waits for state 6, and cleans up with empty parents', () => {
    const h = guest();
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    expect(detach(h).rc).toBe(0);
    const lines = asked(h, 'detach');
    expect(transaction(lines, 0)).toEqual([
      `READ ${BACK}/state`,
      `WRITE ${BACK}/online 0`,
      `WRITE ${BACK}/state 5`,
      'TRANSACTION_END T',
    ]);
    expect(transaction(lines, 1)).toEqual([
      `RM ${D}/device/vif/0`,
      `READ ${D}/device/vif`,
      `DIRECTORY ${D}/device/vif`,
      `RM ${D}/device/vif`,
      `READ ${D}/device`,
      `DIRECTORY ${D}/device`, // `suspend` is there
      'RM /libxl/1/device/vif/0',
      'READ /libxl/1/device/vif',
      'DIRECTORY /libxl/1/device/vif',
      'RM /libxl/1/device/vif',
      'READ /libxl/1/device',
      'DIRECTORY /libxl/1/device',
      'RM /libxl/1/device',
      'READ /libxl/1',
      'DIRECTORY /libxl/1',
      `RM ${BACK}`,
      'READ /local/domain/0/backend/vif/1',
      'DIRECTORY /local/domain/0/backend/vif/1',
      'RM /local/domain/0/backend/vif/1',
      'READ /local/domain/0/backend/vif',
      'DIRECTORY /local/domain/0/backend/vif',
      'RM /local/domain/0/backend/vif',
      'READ /local/domain/0/backend',
      'DIRECTORY /local/domain/0/backend',
      'RM /local/domain/0/backend',
      'READ /local/domain/0',
      'DIRECTORY /local/domain/0',
      'TRANSACTION_END T',
    ]);
  });

  it('leaves a state of 6 as it is', () => {
    const h = guest();
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    write(h, `${BACK}/state`, '6');
    expect(detach(h).rc).toBe(0);
    expect(transaction(asked(h, 'detach'), 0)).not.toContain(`WRITE ${BACK}/state 5`);
  });

  it('goes on by force after 10 s: the frontend goes first', () => {
    const h = guest({ backends: 'stay open' });
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    const before = h.host.machine.nowNs;
    expect(detach(h).rc).toBe('ERROR_TIMEDOUT'); // also the second time nobody closes, and then it is cleaned up all the same
    expect(Math.round((h.host.machine.nowNs - before) / SECOND_NS)).toBe(20);
    expect(transaction(asked(h, 'detach'), 1)[0]).toBe(`RM ${D}/device/vif/0`);
    expect(look(h, '/libxl/1/device/vif')).toBeUndefined();
    expect(look(h, BACK)).toBeUndefined();
  });

  it('without force leaves everything, and says so', () => {
    const h = guest({ backends: 'stay open' });
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    expect(detach(h, 'off').rc).toBe('ERROR_TIMEDOUT');
    expect(look(h, '/libxl/1/device/vif/0/backend')).toBe(BACK);
  });

  it('of a backend that is gone cleans up the rest alone', () => {
    const h = guest();
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    remove(h, BACK);
    expect(detach(h).rc).toBe(0);
    expect(transaction(asked(h, 'detach'), 0)).toEqual([`READ ${BACK}/state`, 'TRANSACTION_END F']);
    expect(look(h, `${D}/device/vif/0`)).toBeUndefined();
  });

  it('HS-13: an add under the parents that it is about to remove makes it do its transaction again', () => {
    const h = guest();
    run(h, 'attach', (me) => addDevice(me, h.xl, 1, vif()));
    const outcomes = together(h, [
      ['detach', (me) => removeDevice(me, h.process(), 1, vif())],
      ['attach1', (me) => addDevice(me, h.process(), 1, vif({ devid: 1 }))],
      ['attach2', (me) => addDevice(me, h.process(), 1, vbd())],
    ]);
    expect(outcomes.map(({ rc }) => rc)).toEqual([0, 0, 0]);
    expect(outcomes.reduce((sum, { conflicts }) => sum + conflicts, 0)).toBeGreaterThan(0);
    expect(look(h, '/libxl/1/device/vif/1/backend')).toBe('/local/domain/0/backend/vif/1/1');
    expect(look(h, '/libxl/1/device/vif/0')).toBeUndefined();
    pass(h, SECOND_NS);
  });
});
