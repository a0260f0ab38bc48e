import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkMachine,
  DOMID_ANY,
  DOMID_INVALID,
  type Domain,
  GNTMAP_host_map,
  GNTST,
  Hypercalls,
  loneMachine,
  MachineWatch,
  type Port,
  type Result,
  VIRQ_DOM_EXC,
} from '../../../sim/index.ts';
import { LifeModel } from './model.ts';

type Call = readonly [op: string, caller: number, a: number, b: number];
const OPS = (
  'create createAny destroy destroy pause unpause unpause shutdown latch resume state info settle settle ' +
  'bindVirq closeVirq pop pop pop map map map unmap alloc bind close send ipi'
).split(' ');
const call: fc.Arbitrary<Call> = fc.tuple(
  fc.constantFrom(...OPS),
  fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(4) }),
  fc.nat(4),
  fc.nat(5),
);

interface Mapping {
  readonly mapper: Domain;
  readonly handle: number;
  readonly serial: number;
}

/** The simulator and the model behind the same calls. */
class Both {
  readonly m = loneMachine({ seed: '1' });
  readonly model = new LifeModel();
  readonly watch = new MachineWatch(this.m, 1);
  #mappings: Mapping[] = [];
  #virqPort: Port = 0;

  constructor() {
    for (const domid of [0, 1, 2]) {
      this.seed(this.m.createDomain(domid, `d${domid}`));
      this.model.create(0, domid);
    }
    this.m.unpause(this.m.domain(0) as Domain);
    this.model.unpause(0, 0);
  }

  /** Every domain grants one page to every other. */
  seed(domain: Domain): void {
    const page = domain.memory.alloc();
    for (let to = 0; to < 5; to++) this.m.seedGrant(domain, 8 + to, to, page);
  }

  /** What both answer; calls that the model does not judge answer nothing. */
  call([op, caller, a, b]: Call): readonly [unknown, unknown] {
    const { m, model } = this;
    const domain = m.domain(caller);
    if (domain === undefined || domain.dying !== 'alive') return [0, 0]; // nobody there to call
    const h = new Hypercalls(m, domain);
    switch (op) {
      case 'create':
      case 'createAny': {
        const isAny = op === 'createAny';
        const made = h.createDomain(isAny ? DOMID_ANY : a, 'x');
        if (made.ok) this.seed(made.value);
        return [made.ok ? made.value.domid : made.errno, model.create(caller, isAny ? 'any' : a)];
      }
      case 'destroy':
        return [plain(h.destroyDomain(a)), model.destroy(caller, a)];
      case 'pause':
        return [plain(h.pause(a)), model.pause(caller, a)];
      case 'unpause':
        return [plain(h.unpause(a)), model.unpause(caller, a)];
      case 'shutdown':
        if (a === 0) return [0, 0]; // the host's end is another matter
        return [plain(h.domctl.remoteShutdown(a, b)), model.shutdown(caller, a, b)];
      case 'latch':
        h.domctl.shutdownCode(b);
        return [0, model.latch(caller, b)];
      case 'resume':
        return [plain(h.resume(a)), model.resume(caller, a)];
      case 'state': {
        const got = h.domctl.getDomainState(a);
        return [got.ok ? got.value.state : got.errno, model.state(caller, a)];
      }
      case 'info': {
        const got = new Hypercalls(m, m.domain(0) as Domain).domctl.getDomainInfo(a);
        return [got.ok ? [got.value.flags & 13, (got.value.flags >>> 16) & 255] : got.errno, model.info(a)];
      }
      case 'settle':
        m.scheduler.run(m.nowNs + 10_000_000);
        model.settle();
        return [0, 0];
      case 'bindVirq':
        if (this.#virqPort === 0 && caller === 0) {
          const bound = h.bindVirq(VIRQ_DOM_EXC);
          if (!bound.ok) return [bound.errno, 'bound'];
          this.#virqPort = bound.value;
          model.bind(true);
        }
        return [0, 0];
      case 'closeVirq':
        return [this.closeVirq(), 0];
      case 'pop': {
        const got = h.domctl.getDomainState(DOMID_INVALID);
        return [got.ok ? [got.value.domid, got.value.state] : got.errno, caller === 0 ? model.pop() : 'EPERM'];
      }
      case 'map': {
        const { status, handle } = h.mapGrant(a, 8 + caller, GNTMAP_host_map);
        if (status === GNTST.okay) {
          this.#mappings.push({ mapper: domain, handle: handle as number, serial: model.serial(a) as number });
          model.mapped(caller, a);
        }
        return [status === GNTST.okay, status === GNTST.okay && model.state(0, a) !== 'ESRCH'];
      }
      case 'unmap': {
        const mine = this.#mappings.filter(({ mapper }) => mapper === domain);
        const mapping = mine[b % Math.max(mine.length, 1)];
        if (mapping === undefined) return [0, 0];
        this.#mappings = this.#mappings.filter((other) => other !== mapping);
        model.unmapped(caller, mapping.serial);
        return [h.unmapGrant(mapping.handle), GNTST.okay];
      }
      case 'alloc':
        h.allocUnbound(a, b);
        return [0, 0];
      case 'bind':
        h.bindInterdomain(a, b);
        return [0, 0];
      case 'ipi':
        h.evtchn.bindIpi(0);
        return [0, 0];
      case 'close':
        if (caller === 0 && b === this.#virqPort) return [this.closeVirq(), 0];
        h.close(b);
        return [0, 0];
      default:
        h.send(b);
        return [0, 0];
    }
  }

  closeVirq(): number {
    if (this.#virqPort === 0) return 0;
    const closed = new Hypercalls(this.m, this.m.domain(0) as Domain).close(this.#virqPort);
    this.#virqPort = 0;
    this.model.bind(false);
    return closed.ok ? 0 : -1;
  }
}

function plain(result: Result<unknown>): number | string {
  return result.ok ? 0 : result.errno;
}

describe('random hypercalls of several domains', () => {
  it('DOM-1, DOM-7, DOM-8, DOM-15, DOM-32: answer as the model of lives does, and every check holds after each (CHK-1 to CHK-7, CHK-12)', () => {
    let answers = 0;
    let zombies = 0;
    fc.assert(
      fc.property(fc.array(call, { minLength: 20, maxLength: 120 }), (calls) => {
        const both = new Both();
        for (const one of calls) {
          const [got, expected] = both.call(one);
          expect(got, one.join(' ')).toEqual(expected);
          expect(checkMachine(both.m), one.join(' ')).toEqual([]);
          answers++;
          if (both.m.domain(1)?.dying === 'dead') zombies++;
        }
      }),
      { numRuns: 1000, seed: 11 },
    );
    expect(answers).toBeGreaterThan(10_000);
    expect(zombies).toBeGreaterThan(100);
  });
});
