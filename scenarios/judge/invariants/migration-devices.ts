import { Copies } from '../copies.ts';
import type { History, Verdict } from '../history.ts';
import type { MigrationHistory } from '../migrations.ts';
import { logOf } from '../recorded-history.ts';
import { convergence, type ExpectedDevice } from './convergence.ts';
import { Findings } from './finding.ts';
import type { OwnersPlan } from './migration-owners.ts';

const CLAIM = 'Each device of a guest that runs where it has come to is connected again at both ends';
const SOURCE = 'migration.md INV-M33, K11 to K14; guests.md INV-P6';

/** What a toolstack holds to be there. */
const DEVICE = /^\/libxl\/(\d+)\/device\/(vif|vbd)\/(\d+)$/;

/**
 * INV-M33, in the tree of each host as it was read when all was at rest: of every copy that has come from another host and runs.
 * A device whose backend has refused it is a matter of the rules of devices.
 */
export function migrationDevices(
  history: MigrationHistory,
  histories: readonly History[],
  { down = [] }: Pick<OwnersPlan, 'down'>,
): Verdict {
  const findings = new Findings('migration-devices');
  const copies = new Copies(history);
  for (const record of history.records) copies.note(record);
  const first = new Set(history.asked.map(({ uniqueId, from }) => `${from} ${uniqueId}`));
  const came = history.copies.filter(
    (copy) => copies.stateOf(copy) === 'running' && history.asked.some(({ uuid }) => uuid === copy.uuid),
  );
  for (const [host, each] of histories.entries()) {
    const snapshot = logOf(each).kept.findLast((r) => r.kind === 'snapshot');
    if (snapshot === undefined || down.includes(host)) continue;
    const here = came.filter((copy) => copy.host === host);
    findings.count('guests that moved', here.filter((copy) => !first.has(`${host} ${copy.uniqueId}`)).length);
    const expected = snapshot.nodes.flatMap(({ path }): readonly ExpectedDevice[] => {
      const [, domid, kind, devid] = DEVICE.exec(path) ?? [];
      const isTheirs = here.some((copy) => copy.domid === Number(domid));
      return isTheirs && kind !== undefined ? [{ domid: Number(domid), kind, devid: Number(devid) }] : [];
    });
    findings.count('devices', expected.length);
    for (const { seq, timeNs, actor, detail } of convergence(each, expected).violations)
      findings.add({ seq, timeNs }, actor, '', `INV-M33: ${detail}, on ${history.hosts[host]}`);
  }
  return findings.verdict(CLAIM, SOURCE);
}
