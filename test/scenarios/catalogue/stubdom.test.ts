import { describe, expect, it } from 'vitest';
import { type Host, LIFELIKE } from '../../../scenarios/engine/host.ts';
import type { StoreHome } from '../../../scenarios/engine/settings.ts';
import { VIRQ_DOM_EXC } from '../../../sim/index.ts';
import { headline } from '../../support/headline.ts';
import { testHost } from '../../support/host.ts';

function host(storeIn: StoreHome): Host {
  return testHost({ jitter: LIFELIKE, storeIn });
}

describe('xenstored in a stub domain', () => {
  it('SC-15: guests lose nothing over live updates, domains come and go, and the stub domain is a client too', () => {
    const result = headline({ set: { store: 'stubdom', requests: 8_000 } });
    expect([result.outcome, result.updates.length, result.updates.every((u) => u.outcome === 'ok')]).toEqual([
      'pass',
      5,
      true,
    ]);
    expect(result.domainsDestroyed).toBeGreaterThan(0);
    const epochs = result.history?.epochs ?? [];
    expect(epochs.slice(0, 2).map(({ domid, name }) => [domid, name])).toEqual([
      [0, 'dom0'],
      [1, 'Xenstore'],
    ]);
    const own = result.history?.records.filter((r) => r.kind === 'got' && r.conn === 1) ?? [];
    expect(own.length).toBeGreaterThan(10);
  });

  it('DOM-38: VIRQ_DOM_EXC and the changed domains are its own, not those of dom0', () => {
    const { machine, dom0 } = host('stubdom');
    const { hyper } = dom0.os;
    expect(machine.events.virqHandler(VIRQ_DOM_EXC)?.domid).toBe(1);
    expect([hyper.bindVirq(VIRQ_DOM_EXC), hyper.domctl.getDomainState(0x7ff4)]).toEqual([
      { ok: false, errno: 'EBUSY' },
      { ok: false, errno: 'EACCES' },
    ]);
  });

  it('without a stub domain dom0 has both', () => {
    const { machine } = host('dom0');
    expect(machine.events.virqHandler(VIRQ_DOM_EXC)?.domid).toBe(0);
    expect(machine.domain(1)).toBeUndefined();
  });

  it('the run is told where the store is, and replays', () => {
    const once = () => headline({ seed: '3', set: { store: 'stubdom', requests: 1_200 } }).digest;
    const there = once();
    expect(once()).toBe(there);
    expect(headline({ seed: '3', set: { requests: 1_200 } }).digest).not.toBe(there);
  });
});
