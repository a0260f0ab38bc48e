import { describe, expect, it } from 'vitest';
import { LINUX_HABITS, resumeGuest, Xs } from '../../../guests/index.ts';
import { createDomain } from '../../../guests/libxl/index.ts';
import { Administrator } from '../../../scenarios/engine/administrator.ts';
import { at, Bench } from '../../../scenarios/lab/migration-bench.ts';

const MS = 1_000_000;
const S = 1_000 * MS;

describe('stores that are updated while a guest is on its way', () => {
  it.each([
    ['FP-5: the source’s in a live pass', 0, 'V', 'SO6'],
    ['FP-28, MIG-68: the source’s while the guest is parked', 0, 'V', 'SO9'],
    ['FP-27, MIG-65: the destination’s when the guest is introduced', 1, 'R', 'DE11'],
  ] as const)('%s: the guest goes on at the destination', (_, host, process, step) => {
    const bench = new Bench();
    const migration = bench.migrate(at(process, step, () => bench.update(host)));
    expect(migration.source).toBe('success');
    expect(bench.host(host).store.updates.map(({ outcome }) => outcome)).toEqual(['ok']);
    expect(bench.copies).toBe('beta running');
    expect(bench.isServed).toBe(true);
    expect(bench.owners().violations).toEqual([]);
  });
});

describe('hosts that die', () => {
  it('FP-24: the source, before the go: the guest is lost with it, and no copy stays', () => {
    const bench = new Bench();
    bench.migrate(
      at('V', 'SO6', (m) => {
        m.link?.cut();
        bench.halt(0);
      }),
      5 * S,
    );
    bench.pass(S);
    expect(bench.copies).not.toContain('beta');
    expect(bench.owners([0]).violations).toEqual([]);
  });

  it('FP-24: the source, behind the go: the guest runs at the destination', () => {
    const bench = new Bench();
    bench.migrate(
      at('R', 'DE17', (m) => {
        m.link?.cut();
        bench.halt(0);
      }),
      5 * S,
    );
    bench.pass(S);
    expect(bench.copies).toContain('beta running');
    expect(bench.isServed).toBe(true);
    expect(bench.owners([0]).violations).toEqual([]);
  });

  it.each([
    ['before the go', 'DE7', 'failed_resume', 'alpha running'],
    ['behind the go', 'DE17', 'failed_badly', 'alpha parked'],
  ] as const)('FP-25: the destination, %s', (_, step, source, left) => {
    const bench = new Bench();
    const migration = bench.migrate(
      at('R', step, (m) => {
        m.link?.cut();
        bench.halt(1);
      }),
      5 * S,
    );
    bench.pass(S);
    expect(migration.source).toBe(source);
    expect(bench.copies).toContain(left);
    expect(bench.owners([1]).violations).toEqual([]);
  });
});

describe('destinations that cannot take the guest', () => {
  it('FP-11, DST-6: a store that knows no quota ends it in the stopped time, and the guest goes on where it was', () => {
    const bench = new Bench({ hosts: [{}, { compat: '4.17' }] });
    const migration = bench.migrate();
    expect([migration.source, migration.target]).toEqual(['failed_resume', 'refused']);
    expect(bench.copies).toBe('alpha running');
    expect(bench.isServed).toBe(true);
  });

  it('FP-12, DST-8: a failed INTRODUCE is noticed by nobody, and the guest is mute', () => {
    const mute = (bench: Bench) => {
      const { machine, faults } = bench.host(1);
      faults.beforeIntroduce = ({ domain, port }) => machine.closePort(domain, port);
    };
    const bench = new Bench();
    mute(bench);
    expect(bench.migrate().source).toBe('success');
    expect(bench.copies).toBe('beta running');
    expect(bench.isServed).toBe(false);

    const checking = new Bench();
    mute(checking);
    expect(checking.migrate({ target: { checksIntroduce: true } }).source).toBe('failed_resume');
    expect(checking.copies).toBe('alpha running');
    expect(checking.isServed).toBe(true);
  });

  it('FP-30, MIG-29: a domid that is kept and taken', () => {
    const bench = new Bench();
    const place = bench.site.places[1];
    bench.does(1, function* (me) {
      const { xl, exit } = (place as NonNullable<typeof place>).process('taker');
      const { domid } = bench.guest.os.domain;
      yield* createDomain(
        me,
        xl,
        { name: 'other', domid },
        {
          boot: (built) => void bench.host(1).boot(built, LINUX_HABITS),
        },
      );
      exit();
    });
    expect(bench.migrate({ source: { keepsDomid: true } }).target).toBe('refused');
    expect(bench.copies).toBe('alpha running');
    expect(bench.isServed).toBe(true);
  });

  it('MIG-29: a domid that is kept and free', () => {
    const bench = new Bench();
    const { domid } = bench.guest.os.domain;
    expect(bench.migrate({ source: { keepsDomid: true } }).source).toBe('success');
    expect(bench.guest.os.domain.domid).toBe(domid);
  });
});

describe('FP-35, FP-36: somebody acts', () => {
  const lostReport = at('R', 'DE19', (m) => m.link?.back.cutAfter(m.link.back.taken + 5));

  it('who resumes the source beside its heir: INV-M1 reports it (INJ-M18)', () => {
    const bench = new Bench();
    const { domid } = bench.guest.os.domain;
    bench.migrate({ ...lostReport });
    bench.does(0, function* (me) {
      const { dom0 } = bench.host(0);
      yield* resumeGuest(new Xs(dom0.client, me), dom0.os, { domid, how: 'fast' });
    });
    expect(bench.copies).toBe('alpha running, beta running');
    expect(bench.owners().violations.map(({ detail }) => detail)).toContainEqual(expect.stringContaining('INV-M1'));
  });

  it('who looks at both hosts first: one copy runs', () => {
    const bench = new Bench();
    const tools = bench.site.places.map(({ process }) => process);
    bench
      .host(0)
      .dom0.os.start('administrator', (me) => new Administrator(bench.migrations, tools).run(me, () => bench.isOver));
    bench.migrate(at('S', 'SO15', (m) => m.link?.forth.cutAfter(m.link.forth.taken + 10)));
    bench.pass(S);
    bench.isOver = true;
    expect(bench.copies).toBe('alpha running');
    expect(bench.isServed).toBe(true);
    const owners = bench.owners();
    expect(owners.violations).toEqual([]);
    expect(owners.known?.map(({ label }) => label)).toEqual(['FP-13']);
  });
});
