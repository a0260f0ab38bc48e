import type { Domain } from '../domains/domain.ts';
import type { Domid, Gref } from '../ids.ts';
import type { Frame } from '../memory.ts';
import { GTF_reading, GTF_writing } from './abi.ts';
import { loadStatus } from './layout.ts';
import { hasWritePin, pinIncrement } from './pin.ts';
import type { Granter } from './table.ts';

interface CheckedMachine {
  domains(): Domain[];
  domain(domid: Domid): Domain | undefined;
}

/**
 * What must hold of grants between any two steps, whatever guests do (CHK-3, CHK-4, CHK-5); a finding is a bug of the
 * simulator. In-use bits that the guest itself stored over are its own affair (GNT-16).
 * @returns a sentence for each thing that does not hold, in ascending order of domid.
 */
export function checkGrants(machine: CheckedMachine): string[] {
  const findings: string[] = [];
  const domains = machine.domains();
  const pins = new Map<Granter, Map<Gref, number>>();
  const references = new Map<Frame, number>();
  const holders = new Map<Granter, number>();
  for (const mapper of domains) {
    for (const handle of mapper.maptrack.handles()) {
      const mapping = mapper.maptrack.get(handle);
      if (mapping === undefined) continue;
      const { granter, gref, flags, frame } = mapping;
      const where = `d${mapper.domid} handle ${handle} of d${granter.domid} gref ${gref}`;
      if (machine.domain(granter.domid) !== granter) findings.push(`${where}: its granter is gone`);
      const record = granter.grants.active(gref);
      if (record === undefined) findings.push(`${where}: not pinned`);
      else if (record.domid !== mapper.domid) findings.push(`${where}: pinned by d${record.domid}`);
      else if (record.frame !== frame) findings.push(`${where}: another page than the pinned one`);
      if (!granter.memory.owns(frame)) findings.push(`${where}: its page was freed`);
      const increment = pinIncrement(flags);
      if (increment === 0) findings.push(`${where}: neither host nor device`);
      const ofGranter = pins.get(granter) ?? new Map<Gref, number>();
      ofGranter.set(gref, ((ofGranter.get(gref) ?? 0) + increment) >>> 0);
      pins.set(granter, ofGranter);
      const halves = increment === 0 ? 0 : (flags & 1) + ((flags >> 1) & 1);
      references.set(frame, (references.get(frame) ?? 0) + halves);
      holders.set(granter, (holders.get(granter) ?? 0) + 1);
    }
  }
  for (const domain of domains)
    for (const { pages } of domain.toolMaps) {
      holders.set(domain, (holders.get(domain) ?? 0) + 1);
      for (const page of pages) if (page !== undefined) references.set(page, (references.get(page) ?? 0) + 1);
    }
  for (const domain of domains) {
    const who = `d${domain.domid}`;
    for (const [gref, record] of domain.grants.pinned()) {
      const { pin, frame } = record;
      const where = `${who} gref ${gref}`;
      const expected = pins.get(domain)?.get(gref) ?? 0;
      if (pin !== expected) findings.push(`${where}: pins ${hex(pin)}, handles ${hex(expected)}`);
      if (frame.refs !== (references.get(frame) ?? 0))
        findings.push(`${where}: ${frame.refs} page references, ${references.get(frame) ?? 0} mappings`);
      const shown = loadStatus(domain.grants, gref);
      if (record.isOverwritten || shown !== record.shown) continue; // the guest stored there
      if ((shown & GTF_reading) === 0) findings.push(`${where}: pinned and not shown as reading`);
      if (hasWritePin(pin) && (shown & GTF_writing) === 0) findings.push(`${where}: written and not shown as writing`);
    }
    const holding = holders.get(domain) ?? 0;
    if (domain.foreignMaps !== holding)
      findings.push(`${who}: ${domain.foreignMaps} mappings counted, ${holding} held`);
    for (const frame of domain.memory.kept)
      if (!references.has(frame)) findings.push(`${who}: gfn ${hex(frame.gfn)} is kept for nobody`);
    if (domain.dying !== 'dead') continue;
    if (domain.maptrack.handles().length > 0) findings.push(`${who}: dead, and still maps others' pages`);
    if (domain.memory.frames.some((frame) => !frame.isSpecial)) findings.push(`${who}: dead, and still owns pages`);
  }
  return findings;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
