import { describe, expect, it } from 'vitest';
import { EventFile } from '../../../sim/events/event-file.ts';
import { VIRQ_DOM_EXC, XenError } from '../../../sim/index.ts';
import { host, value } from './host.ts';

function failure(call: () => unknown): string {
  try {
    call();
    return 'success';
  } catch (error) {
    if (error instanceof XenError) return error.errno;
    throw error;
  }
}

function opened() {
  const h = host();
  const file = new EventFile(h.m.events, h.d0);
  const remote = value(h.h1.allocUnbound(1, 0));
  return { ...h, file, remote };
}

describe('/dev/xen/evtchn', () => {
  it('EVT-28: an event disables its port and is in the ring once; writing the number lets the next one in', () => {
    const { h1, d0, file, remote } = opened();
    let readable = 0;
    file.onReadable = () => readable++;
    const port = file.bindInterdomain(1, remote);
    expect([readable, d0.ports.isMasked(port)]).toEqual([1, true]);
    h1.send(remote);
    h1.send(remote);
    expect(file.read(8)).toEqual([port]);
    expect(failure(() => file.read(8))).toBe('EAGAIN');
    file.write([port, 999]);
    expect(file.read(8)).toEqual([port]); // it came while the port was disabled
    file.write([port]);
    expect([file.isReadable, d0.ports.isMasked(port)]).toEqual([false, false]);
    file.write([port]);
    h1.send(remote);
    expect(file.read(8)).toEqual([port]);
  });

  it('EVT-29: the ring grows with the ports: no storm of open ports overflows it', () => {
    const { m, d0, file } = opened();
    const ports = Array.from({ length: 300 }, () => file.bindUnbound(1));
    for (const port of ports) m.events.spurious(d0, port);
    expect(file.hasOverflowed).toBe(false);
    expect(file.read(1_000)).toEqual(ports);
  });

  it('EVT-29, INJ-E10: unread numbers of closed ports overflow it: EFBIG until reset, and ports stay disabled over it', () => {
    const { m, d0, file } = opened();
    for (let n = 0; n < 65; n++) {
      const port = file.bindUnbound(1);
      m.events.spurious(d0, port);
      if (n < 64) file.unbind(port);
    }
    expect([file.hasOverflowed, failure(() => file.read(1))]).toEqual([true, 'EFBIG']);
    file.reset();
    expect(failure(() => file.read(1))).toBe('EAGAIN');
    const [port] = file.ports as [number];
    m.events.spurious(d0, port);
    expect(file.isReadable).toBe(false);
    file.write([port]);
    expect(file.read(1)).toEqual([port]);
  });

  it('EVT-29: notify and unbind of a port that the file does not own: ENOTCONN', () => {
    const { h0, file } = opened();
    const foreign = value(h0.allocUnbound(0, 1));
    expect(failure(() => file.notify(foreign))).toBe('ENOTCONN');
    expect(failure(() => file.unbind(foreign))).toBe('ENOTCONN');
  });

  it('EVT-30: what was read and not written back before an exec stays disabled after it', () => {
    const { h1, file, remote } = opened();
    const port = file.bindInterdomain(1, remote);
    expect(file.read(1)).toEqual([port]);
    const inherited = file; // exec(2): a new program, the same open file
    h1.send(remote);
    expect(inherited.isReadable).toBe(false);
    inherited.write([port]);
    expect(inherited.read(1)).toEqual([port]);
  });

  it('EVT-30: the last close closes its ports', () => {
    const { h0, d0, file, remote } = opened();
    const port = file.bindInterdomain(1, remote);
    file.release();
    expect(d0.ports.get(port)).toBeUndefined();
    expect(value(h0.status(1, remote))).toEqual({ state: 'unbound', vcpu: 0, domid: 0 });
  });

  it('EVT-31: bind through the file yields the self-event, notify reaches the peer', () => {
    const { d1, file, remote } = opened();
    const port = file.bindInterdomain(1, remote);
    expect(file.read(1)).toEqual([port]);
    file.notify(port);
    expect(d1.ports.isPending(remote)).toBe(true);
  });

  it('EVT-34: a port that was read belongs to the program: a crash loses it, and level state is all that is left', () => {
    const { m, d0, file, remote } = opened();
    const port = file.bindInterdomain(1, remote);
    file.read(1);
    file.release();
    const next = new EventFile(m.events, d0);
    expect(next.isReadable).toBe(false);
    expect(next.bindInterdomain(1, remote)).toBe(port);
    expect(next.read(1)).toEqual([port]);
  });

  it('a restricted file binds to its domain alone, and no VIRQ', () => {
    const { file, remote } = opened();
    expect(failure(() => file.restrict(0))).toBe('EINVAL');
    file.restrict(1);
    expect(failure(() => file.restrict(1))).toBe('EACCES');
    expect(failure(() => file.bindVirq(VIRQ_DOM_EXC))).toBe('EACCES');
    expect(failure(() => file.bindUnbound(2))).toBe('EACCES');
    expect(failure(() => file.bindInterdomain(1, remote))).toBe('success');
  });
});
