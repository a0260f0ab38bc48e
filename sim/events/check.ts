import type { Domain } from '../domains/domain.ts';
import type { Machine } from '../machine.ts';
import { NR_VIRQS, virqClass } from './virq.ts';

/** What is wrong with a machine's event channels, as sentences; empty if nothing is (CHK-2, CHK-5, CHK-6). */
export function checkEvents(machine: Machine): string[] {
  const findings: string[] = [];
  for (const domain of machine.domains()) {
    checkPorts(machine, domain, findings);
    checkVirqs(machine, domain, findings);
    if (domain.dying === 'dead' && domain.ports.ports().length > 0)
      findings.push(`dead domain ${domain.domid} has ports ${domain.ports.ports().join(' ')}`);
  }
  return findings;
}

function checkPorts(machine: Machine, domain: Domain, findings: string[]): void {
  const { domid, ports } = domain;
  if (ports.get(0) !== undefined) findings.push(`domain ${domid}: port 0 is in use`);
  for (const port of ports.ports()) {
    const what = `domain ${domid} port ${port}`;
    if (!ports.isValid(port)) findings.push(`${what} is in use and not valid`);
    if (!ports.hasVcpu(ports.notifyVcpu(port))) findings.push(`${what} notifies vcpu ${ports.notifyVcpu(port)}`);
    const channel = ports.get(port);
    if (channel?.state !== 'interdomain') continue;
    const { remote, remotePort } = channel;
    const there = remote.domain.domid;
    if (machine.domain(there) !== remote.domain) findings.push(`${what} leads to a freed domain ${there}`);
    const back = remote.get(remotePort);
    if (back?.state !== 'interdomain' || back.remote !== ports || back.remotePort !== port)
      findings.push(`${what} leads to domain ${there} port ${remotePort}, which does not lead back`);
  }
}

/** The table of VIRQ ports and the ports' own states say the same; a global VIRQ is bound in its handler alone (DOM-27). */
function checkVirqs(machine: Machine, domain: Domain, findings: string[]): void {
  const { domid, ports } = domain;
  for (let vcpu = 0; vcpu < domain.vcpus; vcpu++)
    for (let virq = 0; virq < NR_VIRQS; virq++) {
      const port = ports.vcpu(vcpu).virqPorts[virq] ?? 0;
      if (port === 0) continue;
      const channel = ports.get(port);
      if (channel?.state !== 'virq' || channel.virq !== virq)
        findings.push(`domain ${domid} vcpu ${vcpu}: virq ${virq} is at port ${port}, which is not`);
      if (virqClass(virq) === 'global' && machine.events.virqHandler(virq) !== domain)
        findings.push(`domain ${domid} has virq ${virq} bound and is not its handler`);
    }
  for (const port of ports.ports()) {
    const channel = ports.get(port);
    if (channel?.state !== 'virq') continue;
    const home = virqClass(channel.virq) === 'vcpu' ? ports.notifyVcpu(port) : 0;
    if (ports.vcpu(home).virqPorts[channel.virq] !== port)
      findings.push(`domain ${domid} port ${port} has virq ${channel.virq}, and vcpu ${home} does not know it`);
  }
}
