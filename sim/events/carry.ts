import type { Domain } from '../domains/domain.ts';
import { fail } from '../errors.ts';
import type { Domid, Gfn, Port } from '../ids.ts';
import { PAGE_BYTES } from '../memory.ts';
import type { EventChannels } from './ports.ts';
import { NR_VIRQS, virqClass } from './virq.ts';
import { CONTROL_BYTES, FIFO_PAGES, PRIORITY_DEFAULT, PRIORITY_MIN, VCPU_INFO_BYTES } from './words.ts';

/*
 * Event channels of a domain that is to be moved without its help (NC-9, NC-10): taken out of one hypervisor and put into
 * another by number. Xen 4.22 has neither call; what it knows of a port it keeps in struct evtchn (xen/include/xen/sched.h),
 * and these are its fields. The words that the guest sees are its memory, and come with that.
 */

/** What a port is. A backend's own port has no meaning elsewhere: which of its ports it binds there is for it to say. */
export type CarriedChannel =
  | { readonly kind: 'unbound'; readonly remoteDomid: Domid }
  | { readonly kind: 'interdomain'; readonly remoteDomid: Domid }
  | { readonly kind: 'virq'; readonly virq: number }
  | { readonly kind: 'ipi' };

export interface CarriedPort {
  readonly port: Port;
  readonly channel: CarriedChannel;
  /** Where it is delivered. */
  readonly vcpu: number;
  /** Of the FIFO ABI. */
  readonly priority: number;
  readonly pending: boolean;
  readonly masked: boolean;
}

/** A place in the guest's memory. */
export interface CarriedPlace {
  readonly vcpu: number;
  readonly gfn: Gfn;
  readonly at: number;
}

/** All event channels of one domain. Ports that are not there are closed. */
export interface PortsImage {
  /** Ascending. */
  readonly ports: readonly CarriedPort[];
  /** The page of Xen's own that the guest sees: 4096 octets. */
  readonly sharedInfo: Uint8Array;
  /** VCPUOP_register_vcpu_info of each vCPU that has made it. */
  readonly vcpuInfo: readonly CarriedPlace[];
  /** Left out: the 2-level ABI. */
  readonly fifo?: { readonly blocks: readonly CarriedPlace[]; readonly pages: readonly Gfn[] };
}

/** Take out all of a domain that does not run. Errors: EBUSY it may run. */
export function takePorts(domain: Domain): PortsImage {
  const { ports } = domain;
  if (domain.isRunning) fail('EBUSY', `domain ${domain.domid} runs`);
  const places = ports.fifo?.places;
  const placed = (gfn: Gfn | undefined, vcpu: number, at: number): CarriedPlace[] =>
    gfn === undefined ? [] : [{ vcpu, gfn, at }];
  return {
    ports: ports.ports().flatMap((port) => carried(ports, port)),
    sharedInfo: ports.sharedInfo.slice(),
    vcpuInfo: ports.vcpus.flatMap(({ id, gfn, at }) => placed(gfn, id, at)),
    ...(places === undefined
      ? {}
      : {
          fifo: {
            blocks: places.blocks.flatMap((block, vcpu) => placed(block?.gfn, vcpu, block?.at ?? 0)),
            pages: places.pages.map(({ gfn }) => gfn),
          },
        }),
  };
}

/** Ports that Xen itself consumes are the device model's, which makes its own. */
function carried(ports: EventChannels, port: Port): CarriedPort[] {
  const channel = ports.get(port);
  if (channel === undefined || !ports.isUsable(port)) return [];
  return [
    {
      port,
      channel:
        channel.state === 'interdomain'
          ? { kind: 'interdomain', remoteDomid: channel.remote.domain.domid }
          : channel.state === 'unbound'
            ? { kind: 'unbound', remoteDomid: channel.remoteDomid }
            : channel.state === 'virq'
              ? { kind: 'virq', virq: channel.virq }
              : { kind: 'ipi' },
      vcpu: ports.notifyVcpu(port),
      priority: ports.fifo === undefined ? PRIORITY_DEFAULT : ports.fifoPort(port).priority,
      pending: ports.isPending(port),
      masked: ports.isMasked(port),
    },
  ];
}

/**
 * Put them into a new domain that has none, whose memory has come. A port that had a peer is held open for that domid again,
 * and each pending event is raised anew, so that queues of the FIFO ABI are made by the hypervisor that knows their ends.
 * All or nothing. Errors: EBUSY it has run, or has ports; EINVAL what cannot be; ENOENT no such vCPU; ENOSPC above its limit.
 */
export function putPorts(domain: Domain, image: PortsImage): void {
  const { ports } = domain;
  if (domain.isCreationFinished || domain.dying !== 'alive') fail('EBUSY', `domain ${domain.domid} is no new one`);
  if (ports.ports().length > 0) fail('EBUSY', `domain ${domain.domid} has ports`);
  checkPorts(domain, image);
  domain.keepsPlatform = true;
  ports.sharedInfo.set(image.sharedInfo);
  for (const { vcpu, gfn, at } of image.vcpuInfo) ports.vcpu(vcpu).register(pageOf(domain, gfn), gfn, at);
  for (const { vcpu, gfn, at } of image.fifo?.blocks ?? []) ports.initControl(vcpu, gfn, at);
  for (const gfn of image.fifo?.pages ?? []) ports.expandArray(gfn);
  ports.fifo?.unlinkAll();
  for (const one of image.ports) putPort(ports, one);
  for (const { port, pending, vcpu } of image.ports) {
    if (!pending) continue;
    ports.abi.clearPending(port); // its word came with the memory: as it is, the event would coalesce with itself
    ports.abi.setPending(port, ports.vcpu(vcpu));
  }
}

function putPort(ports: EventChannels, { port, channel, vcpu, priority, masked }: CarriedPort): void {
  switch (channel.kind) {
    case 'unbound':
    case 'interdomain':
      ports.set(port, { state: 'unbound', remoteDomid: channel.remoteDomid });
      break;
    case 'virq':
      ports.set(port, { state: 'virq', virq: channel.virq });
      ports.vcpu(vcpu).virqPorts[channel.virq] = port;
      break;
    case 'ipi':
      ports.set(port, { state: 'ipi' });
  }
  ports.setNotifyVcpu(port, vcpu);
  if (ports.fifo !== undefined) ports.fifoPort(port).priority = priority;
  if (masked) ports.mask(port);
}

function checkPorts(domain: Domain, { ports, sharedInfo, vcpuInfo, fifo }: PortsImage): void {
  if (sharedInfo.length !== PAGE_BYTES) fail('EINVAL', `a shared info page of ${sharedInfo.length} octets`);
  for (const place of vcpuInfo) checkPlace(domain, place, VCPU_INFO_BYTES);
  for (const place of fifo?.blocks ?? []) checkPlace(domain, place, CONTROL_BYTES);
  if ((fifo?.pages.length ?? 0) > FIFO_PAGES) fail('EINVAL', `${fifo?.pages.length} array pages`);
  if (fifo !== undefined && fifo.blocks.length === 0) fail('EINVAL', 'an event array without a control block');
  for (const gfn of fifo?.pages ?? []) pageOf(domain, gfn);
  const virqs = new Set<string>();
  let last = 0;
  for (const { port, channel, vcpu, priority } of ports) {
    if (port <= last) fail('EINVAL', `port ${port} after ${last}`);
    last = port;
    if (port > domain.ports.maxPort) fail('ENOSPC', `port ${port} above ${domain.ports.maxPort}`);
    if (!domain.ports.hasVcpu(vcpu)) fail('ENOENT', `vcpu ${vcpu}`);
    if (!(priority >= 0 && priority <= PRIORITY_MIN)) fail('EINVAL', `priority ${priority}`);
    if (channel.kind !== 'virq') continue;
    const { virq } = channel;
    // Global ones have one handler on each host; a guest that was one there is none here.
    if (!(virq >= 0 && virq < NR_VIRQS) || virqClass(virq) === 'global') fail('EINVAL', `virq ${virq}`);
    const name = `${virq} ${virqClass(virq) === 'vcpu' ? vcpu : 0}`;
    if (virqs.has(name)) fail('EINVAL', `virq ${virq} twice`);
    virqs.add(name);
  }
}

function checkPlace(domain: Domain, { vcpu, gfn, at }: CarriedPlace, bytes: number): void {
  if (!domain.ports.hasVcpu(vcpu)) fail('ENOENT', `vcpu ${vcpu}`);
  if (at < 0 || at + bytes > PAGE_BYTES || (at & 7) !== 0) fail('EINVAL', `offset ${at}`);
  pageOf(domain, gfn);
}

function pageOf(domain: Domain, gfn: Gfn): Uint8Array {
  return (domain.memory.frame(gfn) ?? fail('EINVAL', `no page at gfn ${gfn}`)).bytes;
}
