import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkEvents } from '../../../sim/events/check.ts';
import { type Domain, Hypercalls, loneMachine, type Port, type Result } from '../../../sim/index.ts';
import { Model } from './model.ts';

/** Few ports, so that random ones meet; more than one word and more than one bucket of them. */
const LIMIT = 70;

const domid = fc.constantFrom(0, 1, 2);
const port = fc.oneof({ weight: 6, arbitrary: fc.nat(8) }, { weight: 1, arbitrary: fc.nat(200) });

type Call = readonly [op: string, caller: number, a: number, b: number];
const OPS =
  'alloc bind bindAny virq ipi close send send send unmask mask clear unmaskByStore priority status fifo reset pause unpause fill';
const call: fc.Arbitrary<Call> = fc.tuple(fc.constantFrom(...OPS.split(' ')), domid, fc.oneof(domid, port), port);

/** The simulator behind the same calls as the model's. */
class Real {
  readonly machine = loneMachine({ seed: '1' });
  readonly domains: readonly Domain[];
  readonly log: number[][] = [[], [], []];
  readonly calls: readonly Hypercalls['evtchn'][];

  constructor() {
    this.domains = [0, 1, 2].map((id) => this.machine.createDomain(id, `d${id}`));
    for (const d of this.domains) {
      d.ports.maxPort = LIMIT;
      this.machine.unpause(d);
    }
    this.calls = this.domains.map((d) => new Hypercalls(this.machine, d).evtchn);
  }

  opened(id: number, result: Result<Port>): number | string {
    if (!result.ok) return result.errno;
    const { value } = result;
    this.domains[id]?.ports.handle(value, () => this.log[id]?.push(value), 'edge');
    return value;
  }
}

function plain(result: Result<unknown>): number | string {
  return result.ok ? 0 : result.errno;
}

function both(real: Real, model: Model, [op, caller, a, b]: Call): readonly [unknown, unknown] {
  const h = real.calls[caller] as Hypercalls['evtchn'];
  const d = real.domains[caller] as Domain;
  const m = model.of(caller);
  const peer = a % 3;
  switch (op) {
    case 'alloc':
      return [real.opened(peer, h.allocUnbound(peer, b % 3)), model.alloc(caller, peer, b % 3)];
    case 'bind':
      return [real.opened(caller, h.bindInterdomain(peer, b)), model.bind(caller, peer, b)];
    case 'bindAny': {
      const open = [...model.of(peer).ports].find(([, s]) => s.kind === 'unbound' && s.to === caller)?.[0] ?? 0;
      return [real.opened(caller, h.bindInterdomain(peer, open)), model.bind(caller, peer, open)];
    }
    case 'virq':
      return [real.opened(caller, h.bindVirq(b)), model.virq(caller, b)];
    case 'ipi':
      return [real.opened(caller, h.bindIpi(0)), model.ipi(caller)];
    case 'fill':
      return [
        Array.from({ length: 60 }, () => real.opened(caller, h.bindIpi(0))),
        Array.from({ length: 60 }, () => model.ipi(caller)),
      ];
    case 'close':
      return [plain(h.close(b)), model.close(caller, b)];
    case 'send':
      return [h.send(b) ?? 0, model.send(caller, b)];
    case 'unmask':
      return [plain(h.unmask(b)), model.unmask(caller, b)];
    case 'mask':
      d.ports.mask(b);
      m.words.masked.add(b);
      return [0, 0];
    case 'clear':
      d.ports.clear(b);
      m.words.pending.delete(b);
      return [0, 0];
    case 'unmaskByStore':
      unmaskByStore(d, b);
      m.words.masked.delete(b);
      return [0, 0];
    case 'priority':
      return [plain(h.setPriority(b, a)), model.priority(caller, b, a)];
    case 'status': {
      const status = h.status(peer, b);
      return [status.ok ? status.value.state : status.errno, model.status(caller, peer, b)];
    }
    case 'fifo': {
      const result = plain(h.initControl(0, d.memory.alloc().gfn, 64));
      if (result === 0) h.expandArray(d.memory.alloc().gfn);
      return [result, model.toFifo(caller)];
    }
    case 'reset': {
      const reset = h.reset(caller);
      let step = reset.next();
      while (step.done !== true) step = reset.next();
      return [plain(step.value), model.reset(caller)];
    }
    case 'pause':
      if (d.controllerPauses === 0) real.machine.pause(d);
      return [0, model.pause(caller, true)];
    default:
      if (d.controllerPauses > 0) real.machine.unpause(d);
      return [0, model.pause(caller, false)];
  }
}

function unmaskByStore(d: Domain, at: Port): void {
  const { ports } = d;
  if (ports.fifo !== undefined) ports.fifo.store(at, ports.fifo.word(at) & ~0x4000_0000);
  else {
    const octet = 2560 + (at >> 3);
    ports.sharedInfo[octet] = (ports.sharedInfo[octet] as number) & ~(1 << (at & 7));
  }
}

describe('random calls and edits of three domains', () => {
  it('answer and deliver as the model does, in its order', () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 120 }), (calls) => {
        const real = new Real();
        const model = new Model(LIMIT);
        for (const one of calls) {
          const [got, wanted] = both(real, model, one);
          expect(got, one.join(' ')).toEqual(wanted);
          expect(real.log, one.join(' ')).toEqual(model.domains.map((d) => d.log));
          expect(checkEvents(real.machine)).toEqual([]);
        }
        for (const id of [0, 1, 2])
          for (let at = 1; at <= LIMIT; at++)
            expect(real.domains[id]?.ports.abi.isPending(at), `${id}:${at}`).toBe(model.of(id).words.pending.has(at));
      }),
      { numRuns: 600, seed: 7 },
    );
  });

  it('never throw, hang or break a channel, whatever a guest writes into its words', () => {
    const scribble = fc.tuple(domid, fc.nat(3), fc.nat(4095), fc.nat(255));
    fc.assert(
      fc.property(fc.array(fc.oneof(call, scribble), { minLength: 1, maxLength: 200 }), (steps) => {
        const real = new Real();
        const model = new Model(LIMIT);
        const pages = real.domains.map((d, id) => {
          const frames = [d.memory.alloc(), d.memory.alloc()];
          if (id > 0) {
            real.calls[id]?.initControl(0, frames[0]?.gfn ?? 0, 0);
            real.calls[id]?.expandArray(frames[1]?.gfn ?? 0);
          }
          return [d.ports.sharedInfo, ...frames.map((f) => f.bytes)];
        });
        for (const step of steps) {
          if (typeof step[0] === 'string') both(real, model, step as Call);
          else {
            const [id, page, at, octet] = step as [number, number, number, number];
            const bytes = pages[id]?.[page % 3];
            if (bytes !== undefined) bytes[page === 0 ? at : at % 320] = octet;
          }
          expect(checkEvents(real.machine)).toEqual([]);
        }
      }),
      { numRuns: 300, seed: 11 },
    );
  });
});

describe('checkEvents', () => {
  const pair = () => {
    const { machine, domains, calls } = new Real();
    const remote = calls[1]?.allocUnbound(1, 0);
    calls[0]?.bindInterdomain(1, remote?.ok === true ? remote.value : 0);
    return { machine, d0: domains[0] as Domain, d1: domains[1] as Domain };
  };

  it('CHK-2: sees a channel that does not lead back', () => {
    const { machine, d1 } = pair();
    expect(checkEvents(machine)).toEqual([]);
    d1.ports.set(1, { state: 'unbound', remoteDomid: 0 });
    expect(checkEvents(machine)).toEqual(['domain 0 port 1 leads to domain 1 port 1, which does not lead back']);
  });

  it('CHK-2, CHK-5: sees a channel to a domain that is gone, and ports of a dead one', () => {
    const { machine, d0, d1 } = pair();
    const stranger = loneMachine({ seed: '2' }).createDomain(5, 'stranger');
    d0.ports.set(1, { state: 'interdomain', remote: stranger.ports, remotePort: 1 });
    d1.dying = 'dead';
    expect(checkEvents(machine)).toEqual([
      'domain 0 port 1 leads to a freed domain 5',
      'domain 0 port 1 leads to domain 5 port 1, which does not lead back',
      'domain 1 port 1 leads to domain 0 port 1, which does not lead back',
      'dead domain 1 has ports 1',
    ]);
  });

  it('sees VIRQ tables and ports that disagree, and a global VIRQ away from its handler', () => {
    const { machine, d1 } = pair();
    d1.ports.vcpu(0).virqPorts[3] = 1;
    d1.ports.set(9, { state: 'virq', virq: 0 });
    expect(checkEvents(machine)).toEqual([
      'domain 1 vcpu 0: virq 3 is at port 1, which is not',
      'domain 1 has virq 3 bound and is not its handler',
      'domain 1 port 9 has virq 0, and vcpu 0 does not know it',
    ]);
  });
});
