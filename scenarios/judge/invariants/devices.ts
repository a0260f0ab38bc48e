import type { History, Verdict } from '../history.ts';
import { logOf } from '../recorded-history.ts';
import { BlockDevices } from './devices-block.ts';
import { DeviceEvidence } from './devices-evidence.ts';
import { Handshake, ownership } from './devices-handshake.ts';
import { Network } from './devices-net.ts';

export const CLAIM =
  'No payload of a device is lost, doubled, reordered or changed; each acknowledged write is on the disk, each request answered once';
export const SOURCE = 'guests.md 2.3 to 2.5, 6.11 INV-H1, INV-H2, INV-H3, INV-H7; RNG-7';

/**
 * Judge what the ends of devices told of their work, each from its own knowledge. Needs `history.devices`. Linear. A frontend
 * whose domain died, or that closed its device, is owed nothing any more; the others keep all their rights.
 * @param of of one host of several a disk is not judged: others wrote to it.
 */
export function devices(history: History, of: 'all' | 'one host of several' = 'all'): Verdict {
  const log = logOf(history);
  const evidence = new DeviceEvidence(history, log);
  const { findings } = evidence;
  const blocks = new BlockDevices(evidence);
  const network = new Network(evidence);
  const handshake = new Handshake(evidence);
  for (const record of history.devices ?? []) {
    evidence.advance(record.seq);
    findings.count('records');
    handshake.note(record);
    if (record.dev.startsWith('vif/')) network.note(record);
    else if (of === 'all') blocks.note(record);
  }
  evidence.advance(log.length);
  ownership(history, log, findings);
  // A run that did not come to rest is judged by what it did, not by what it left undone.
  if (log.kept.some((r) => r.kind === 'snapshot')) {
    for (const check of [blocks, network]) check.finish();
  }
  return findings.verdict(CLAIM, SOURCE);
}
