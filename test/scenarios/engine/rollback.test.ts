import { describe, expect, it } from 'vitest';
import { loneMachine } from '../../../sim/index.ts';
import { MemoryFiles } from '../../../store/daemon/memory-files.ts';
import { SimPlatform } from '../../../store/daemon/sim-platform.ts';
import { broken, headline, tamper } from '../../support/headline.ts';

/** A live update whose image is damaged on the way: the old instance goes on, the requester learns why, nothing is lost. */
describe('an update that fails rolls back', () => {
  it.each([
    ['a truncated image', (b: Uint8Array) => b.subarray(0, b.length - 9), /offset \d+ .*record \d+/],
    ['an image cut in the header', (b: Uint8Array) => b.subarray(0, 7), /offset \d+/],
    ['no image at all', () => new Uint8Array(0), /offset 0/],
    ['another ident', (b: Uint8Array) => flip(b, 0), /ident/],
    ['version 3', (b: Uint8Array) => replaced(b, 11, 3), /version.*3/],
    ['version 0', (b: Uint8Array) => replaced(b, 11, 0), /version.*0/],
    ['a reserved flag', (b: Uint8Array) => replaced(b, 15, 2), /flags/],
    ['a record length with a flipped bit', (b: Uint8Array) => flip(b, 20, 0x40), /offset \d+ .*record/],
    [
      'a node record before its parent',
      tamper((r) => (r.kind === 'NODE_DATA' && String.fromCharCode(...r.path) === '/tool' ? undefined : r)),
      /parent|\/tool/,
    ],
    ['a watch of no connection', tamper((r) => (r.kind === 'WATCH_DATA' ? { ...r, connId: 77 } : r)), /conn/],
  ])('%s', (_, damage, reason) => {
    const result = headline({
      set: { requests: 2_000, updates: 3 },
      passImage: (image, n) => (n === 2 ? damage(image) : image),
    });
    expect(broken(result)).toEqual([]);
    expect(result.outcome).toBe('pass');
    expect(result.updates.map((u) => u.outcome)).toEqual(['ok', 'failed', 'ok']);
    expect(result.updates[1]?.answer).toMatch(reason);
    expect(result.updates.map((u) => u.answer === 'OK')).toEqual([true, false, true]);
  });
});

/*
 * XSR-16. xenstored lets go of VIRQ_DOM_EXC just before it executes its successor. If exec(2) fails, it answers the request with
 * an error and serves on; but from then on nobody tells it of deaths, so that nodes and connections of dead domains stay, and
 * @releaseDomain fires no more (INV-P3). What notices is the oracle: the events of a death that never come.
 */
describe('an exec that fails after the VIRQ was let go of', () => {
  const failing = (policy: string, fails: (n: number) => boolean, set = {}) =>
    headline({ set: { policy, force: 1, updates: 1, requests: 8_000, ...set }, execFails: fails });

  it.each(['carry', 'daemon'])('is answered as lu.c answers it (policy %s)', (policy) => {
    const { updates } = failing(policy, (n) => n === 1, { requests: 2_000, churn: 0 });
    expect(updates.map((u) => [u.outcome, u.answer])).toEqual([['failed', 'Error activating new binary.']]);
  });

  it('XSR-16: leaves the daemon deaf to deaths, and the checkers notice', () => {
    const result = failing('daemon', () => true);
    expect(result.outcome).not.toBe('pass');
    expect(result.verdicts.flatMap((v) => v.violations).some((v) => v.detail.includes('@releaseDomain'))).toBe(true);
  });

  it('XSR-16: costs nothing without deaths, and the next update that works makes it hear again', () => {
    expect(failing('daemon', () => true, { requests: 3_000, churn: 0 }).outcome).toBe('pass');
    const { host, domid } = deaf();
    host.bindDomainException();
    expect(host.popChangedDomain()?.domid).toBe(domid);
  });

  it('XSR-16: takes a guest that gets the port number for the VIRQ', () => {
    const { host, machine, guest } = deaf();
    const port = machine.events.allocUnbound(guest, guest, 0);
    const bound = host.bindPort(guest.domid, port);
    expect([bound, host.hasDomainException]).toEqual([{ ok: true, value: 1 }, false]);
    machine.events.send(guest, port);
    expect(host.nextPort()).toEqual({ port: 1, isDomainException: true });
    host.unbindDomainException(); // the next update closes the guest's channel
    expect(machine.events.status(guest, guest, port).state).toBe('unbound');
  });

  it('is made good for by one that carries transactions: it hears all deaths, also those of that moment', () => {
    for (const seed of ['1', '2']) {
      const result = headline({ seed, set: { updates: 6, requests: 8_000 }, execFails: (n) => n % 2 === 1 });
      expect(broken(result)).toEqual([]);
      expect(result.outcome).toBe('pass');
      expect(result.updates.map((u) => u.outcome)).toEqual(['failed', 'ok', 'failed', 'ok', 'failed', 'ok']);
      expect(result.domainsDestroyed).toBeGreaterThan(0);
    }
  });
});

/** What the daemon has of the machine, after a failed exec. */
function deaf() {
  const machine = loneMachine({ seed: '1' });
  const dom0 = machine.createDomain(0, 'dom0');
  const guest = machine.createDomain(1, 'd1');
  machine.unpause(dom0);
  const host = new SimPlatform(machine, dom0, new MemoryFiles(new Map()));
  host.bindDomainException();
  host.unbindDomainException();
  return { machine, host, guest, domid: 0 };
}

function flip(bytes: Uint8Array, at: number, bits = 1): Uint8Array {
  return replaced(bytes, at, (bytes[at] as number) ^ bits);
}

function replaced(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}
