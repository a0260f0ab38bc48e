import type { Bug } from './bug.ts';
import { DOMAIN_LIFE } from './families/domain-life.ts';
import { DRIVER_HANDSHAKE } from './families/driver-handshake.ts';
import { DUMP } from './families/dump.ts';
import { EVENT_CHANNEL } from './families/event-channel.ts';
import { GRANT } from './families/grant.ts';
import { MIGRATION } from './families/migration.ts';
import { PERMISSION } from './families/permission.ts';
import { QUOTA } from './families/quota.ts';
import { REQUEST_PARSING } from './families/request-parsing.ts';
import { RESTORE } from './families/restore.ts';
import { RING } from './families/ring.ts';
import { TOOLSTACK } from './families/toolstack.ts';
import { TRANSACTION } from './families/transaction.ts';
import { WATCH } from './families/watch.ts';

/** All bugs, family by family. */
export const BUGS: readonly Bug[] = [
  ...RING,
  ...REQUEST_PARSING,
  ...WATCH,
  ...TRANSACTION,
  ...PERMISSION,
  ...QUOTA,
  ...DUMP,
  ...RESTORE,
  ...MIGRATION,
  ...DOMAIN_LIFE,
  ...GRANT,
  ...EVENT_CHANNEL,
  ...DRIVER_HANDSHAKE,
  ...TOOLSTACK,
];

/** The bug of this id; `undefined`: there is none. Errors: none. */
export function bugOf(id: string): Bug | undefined {
  return BUGS.find((each) => each.id === id);
}

/** What some bugs change, by file. */
export function changesOf(bugs: readonly Bug[]): ReadonlyMap<string, readonly Bug['changes'][number][]> {
  const byFile = new Map<string, Bug['changes'][number][]>();
  for (const change of bugs.flatMap(({ changes }) => changes))
    byFile.set(change.file, [...(byFile.get(change.file) ?? []), change]);
  return byFile;
}
