import { octetsOf } from '../../protocol/octets.ts';
import { homeOf } from '../../protocol/path.ts';
import { type OpName, XS } from '../../protocol/wire.ts';
import { control } from './control.ts';
import { introduce, isIntroduced, release, resume, setTarget } from './domains.ts';
import { directory, directoryPart, getPerms, mkdir, read, rm, setPerms, write } from './nodes.ts';
import { domidArg, type Handler } from './request.ts';
import { getFeature, getQuota, setFeature, setQuota } from './settings.ts';
import { transactionEnd, transactionStart } from './transactions.ts';
import { resetWatches, unwatch, watch } from './watches.ts';

interface Operation {
  readonly run: Handler;
  /** Only for privileged connections. */
  readonly priv?: true;
  /** The header's tx_id is not looked at. */
  readonly ignoresTx?: true;
}

/** One handler per operation, by message type (store.md 1.2). */
export const OPERATIONS: readonly (Operation | undefined)[] = byType({
  CONTROL: { run: ({ daemon, conn, message }) => control(daemon, conn, message), priv: true },
  DIRECTORY: { run: directory },
  READ: { run: read },
  GET_PERMS: { run: getPerms },
  WATCH: { run: watch, ignoresTx: true },
  UNWATCH: { run: unwatch, ignoresTx: true },
  TRANSACTION_START: { run: transactionStart },
  TRANSACTION_END: { run: transactionEnd },
  INTRODUCE: { run: introduce, priv: true },
  RELEASE: { run: release, priv: true },
  GET_DOMAIN_PATH: { run: (r) => octetsOf(`${homeOf(domidArg(r))}\0`) },
  WRITE: { run: write },
  MKDIR: { run: mkdir },
  RM: { run: rm },
  SET_PERMS: { run: setPerms },
  IS_DOMAIN_INTRODUCED: { run: isIntroduced, priv: true },
  RESUME: { run: resume, priv: true },
  SET_TARGET: { run: setTarget, priv: true },
  RESET_WATCHES: { run: resetWatches },
  DIRECTORY_PART: { run: directoryPart },
  GET_FEATURE: { run: getFeature },
  SET_FEATURE: { run: setFeature, priv: true },
  GET_QUOTA: { run: getQuota, priv: true },
  SET_QUOTA: { run: setQuota, priv: true },
});

function byType(byName: Readonly<Partial<Record<OpName, Operation>>>): readonly (Operation | undefined)[] {
  const operations: (Operation | undefined)[] = [];
  for (const [name, operation] of Object.entries(byName)) operations[XS[name as OpName]] = operation;
  return operations;
}
