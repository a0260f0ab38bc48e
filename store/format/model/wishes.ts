import type { KnobSpec } from '../schema/knobs.ts';
import type { Loss } from './losses.ts';
import { type Renumbering, renumberDomain } from './renumber.ts';
import { type ConnectionState, connectionName, type DaemonState, type TransactionState } from './state.ts';

/** Choices about the state that is converted, whatever the formats: the usual one first. */
export const WISHES = {
  txAtDump: {
    values: ['carry', 'refuse', 'force-drop'],
    meaning: 'transactions that are open: carried as far as the format can, a reason to refuse, or dropped',
  },
  txAfterRestore: {
    values: ['as-carried', 'EAGAIN', 'ENOENT', 'commit'],
    meaning:
      'how their COMMIT is to end: as what is carried allows, always EAGAIN (no conflict base is written), ENOENT (no id is), or committed (refused where a conflict base is missing)',
  },
  renumberDomid: {
    values: ['refuse', 'rewrite'],
    meaning: 'another number for a domain, as --renumber asks: refused, or rewritten wherever it can be told',
  },
} as const satisfies Readonly<Record<string, KnobSpec>>;

export type Wishes = { readonly [K in keyof typeof WISHES]?: (typeof WISHES)[K]['values'][number] } & {
  readonly renumber?: Renumbering;
};

/**
 * A state as it is wished for.
 * @returns `asked`: what went because it was asked for; `losses`: what went with it. Errors: what the wishes refuse.
 */
export function withWishes(
  state: DaemonState,
  { txAtDump, txAfterRestore, renumberDomid, renumber }: Wishes,
):
  | {
      readonly ok: true;
      readonly state: DaemonState;
      readonly asked: readonly Loss[];
      readonly losses: readonly Loss[];
    }
  | { readonly ok: false; readonly reason: string } {
  const open = state.connections.flatMap(({ link, transactions }) =>
    transactions.map((tx) => ({ connection: connectionName(link), tx })),
  );
  if (txAtDump === 'refuse' && open.length > 0)
    return { ok: false, reason: `${open.length} transactions are open, and txAtDump is refuse` };
  const asked: Loss[] = [];
  let wished = state;
  const mapTransactions = (map: (all: readonly TransactionState[]) => readonly TransactionState[]) => {
    const connections = wished.connections.map(
      (conn): ConnectionState => ({ ...conn, transactions: map(conn.transactions) }),
    );
    wished = { ...wished, connections };
  };
  const why = txAtDump === 'force-drop' ? 'txAtDump is force-drop' : 'txAfterRestore is ENOENT';
  if (txAtDump === 'force-drop' || txAfterRestore === 'ENOENT') {
    for (const { connection, tx } of open)
      asked.push({ row: 'txId', thing: { kind: 'transaction', connection, id: tx.id }, fate: 'dropped', how: why });
    mapTransactions(() => []);
  } else if (txAfterRestore === 'commit') {
    const without = open.find(({ tx }) => tx.base === undefined || tx.nodes.some(({ base }) => base === undefined));
    if (without !== undefined)
      return {
        ok: false,
        reason: `transaction ${without.tx.id} of ${without.connection} has no conflict base: it cannot be committed`,
      };
  } else if (txAfterRestore === 'EAGAIN') mapTransactions((all) => all.map(withoutBase));
  if (renumber === undefined) return { ok: true, state: wished, asked, losses: [] };
  if (renumberDomid !== 'rewrite')
    return { ok: false, reason: 'a guest may have kept its domid; --knob renumberDomid=rewrite tries all the same' };
  const renumbered = renumberDomain(wished, renumber);
  return renumbered.ok ? { ...renumbered, asked } : renumbered;
}

function withoutBase({ base: _, nodes, ...tx }: TransactionState): TransactionState {
  return { ...tx, nodes: nodes.map(({ base: __, ...node }) => node) };
}
