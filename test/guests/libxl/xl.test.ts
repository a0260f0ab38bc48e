import { describe, expect, it } from 'vitest';
import { strings, XS } from '../../../guests/index.ts';
import { type EndReason, type ShutdownAction, type XlEnd, type XlPlan, xlCreate } from '../../../guests/libxl/index.ts';
import { type Domain, SHUTDOWN_REASONS, type ShutdownReason } from '../../../sim/index.ts';
import { look, pass, together } from '../../support/host.ts';
import { asked, type LibxlBench, libxlBench } from './host.ts';

const SECOND_NS = 1_000_000_000;

interface Lived {
  readonly h: LibxlBench;
  readonly end: XlEnd;
  readonly booted: readonly Domain[];
}

/** A domain that shuts down for that reason in its first life, and powers off in all others. */
function lived(reason: ShutdownReason | 'destroyed', plan: Partial<XlPlan> = {}): Lived {
  const h = libxlBench();
  const booted: Domain[] = [];
  const { machine } = h.host;
  const boot = ({ domain }: { readonly domain: Domain }) => {
    booted.push(domain);
    const life = booted.length;
    machine.scheduler.at(machine.nowNs + SECOND_NS, () => {
      if (life > 1) machine.shutdown(domain, 'poweroff');
      else if (reason === 'destroyed') machine.destroy(domain);
      else machine.shutdown(domain, reason);
    });
  };
  const [end] = together(h, [
    ['xl', (me) => xlCreate(me, h.xl, { domain: { name: 'g', memoryKb: 65_536 }, hooks: { boot }, ...plan })],
  ]);
  return { h, end: end as XlEnd, booted };
}

describe("TS-15: xl's process of a domain", () => {
  it.each([
    ['poweroff', ['destroy'], 1],
    ['crash', ['destroy'], 1],
    ['watchdog', ['destroy'], 1],
    ['reboot', ['restart', 'destroy'], 2],
  ] as const)('after %s does as xl does by default: %j', (reason, actions, lives) => {
    const { h, end, booted } = lived(reason);
    expect(end.why).toBe('destroyed');
    expect(end.actions).toEqual(actions);
    expect(end.lives.length).toBe(lives);
    expect(new Set(booted.map(({ domid }) => domid)).size).toBe(lives); // a new domid (DOM-5)
    expect(new Set(end.lives.map(({ uuid }) => uuid)).size).toBe(1); // and the same uuid
    pass(h, 1_000_000); // the store lets go of the last one
    expect(h.host.machine.domains().map(({ domid }) => domid)).toEqual([0]);
  });

  it('restarts after a pause of 2 s, under the same name', () => {
    const { h, booted } = lived('reboot', { livesMax: 2 });
    expect(booted.length).toBe(2);
    const introduced = asked(h, 'xl').filter(({ line }) => line.startsWith('INTRODUCE'));
    expect(introduced.length).toBe(2);
    expect(h.host.machine.nowNs).toBeGreaterThan(4 * SECOND_NS);
    const names = asked(h, 'xl').filter(({ line }) => /^WRITE \/local\/domain\/\d+\/name/.test(line));
    expect(names.map(({ line }) => line)).toEqual(['WRITE /local/domain/1/name g', 'WRITE /local/domain/2/name g']);
  });

  it('keeps the old one under another name and uuid, and makes a new one', () => {
    const { h, end } = lived('crash', { on: { crash: 'rename-restart' } });
    expect(end.actions).toEqual(['rename-restart', 'destroy']);
    expect(look(h, '/local/domain/1/name')).toBe('g-0');
    const vm = look(h, '/local/domain/1/vm') ?? '';
    expect(vm).not.toBe(`/vm/${end.lives[0]?.uuid}`);
    expect(look(h, `${vm}/uuid`)).toBe(vm.slice('/vm/'.length));
    expect(h.host.machine.domain(1)?.shutdown).toBe('crash');
    expect(h.host.machine.domain(2)).toBeUndefined();
  });

  it('preserves', () => {
    const { h, end } = lived('crash', { on: { crash: 'preserve' } });
    expect(end.why).toBe('preserved');
    expect(look(h, '/local/domain/1/name')).toBe('g');
    expect(h.host.machine.domain(1)?.shutdown).toBe('crash');
  });

  it('soft reset: the same domain gets a new tree, a new port and its old page', () => {
    const { h, end, booted } = lived('soft_reset');
    expect(end.actions).toEqual(['soft-reset', 'destroy']);
    const [first, second] = end.lives.map(({ built }) => built);
    expect(booted[1]).toBe(booted[0]);
    expect(second?.domain).toBe(first?.domain);
    expect(second?.ring).toBe(first?.ring);
    expect(end.lives[1]).toMatchObject({ rc: 0, introduced: 'OK' });
    const lines = asked(h, 'xl').map(({ line }) => line);
    const at = (line: string, from = 0) => lines.indexOf(line, from);
    expect(at('RELEASE 1')).toBeGreaterThan(0);
    expect(at('RM /local/domain/1', at('RELEASE 1'))).toBeGreaterThan(at('RELEASE 1'));
    expect(lines.filter((line) => line.startsWith('INTRODUCE 1')).length).toBe(2);
  });

  it('goes on waiting for one that has suspended', () => {
    const h = libxlBench();
    const [end] = together(h, [
      ['xl', (me) => xlCreate(me, h.xl, { domain: { name: 'g' } })],
      [
        'other',
        function* (me) {
          const { machine } = h.host;
          yield SECOND_NS;
          const domain = machine.domain(1) as Domain;
          machine.shutdown(domain, 'suspend');
          yield SECOND_NS;
          machine.resume(domain);
          yield* h.host.dom0.client.request(me, XS.RESUME, strings('1')); // or the next one is no news to the store
          yield SECOND_NS;
          machine.shutdown(domain, 'poweroff');
          return undefined;
        },
      ],
    ]);
    expect(end?.actions).toEqual(['destroy']);
  });

  it('ends when somebody else has destroyed the domain', () => {
    const { end } = lived('destroyed');
    expect(end.why).toBe('died elsewhere');
    expect(end.actions).toEqual([]);
  });

  it('has an action for each reason', () => {
    const reasons: EndReason[] = SHUTDOWN_REASONS.filter((r): r is EndReason => r !== 'suspend');
    const actions: ShutdownAction[] = reasons.map(
      (reason) => lived(reason, { on: { [reason]: 'destroy' } }).end.actions[0] as ShutdownAction,
    );
    expect(actions).toEqual(reasons.map(() => 'destroy'));
  });
});
