import type { Domain } from './domains/domain.ts';
import { checkEvents } from './events/check.ts';
import { VIRQ_DOM_EXC } from './events/virq.ts';
import { checkGrants } from './grants/check.ts';
import { DOMID_FIRST_RESERVED } from './ids.ts';
import type { Machine } from './machine.ts';
import type { Frame } from './memory.ts';
import { REQ_CONS, REQ_PROD, RING_BYTES, RSP_CONS, RSP_PROD, used } from './ring.ts';

/**
 * What must hold of a machine between any two hypercalls, whatever guests do: CHK-1 to CHK-6 and CHK-12. A finding is a bug of
 * the simulator.
 * @returns a sentence for each thing that does not hold.
 */
export function checkMachine(machine: Machine): readonly string[] {
  const findings = [...checkGrants(machine), ...checkEvents(machine)];
  const { lives } = machine;
  const ids = new Set<bigint>();
  const domids = new Set<number>();
  let boundBy = 0;
  for (const domain of lives.all()) {
    const { domid, uniqueId, dying, ports } = domain;
    const who = `domain ${domid}`;
    if (lives.get(domid) !== domain || domids.has(domid)) findings.push(`${who}: another one has its id`);
    if (!(domid >= 0 && domid < DOMID_FIRST_RESERVED)) findings.push(`${who}: no domain's id`);
    if (uniqueId === 0n || ids.has(uniqueId)) findings.push(`${who}: unique id ${uniqueId} again`);
    ids.add(uniqueId);
    domids.add(domid);
    if (domain.isShutDown && (!domain.isShuttingDown || domain.shutdownCode === undefined))
      findings.push(`${who}: shut down without a reason`);
    if (domain.controllerPauses < 0 || domain.controllerPauses > 255)
      findings.push(`${who}: ${domain.controllerPauses} pauses`);
    if (dying === 'dead' && domain.foreignMaps === 0 && domain.stubdoms === 0)
      findings.push(`${who}: dead, unreferenced, and still there`);
    if (domain.vcpus > 0 && ports.vcpu(0).virqPorts[VIRQ_DOM_EXC] !== 0) boundBy++;
  }
  if (lives.changed.exists !== (boundBy === 1))
    findings.push(`VIRQ_DOM_EXC bound ${boundBy} times, and the bitmap not so`);
  return findings;
}

/** Freed domains that are looked at again each time; more would keep their memory for nothing. */
const FREED_MAX = 32;

/**
 * checkMachine() every so many steps, and what only shows over time: steps of domains that may not run (CHK-7), VIRQ_DOM_EXC
 * without a bit (CHK-6), things that freed domains still have (CHK-5), unique ids that come back (CHK-12).
 */
export class MachineWatch {
  readonly #machine: Machine;
  readonly #everySteps: number;
  readonly #ids = new Set<bigint>();
  readonly #freed: Domain[] = [];
  readonly #rings = new Map<Frame, Domain>();
  #untilCheck: number;
  /** How often checkMachine() was called. */
  checks = 0;

  /** Watch from now on. A finding is thrown out of the step, so that the run ends as an error. */
  constructor(machine: Machine, everySteps: number) {
    this.#machine = machine;
    this.#everySteps = everySteps;
    this.#untilCheck = everySteps;
    const { lives, events, scheduler } = machine;
    for (const domain of lives.all()) this.#created(domain);
    lives.onLife = (domain, what) => {
      if (what === 'created') this.#created(domain);
      if (what === 'gone') this.#gone(domain);
    };
    events.onGlobal = (virq) => {
      if (virq === VIRQ_DOM_EXC && lives.changed.isEmpty) refuse([`VIRQ_DOM_EXC without a changed domain`]);
    };
    scheduler.onStep = (task) => {
      const { domain } = task;
      if (domain !== undefined && !domain.isRunning)
        refuse([`${task.name} runs in domain ${domain.domid}, which may not`]);
      if (--this.#untilCheck > 0) return;
      this.#untilCheck = this.#everySteps;
      this.check();
    };
  }

  /** A xenstore ring whose both ends keep to the rules: no index may pass the other, for as long as its domain is there. */
  trust(domain: Domain, ring: Frame): void {
    this.#rings.set(ring, domain);
  }

  /** From now on one end of it does not keep to them. */
  distrust(ring: Frame): void {
    this.#rings.delete(ring);
  }

  /** Look now. */
  check(): void {
    this.checks++;
    refuse(checkMachine(this.#machine));
    for (const [ring, domain] of this.#rings) {
      if (this.#machine.domain(domain.domid) !== domain) this.#rings.delete(ring);
      else refuse(checkRing(domain, ring));
    }
    for (const domain of this.#freed) refuse(checkFreed(domain));
  }

  #created({ domid, uniqueId }: Domain): void {
    if (this.#ids.has(uniqueId)) refuse([`domain ${domid}: unique id ${uniqueId} again`]);
    this.#ids.add(uniqueId);
  }

  #gone(domain: Domain): void {
    refuse(checkFreed(domain));
    this.#freed.push(domain);
    if (this.#freed.length > FREED_MAX) this.#freed.shift();
  }
}

/** What must hold of a ring's indexes: neither buffer has less than nothing, or more than it holds. */
export function checkRing(domain: Domain, ring: Frame): readonly string[] {
  const findings: string[] = [];
  for (const [what, prodAt, consAt] of [
    ['requests', REQ_PROD, REQ_CONS],
    ['responses', RSP_PROD, RSP_CONS],
  ] as const) {
    const [prod, cons] = [ring.load32(prodAt), ring.load32(consAt)];
    if (used(prod, cons) > RING_BYTES) findings.push(`domain ${domain.domid}: ${what} from ${cons} to ${prod}`);
  }
  return findings;
}

/** What must hold of a domain that was freed (CHK-5). */
export function checkFreed(domain: Domain): readonly string[] {
  const who = `freed domain ${domain.domid}`;
  const findings: string[] = [];
  if (domain.dying !== 'dead') findings.push(`${who} is ${domain.dying}`);
  if (domain.ports.ports().length > 0) findings.push(`${who} has ports ${domain.ports.ports().join(' ')}`);
  if (domain.grants.pinned().length > 0) findings.push(`${who} has pinned grants`);
  if (domain.maptrack.handles().length > 0) findings.push(`${who} maps others' pages`);
  if (domain.foreignMaps > 0) findings.push(`${who} is mapped ${domain.foreignMaps} times`);
  if (domain.memory.frames.some((frame) => !frame.isSpecial) || domain.memory.kept.length > 0)
    findings.push(`${who} has pages`);
  if (domain.watchdogsNs.some((dueNs) => dueNs !== undefined)) findings.push(`${who} has watchdogs`);
  return findings;
}

function refuse(findings: readonly string[]): void {
  if (findings.length > 0) throw new Error(`assertion: ${findings.join('; ')}`);
}
