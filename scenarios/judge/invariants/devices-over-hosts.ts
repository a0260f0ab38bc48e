import type { JoinedDevices, Verdict } from '../history.ts';
import { logOf } from '../recorded-history.ts';
import { CLAIM } from './devices.ts';
import { BlockDevices } from './devices-block.ts';
import { DeviceEvidence } from './devices-evidence.ts';
import { Handshake, type PublishedKeys } from './devices-handshake.ts';
import { Network, type Vifs } from './devices-net.ts';

const SOURCE = 'INV-M28, INV-M29; NC-28 to NC-34; guests.md 6.11 INV-H1 to INV-H3';

/**
 * The checks of one host's devices, of guests that go from host to host with their rings in use: a disk and its ring are one thing
 * wherever they are; of an interface the frontend is one, and each host has a bridge of its own. A request that is done twice, or
 * a packet that comes twice or not at all, is one of a ring that was taken over at the wrong place. Linear.
 */
export function devicesOverHosts({ history, hosts }: JoinedDevices): Verdict {
  const log = logOf(history);
  const evidence = new DeviceEvidence(history, log, 'devices-over-hosts');
  const { findings } = evidence;
  const published: PublishedKeys = new Map();
  const vifs: Vifs = new Map();
  const places = new Map<number, { readonly handshake: Handshake; readonly network: Network }>();
  const blocks = new BlockDevices(evidence);
  for (const [i, record] of (history.devices ?? []).entries()) {
    evidence.advance(record.seq);
    findings.count('records');
    const host = hosts[i] as number;
    let place = places.get(host);
    if (place === undefined) {
      place = { handshake: new Handshake(evidence, published), network: new Network(evidence, vifs) };
      places.set(host, place);
    }
    place.handshake.note(record);
    if (record.what === 'attached' && !evidence.isAlive(record.dev))
      findings.count('rings in use that were taken over');
    if (record.dev.startsWith('vif/')) place.network.note(record);
    else blocks.note(record);
  }
  evidence.advance(log.length);
  if (log.kept.some((r) => r.kind === 'snapshot')) {
    blocks.finish();
    for (const { network } of places.values()) network.finish();
  }
  return findings.verdict(CLAIM, SOURCE);
}
