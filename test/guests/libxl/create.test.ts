import { describe, expect, it } from 'vitest';
import { Xs } from '../../../guests/index.ts';
import { createDomain, DomidHistory, destroyDomain, SharedFiles, vif } from '../../../guests/libxl/index.ts';
import {
  GNTMAP_host_map,
  GNTST,
  GNTTAB_RESERVED_CONSOLE,
  GNTTAB_RESERVED_XENSTORE,
  XEN_DOMINF_paused,
} from '../../../sim/index.ts';
import { look, pass, run, together, write } from '../../support/host.ts';
import { asked, length, libxlBench, startBackends } from './host.ts';

const SECOND_NS = 1_000_000_000;
const MS_NS = 1_000_000;

describe('creating a domain', () => {
  it('leaves it running, with both rings granted and both ports open to their daemons', () => {
    const h = libxlBench();
    let pausedAtBoot: boolean | undefined;
    const made = run(h, 'xl', (me) =>
      createDomain(
        me,
        h.xl,
        { name: 'g', vcpus: 2 },
        {
          boot: ({ domain }) => {
            pausedAtBoot = domain.controllerPauses > 0;
          },
        },
      ),
    );
    expect(made).toMatchObject({ rc: 0, introduced: 'OK', failedIn: undefined });
    expect(pausedAtBoot).toBe(true);
    const { machine, dom0 } = h.host;
    const domain = machine.domain(1);
    expect(domain?.controllerPauses).toBe(0);
    expect(domain?.vcpus).toBe(2);
    for (const gref of [GNTTAB_RESERVED_CONSOLE, GNTTAB_RESERVED_XENSTORE])
      expect(machine.mapGrant(dom0.os.domain, 1, gref, GNTMAP_host_map).status).toBe(GNTST.okay);
    expect(dom0.os.hyper.evtchn.status(1, 1)).toMatchObject({ ok: true, value: { state: 'interdomain' } });
    expect(dom0.os.hyper.evtchn.status(1, 2)).toMatchObject({ ok: true, value: { state: 'unbound' } });
  });

  it('TS-6: the tree is there before the connection, and the connection before the devices', () => {
    const h = libxlBench();
    startBackends(h);
    run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g', nics: [vif()] }));
    const lines = asked(h, 'xl').map(({ line }) => line);
    const at = (start: string) => lines.findIndex((line) => line.startsWith(start));
    expect(at('WRITE /local/domain/1/store/port')).toBeLessThan(at('INTRODUCE'));
    expect(at('INTRODUCE')).toBeLessThan(at('MKDIR /local/domain/1/device/vif/0'));
  });

  it('TS-7: what fails ends in the destroy flow, and nothing is left', () => {
    const h = libxlBench(); // without backends
    const made = run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g', nics: [vif()] }));
    expect(made).toMatchObject({ rc: 'ERROR_TIMEDOUT', failedIn: 'C13' });
    pass(h, MS_NS); // the store lets go of it
    expect(h.host.machine.domain(1)).toBeUndefined();
    for (const path of ['/local/domain/1', '/libxl/1', `/vm/${made.uuid}`, '/local/domain/0/backend/vif/1'])
      expect(look(h, path)).toBeUndefined();
  });

  it('fails when the console daemon gives no tty within 10 s', () => {
    const h = libxlBench();
    const made = run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g', console: 'attended' }));
    expect(made).toMatchObject({ rc: 'ERROR_TIMEDOUT', failedIn: 'C14' });
    expect(h.host.machine.nowNs).toBeGreaterThanOrEqual(10 * SECOND_NS);
    expect(run(h, 'xl2', (me) => createDomain(me, h.xl, { name: 'g', console: 'nodes' })).rc).toBe(0);
  });

  it('refuses a name that another domain has', () => {
    const h = libxlBench();
    run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g' }));
    const made = run(h, 'xl2', (me) => createDomain(me, h.xl, { name: 'g' }));
    expect(made).toMatchObject({ rc: 'ERROR_INVAL', failedIn: 'C2' });
    expect(look(h, '/local/domain/1/name')).toBe('g');
    expect(look(h, '/local/domain/2')).toBeUndefined();
  });

  it('does not look at the answer to INTRODUCE, but tells it', () => {
    const h = libxlBench();
    const made = run(h, 'xl', (me) =>
      createDomain(
        me,
        h.xl,
        { name: 'g' },
        {
          beforeIntroduce: ({ domain: { domid } }) =>
            h.host.machine.grants.refuse(
              { mapper: 0, granter: domid, gref: GNTTAB_RESERVED_XENSTORE },
              GNTST.general_error,
            ),
        },
      ),
    );
    expect(made).toMatchObject({ rc: 0, introduced: 'EINVAL' });
    expect(h.host.machine.domain(1)?.controllerPauses).toBe(0); // it runs, and has no store
  });

  it('TS-8: of a process that dies in the middle everything stays, and the domain stays paused', () => {
    const h = libxlBench();
    let asks = 0;
    const made = run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g' }, { dies: () => ++asks === 3 }));
    expect(made.rc).toBe('died');
    const info = h.host.dom0.os.hyper.domctl.getDomainInfo(1);
    expect(info.ok && (info.value.flags & XEN_DOMINF_paused) !== 0).toBe(true);
    expect(look(h, '/local/domain/1/store/port')).toBe('1');
    expect(look(h, '/libxl/1/type')).toBe('pvh');
  });

  it('TS-9: a commit of transaction B that fails for good is not noticed, one of A is', () => {
    for (const [nth, rc] of [
      [1, 'ERROR_FAIL'],
      [2, 0],
    ] as const) {
      const h = libxlBench();
      const made = together(h, [
        ['xl', (me) => createDomain(me, h.xl, { name: 'g' })],
        [
          'reset',
          function* (me) {
            // RESET_WATCHES of the connection takes its transactions with it, as a forced live update does.
            const xs = new Xs(h.host.dom0.client, me);
            const isUnderWay = () =>
              asked(h, 'xl').filter(({ tx, line }) => tx === nth && line.startsWith('WRITE')).length > 3;
            for (let i = 0; i < 5_000 && !isUnderWay(); i++) yield 500;
            yield* xs.call(21, Uint8Array.of(0));
            return undefined;
          },
        ],
      ])[0];
      expect(made?.rc).toBe(rc);
      expect(look(h, '/local/domain/1/store/port')).toBeUndefined();
    }
  });

  it('TS-10: what an earlier domain of that id left is removed by transaction A, and was there until then', () => {
    const h = libxlBench();
    write(h, '/local/domain/1/data/old', 'x');
    const seen: (string | undefined)[] = [];
    run(h, 'xl', (me) =>
      createDomain(
        me,
        h.xl,
        { name: 'g' },
        {
          dies: () => {
            seen.push(h.host.machine.domain(1)?.name);
            return false;
          },
        },
      ),
    );
    expect(look(h, '/local/domain/1/data')).toBe('');
    expect(look(h, '/local/domain/1/data/old')).toBeUndefined();
    const lines = asked(h, 'xl').map(({ line }) => line);
    expect(lines.slice(0, 3)).toEqual(['GET_DOMAIN_PATH 1', 'TRANSACTION_START', 'RM /local/domain/1']);
  });

  it('TS-18: of many creators side by side at least one commits in each round, and all in the end', () => {
    const h = libxlBench();
    const made = together(
      h,
      Array.from(
        { length: 8 },
        (_, i) => [`xl${i}`, (me) => createDomain(me, h.process(), { name: `g${i}` })] as const,
      ),
    );
    expect(made.map(({ rc }) => rc)).toEqual(Array.from({ length: 8 }, () => 0));
    const conflicts = made.map((one) => one.conflicts);
    expect(Math.max(...conflicts)).toBeGreaterThan(0);
    expect(Math.max(...conflicts)).toBeLessThanOrEqual(8);
  });
});

describe('ids', () => {
  it('DOM-5: one that was destroyed less than 60 s ago is given back at once and the next one taken', () => {
    const h = libxlBench();
    const create = (domid?: number) =>
      run(h, 'xl', (me) =>
        createDomain(me, h.xl, { name: `g${length(h)}`, ...(domid === undefined ? {} : { domid }) }),
      );
    const destroy = (domid: number) => {
      run(h, 'xd', (me) => destroyDomain(me, h.xl, domid));
      pass(h, MS_NS);
    };
    create(2);
    destroy(2);
    const from = length(h);
    expect(create(2)).toMatchObject({ rc: 'ERROR_FAIL', failedIn: 'C1' });
    expect(asked(h, 'xl', from).some(({ line }) => line === 'RM /local/domain/2')).toBe(true); // TS-7
    pass(h, MS_NS);
    expect(create().built?.domain.domid).toBe(1);
    expect(create().built?.domain.domid).toBe(3);
    pass(h, 61 * SECOND_NS);
    expect(create(2).built?.domain.domid).toBe(2);
  });

  it('DOM-5: the list can be left out', () => {
    const h = libxlBench({ shared: new SharedFiles(new DomidHistory(0)) });
    const create = () => run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g', domid: 5 }));
    expect(create().rc).toBe(0);
    run(h, 'xd', (me) => destroyDomain(me, h.xl, 5));
    pass(h, MS_NS);
    expect(create().rc).toBe(0);
  });

  it('may be drawn', () => {
    const h = libxlBench();
    const made = run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'g', domid: 'random' }));
    expect(made.built?.domain.domid).toBeGreaterThan(1);
    expect(made.built?.domain.domid).toBeLessThan(0x7ff0);
  });
});
