import { describe, expect, it } from 'vitest';
import { GuestOs, type Thread } from '../../../guests/kernel/index.ts';
import { type Actor, loneMachine, NO_JITTER, PARK } from '../../../sim/index.ts';

/** Two domains that run, a port between them, and a kernel for the first. */
function bench() {
  const machine = loneMachine({ seed: '1', jitter: NO_JITTER });
  const [a, b] = [machine.createDomain(1, 'domA'), machine.createDomain(2, 'domB')];
  for (const domain of [a, b]) machine.unpause(domain);
  const os = new GuestOs(machine, a);
  const port = () => {
    const own = os.hyper.allocUnbound(1, 2);
    if (!own.ok) throw new Error(own.errno);
    const remote = machine.events.bindInterdomain(b, 1, own.value);
    return { own: own.value, send: () => machine.events.send(b, remote), close: () => machine.closePort(b, remote) };
  };
  return { machine, os, port };
}

/** An actor that counts how often it was woken. */
function counting(os: GuestOs, name: string, woken: (me: Thread) => void): Thread {
  return os.start(name, function* (me): Actor {
    for (;;) {
      yield PARK;
      woken(me);
    }
  });
}

describe('a port of a kernel', () => {
  it('EVT-19: of two threads that handle it none takes the event of the other, whenever they look', () => {
    const { machine, os, port } = bench();
    const { own, send } = port();
    const woken = { tx: 0, rx: 0 };
    const tx = counting(os, 'tx', () => woken.tx++);
    const rx = counting(os, 'rx', () => woken.rx++);
    machine.scheduler.advance(1_000);
    os.handle(own, tx, rx);
    for (let n = 1; n <= 3; n++) {
      send();
      machine.scheduler.advance(1_000);
      expect([woken.tx, woken.rx]).toEqual([n, n]);
      expect(os.domain.ports.isPending(own)).toBe(false);
    }
  });

  it('EVT-6: is enabled for its handler, whatever its number was used for before', () => {
    const { machine, os, port } = bench();
    const first = port();
    os.domain.ports.mask(first.own);
    first.close();
    os.hyper.close(first.own);
    const second = port();
    expect(second.own).toBe(first.own);
    expect(os.domain.ports.isMasked(second.own)).toBe(true);
    let woken = 0;
    const me = counting(os, 'me', () => woken++);
    second.send(); // before there is a handler
    machine.scheduler.advance(1_000);
    os.handle(second.own, me);
    machine.scheduler.advance(1_000);
    expect([os.domain.ports.isMasked(second.own), woken]).toEqual([false, 1]);
    expect(os.acknowledge(second.own)).toBe(true);
    second.send();
    machine.scheduler.advance(1_000);
    expect(woken).toBe(2);
  });

  it('EVT-6: is left masked when it is closed, as Linux does it', () => {
    const { os, port } = bench();
    const { own, close } = port();
    close();
    os.closePort(own);
    expect(os.domain.ports.isMasked(own)).toBe(true);
  });
});
