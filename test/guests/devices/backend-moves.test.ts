import { describe, expect, it } from 'vitest';
import {
  BackendMoves,
  BlkbackDriver,
  type Blkfront,
  NetbackDriver,
  type PendingIo,
  SECTOR_BYTES,
  type XenbusDevice,
} from '../../../guests/devices/index.ts';
import type { Actor } from '../../../sim/index.ts';
import { BackRing, IO_REQ_PROD, IO_RSP_PROD } from '../../../sim/io-ring.ts';
import { Frame } from '../../../sim/memory.ts';
import { pass, run, until } from '../../support/host.ts';
import { addGuest, type DeviceHost, deviceHost, states } from './host.ts';

const SLOT_BYTES = 112;

function bench(isPersistent = true) {
  const host = deviceHost();
  const guest = addGuest(host, 'domU', { isPersistent });
  until(host, () => guest.disks.length === 1 && guest.nics.length === 1);
  const moves = new BackendMoves(host.bus);
  const disk = guest.disks[0] as Blkfront;
  /** Requests that nobody waits for. */
  const submit = (n: number, from = 0): PendingIo[] =>
    run(
      host,
      `submit-${host.host.machine.nowNs}`,
      function* (me) {
        return Array.from({ length: n }, (_, i) =>
          disk.submit(me, {
            op: 'write',
            sector: from + i,
            sectors: 1,
            data: new Uint8Array(SECTOR_BYTES).fill(i + 1),
          }),
        );
      },
      guest.os,
    );
  return { host, guest, moves, submit };
}

const count = ({ events }: DeviceHost, what: string) => events.filter((e) => e.what === what).length;

describe('a ring in use', () => {
  it.each([true, false])(
    'MIG-60, NF4, NC-29: of five requests that were taken the answered ones stay, the others are finished; persistent grants %s',
    (isPersistent) => {
      const { host, guest, moves, submit } = bench(isPersistent);
      submit(5);
      until(host, () => count(host, 'taken') === 5 && count(host, 'completed') < 5);
      const before = host.host.dom0.os.domain.maptrack.handles().length;
      run(host, 'xl', (me) => moves.drain(me, guest.domid));
      expect([count(host, 'taken'), count(host, 'executed')]).toEqual([5, 5]);
      // Its store page alone is mapped, and its rings are not (NC-30).
      expect(host.host.dom0.os.domain.maptrack.handles().length).toBeLessThan(before);
      for (const { frame } of guest.os.domain.grants.pinned().map(([, record]) => record))
        expect(frame.gfn).toBe(guest.os.domain.startInfo?.storeGfn);
      // The frontend sees no transition (NC-31).
      expect(states(host, `vbd/${guest.domid}/51712`, 'back')).toEqual([2, 4]);
    },
  );

  it('NC-28, NC-31, NC-33: what waits there is served by whoever attaches, once, and not before it may', () => {
    const { host, guest, moves, submit } = bench();
    submit(3);
    until(host, () => count(host, 'completed') === 3);
    run(host, 'xl', (me) => moves.drain(me, guest.domid));
    const waiting = submit(4, 10);
    pass(host, 10_000_000);
    expect(count(host, 'taken')).toBe(3);
    expect(run(host, 'xl2', (me) => moves.attach(me, guest.domid))).toBeUndefined();
    pass(host, 10_000_000);
    expect(count(host, 'taken')).toBe(3);
    run(host, 'xl3', (me) => moves.serve(me, guest.domid));
    until(host, () => waiting.every(({ status }) => status === 0));
    expect([count(host, 'taken'), count(host, 'executed'), count(host, 'completed')]).toEqual([7, 7, 7]);
  });

  it('a device that is not connected keeps its guest where it is', () => {
    const { host, guest, moves } = bench();
    expect(run(host, 'xl', (me) => moves.check(me, guest.domid))).toBeUndefined();
    run(host, 'xl2', (me) => moves.drain(me, guest.domid));
    expect(run(host, 'xl3', (me) => moves.check(me, guest.domid))).toMatch(/is not connected/);
  });

  it.each([
    ['feature-persistent', (host: DeviceHost) => new BlkbackDriver({ disks: host.disks, isPersistent: false })],
    [
      'feature-split-event-channels',
      (host: DeviceHost) => new NetbackDriver({ bridge: host.bridge, hasSplitPorts: false }),
    ],
  ] as const)('NC-32: a backend without %s does not take over a device that was offered it', (key, driver) => {
    const host = deviceHost();
    const device = {
      *read(asked: string): Actor<string> {
        return asked === key ? '1' : '0';
      },
    } as unknown as XenbusDevice;
    expect(run(host, 'adopt', () => driver(host).adopt(device))).toBe(`${key} is not offered here`);
  });

  it('NC-28: it begins where the last answer was published, and refuses more requests than there are slots', () => {
    const frame = new Frame(0);
    frame.store32(IO_RSP_PROD, 7, false);
    frame.store32(IO_REQ_PROD, 12, true);
    const ring = BackRing.attach(frame, SLOT_BYTES);
    expect([ring?.cons, ring?.prodPvt, ring?.pending()]).toEqual([7, 7, 5]);
    frame.store32(IO_REQ_PROD, 7 + 33, true);
    expect(BackRing.attach(frame, SLOT_BYTES)).toBeUndefined();
  });
});
