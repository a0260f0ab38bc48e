import type { Session } from '../sessions.ts';
import { Findings } from './finding.ts';
import { OctetStream } from './octet-stream.ts';

const CLAIM =
  'what a guest sends is consumed once, by one store or the other, and what they send it gets once, octet for octet';
const SOURCE = 'INV-M20: SUS-17 and INV-S1 to S4 over hosts; NC-8';

/** Each direction of each session is one stream of octets, whoever serves it (INV-M20). Linear. */
export function unnoticedOctets(sessions: readonly Session[]) {
  const findings = new Findings('unnoticed-octets');
  for (const { name, records } of sessions) {
    const streams = { req: new OctetStream(), rsp: new OctetStream() };
    const indexes = new Map<string, number>();
    for (const record of records) {
      if (record.kind === 'moved') findings.count('moves');
      if (record.kind !== 'put' && record.kind !== 'took') continue;
      const { kind, dir, from, bytes, host } = record;
      const word = `${kind} ${dir}`;
      const due = indexes.get(word);
      if (due !== undefined && due !== from)
        findings.add(
          record,
          name,
          '',
          `INV-M20: an index that stood at ${due} moves from ${from} (${word}, host ${host})`,
        );
      indexes.set(word, (from + bytes.length) >>> 0);
      if (kind === 'put') {
        streams[dir].put(bytes);
        continue;
      }
      findings.count('octets', bytes.length);
      const wrong = streams[dir].take(bytes);
      if (wrong !== undefined) findings.add(record, name, '', `INV-M20: ${wrong} (${dir}, host ${host})`);
    }
  }
  return findings.verdict(CLAIM, SOURCE);
}
