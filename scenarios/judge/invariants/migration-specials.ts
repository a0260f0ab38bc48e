import type { History, Verdict } from '../history.ts';
import { textOf } from '../oracles/octets.ts';
import { Op } from '../oracles/wire.ts';
import type { RecordLog } from '../record-log.ts';
import { logOf } from '../recorded-history.ts';
import { Findings } from './finding.ts';

const CLAIM =
  'On each host who watches domains hears of each copy once when it is introduced, and of each that goes; a park is told once, and once more by a daemon that comes after it';
const SOURCE = 'migration.md INV-M27; hypervisor.md DOM-24; guests.md 6.1 d';

/** Who watches both special nodes from the beginning of a host on, and leaves nothing unread. */
const WATCHER = /\/xenconsoled$/;

/** INV-M27, by what a daemon of each host's dom0 was told. Of a host that is down nothing is said. */
export function migrationSpecials(
  hosts: readonly string[],
  histories: readonly History[],
  down: readonly number[] = [],
): Verdict {
  const findings = new Findings('migration-specials');
  for (const [host, history] of histories.entries()) {
    const log = logOf(history);
    const end = log.kept.findLast((r) => r.kind === 'snapshot');
    const watcher = history.epochs.find(({ name, isSocket }) => isSocket === true && WATCHER.test(name));
    if (end === undefined || watcher === undefined || down.includes(host)) continue;
    const bad = (detail: string) => findings.add(end, watcher.name, '', `INV-M27: ${detail}, on ${hosts[host]}`);
    const introduced = told(log, watcher.conn, '@introduceDomain');
    const released = told(log, watcher.conn, '@releaseDomain');
    if (introduced === undefined || released === undefined) continue;
    const came = history.epochs.filter(({ isSocket }) => isSocket !== true).map(({ conn }) => conn);
    const count = (since: number, is: (r: (typeof log.kept)[number]) => boolean) =>
      log.kept.filter((r) => r.seq > since && is(r)).length;
    const copies = count(introduced.since, (r) => r.kind === 'open' && came.includes(r.conn));
    findings.count('copies introduced', copies);
    if (introduced.events !== copies) bad(`${introduced.events} introductions were told of ${copies}`);
    const gone = count(released.since, (r) => r.kind === 'detach' && came.includes(r.conn));
    const parks = count(released.since, (r) => r.kind === 'life' && r.what === 'shutdown');
    const updates = count(released.since, (r) => r.kind === 'liveUpdate' && r.what === 'up');
    findings.count('copies gone', gone);
    findings.count('parks and ends', parks);
    if (released.events < gone) bad(`${released.events} ends and parks were told, and ${gone} domains went`);
    // A successor does not know what was told of those who are parked when it comes: once more for each of them.
    const most = gone + parks * (1 + updates);
    if (released.events > most) bad(`${released.events} ends and parks were told, and there were ${most} at most`);
  }
  return findings.verdict(CLAIM, SOURCE);
}

/** Events of a plain special watch behind its first one, which its registration makes; `undefined`: it never was registered. */
function told(
  log: RecordLog,
  conn: number,
  name: string,
): { readonly since: number; readonly events: number } | undefined {
  let since: number | undefined;
  let events = 0;
  for (let seq = 0; seq < log.length; seq++) {
    if (log.conns[seq] !== conn || log.messageAt(seq) !== 'got' || log.typeOf(seq) !== Op.WATCH_EVENT) continue;
    if (!textOf(log.payloadOf(seq)).startsWith(`${name}\0`)) continue;
    if (since === undefined) since = seq;
    else events++;
  }
  return since === undefined ? undefined : { since, events };
}
