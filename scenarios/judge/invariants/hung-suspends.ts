import type { History, Verdict } from '../history.ts';
import { logOf } from '../recorded-history.ts';
import { Findings } from './finding.ts';

const CLAIM = 'A guest that is asked to suspend does so';
const SOURCE = 'linux drivers/xen/xenbus/xenbus_xs.c, xs_request_exit; rule LX-16';

const DEFECT = {
  label: 'LX-16',
  what: 'a Linux kernel counts a transaction that a forced update broke for ever, and never suspends again',
};

/** Guests, by name, that stand still for ever in a suspend that they have begun. `history`: of a host, for the end of the run. */
export function hungSuspends(guests: readonly string[], history: History): Verdict {
  const findings = new Findings('suspends');
  const at = logOf(history).at(-1) ?? { seq: 0, timeNs: 0 };
  for (const guest of guests)
    findings.addKnown(DEFECT, at, guest, '', `${guest} has taken the request, and waits for ever`);
  return findings.verdict(CLAIM, SOURCE);
}
