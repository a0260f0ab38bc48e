import type { History, Verdict } from '../history.ts';
import { logOf } from '../recorded-history.ts';
import { BlockDevices } from './devices-block.ts';
import { DeviceEvidence } from './devices-evidence.ts';

const CLAIM =
  'A write that was acknowledged is never overwritten by an older one, wherever its guest went; what was not answered is asked again, and answered once';
const SOURCE = 'migration.md INV-M28; guests.md INV-H7; linux drivers/block/xen-blkfront.c, blkif_recover';

/** INV-M28, over disks as joinDisks() puts them together. */
export function disksOverHosts(joined: History): Verdict {
  const evidence = new DeviceEvidence(joined, logOf(joined), 'disks-over-hosts');
  const blocks = new BlockDevices(evidence);
  for (const record of joined.devices ?? []) {
    evidence.advance(record.seq);
    blocks.note(record);
  }
  evidence.advance(joined.records.length);
  evidence.findings.count('disks', blocks.size);
  if (joined.records.some((r) => r.kind === 'snapshot')) blocks.finish();
  return evidence.findings.verdict(CLAIM, SOURCE);
}
