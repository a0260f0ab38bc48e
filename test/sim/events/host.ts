import { type Domain, Hypercalls, loneMachine, type Port, type Result } from '../../../sim/index.ts';

/** A host with dom0 and two guests, all running; each with its hypercalls. */
export function host(vcpus = 1) {
  const m = loneMachine({ seed: '1' });
  const domains = [0, 1, 2].map((domid) => m.createDomain(domid, `d${domid}`));
  for (const d of domains) {
    d.vcpus = vcpus;
    m.unpause(d);
  }
  const [d0, d1, d2] = domains as [Domain, Domain, Domain];
  const [h0, h1, h2] = domains.map((d) => new Hypercalls(m, d).evtchn) as [Evtchn, Evtchn, Evtchn];
  return { m, d0, d1, d2, h0, h1, h2 };
}

export type Evtchn = Hypercalls['evtchn'];

/** The value of a call that must succeed. */
export function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.errno);
  return result.value;
}

/** The errno of a call that must fail. */
export function errno(result: Result<unknown>): string {
  return result.ok ? 'success' : result.errno;
}

/** A channel between dom0 and domain 1, with dom0's self-event taken away: the port in dom0 and the one in domain 1. */
export function connected(h: ReturnType<typeof host>): { local: Port; remote: Port } {
  const remote = value(h.h1.allocUnbound(1, 0));
  const local = value(h.h0.bindInterdomain(1, remote));
  h.d0.ports.clear(local);
  return { local, remote };
}

/** Take a domain to the FIFO ABI: a control block on each vCPU and one array page, nothing masked. */
export function toFifo(domain: Domain, evtchn: Evtchn) {
  const blocks = [];
  for (let vcpu = 0; vcpu < domain.vcpus; vcpu++) {
    const page = domain.memory.alloc();
    value(evtchn.initControl(vcpu, page.gfn, 0));
    blocks.push(page);
  }
  const array = domain.memory.alloc();
  value(evtchn.expandArray(array.gfn));
  return { blocks, array };
}
