import { ofFamily } from '../bug.ts';

export const TRANSACTION = ofFamily('transaction', [
  {
    id: 'B036',
    title: 'Driver compares with the wrong sign and never retries',
    source: 'Linux drivers (frontends, backends, balloon); linux-2.6-xen (in xen) f61d64c62e (2005)',
    observable: 'full',
    changes: [
      { file: 'guests/devices/xenbus-device.ts', from: 'const ROUNDS_MAX = 100_000;', to: 'const ROUNDS_MAX = 1;' },
    ],
  },
  {
    id: 'B038',
    title: 'A failed end leaves the suspend lock held',
    source:
      'Linux xenbus, user-space device; linux-2.6-xen (in xen) 79d14c1747; same mistake in 3ae4ba6c3c (2006-04-15) (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/suspension.ts',
        from: 'else if (type === XS.TRANSACTION_END && this.#open.delete(txId)) {',
        to: 'else if (type === XS.TRANSACTION_END && reply?.error === undefined && this.#open.delete(txId)) {',
      },
    ],
  },
  {
    id: 'B039',
    title: 'Retry goes on with the id of the ended transaction',
    source: 'mini-os, state switch; mini-os cbf72f5 (2010)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/xs.ts',
        from: 'const begun = yield* this.begin();',
        to: 'const begun = rounds === 1 ? (this.begun = yield* this.begin()) : this.begun;',
      },
    ],
  },
  {
    id: 'B040',
    title: 'Error path leaves a transaction open',
    source: 'libxl (log-dirty switch of the device model); xen 00a12a9d16 (2012)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/call.ts',
        from: `if (tx !== 0)
                    yield* this.xs.end(tx, false);
                return rc;`,
        to: 'return rc;',
      },
    ],
  },
  {
    id: 'B041',
    title: 'Commit answers ENOENT when a new owner appeared in it',
    source: 'daemon (OCaml); xen 82ff7cbed6 (2015)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/commit.ts',
        from: 'const drop = (copy) => {',
        to: `for (const [owner, delta] of tx.nodeDeltas) if (delta > 0 && accounts.account(owner).nodes === 0) refuse('ENOENT');
const drop = (copy) => {`,
      },
    ],
  },
  {
    id: 'B042',
    title: 'Transaction ids reach 0 and beyond 32 bits',
    source: 'daemon (OCaml); xen 0897514b4b; then 496673a2ad (2016)',
    observable: 'full',
    changes: [
      { file: 'store/daemon/transactions.ts', from: 'id = id === 0xffff_ffff ? 1 : id + 1;', to: 'id = (id + 1) & 7;' },
    ],
    note: 'The counter is one of three bits, so that a run gets to its end.',
  },
  {
    id: 'B044',
    title: 'Transaction of a killed process is ended inside the reader thread',
    source: 'Linux xenbus, user-space device; linux a8fabb38525c; from fd8aa9095a95 (2019)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/device.ts',
        from: `for (const txId of this.#transactions)
            yield* xs.end(txId, false);`,
        to: `this.#kernel.held = true;
for (const txId of this.#transactions) yield* xs.end(txId, false);
this.#kernel.held = false;`,
      },
    ],
  },
  {
    id: 'B045',
    title: 'Conflict between creation and deletion missed for MKDIR',
    source: 'daemon (OCaml); xen 45dee7d92b (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/commit.ts',
        from: `for (const { path, base } of tx.accesses.values())
        if (`,
        to: `for (const { path, base, modified, node } of tx.accesses.values())
        if ((modified || (base !== -1 && tree.get(path)?.value !== node?.value)) &&`,
      },
    ],
    note: 'That a node which was looked for and not found is made meanwhile is no conflict, nor is the change of its parent.',
  },
  {
    id: 'B046',
    title: 'Operation done and recorded though the quota error is given',
    source: 'daemon (OCaml), XSA-326; xen 329f4d1a65 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `if (who?.isLimited === true && accounts.exceeds(who, 'transaction-nodes', tx.accesses.size + 1)) {
            tx.failed = true;
            refuse('ENOSPC');
        }`,
        to: '',
      },
      {
        file: 'store/daemon/operations/process-message.ts',
        from: `if (typeof answer === 'string')
        daemon`,
        to: `if (tx !== undefined && conn.isLimited && tx.accesses.size >= conn.limits['transaction-nodes']) answer = 'ENOSPC';
if (typeof answer === 'string')
        daemon`,
      },
    ],
  },
  {
    id: 'B047',
    title: 'Create and delete in one transaction stops the commit half-way',
    source: 'daemon (C), XSA-421; xen 13ac37f141 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/commit.ts',
        from: 'else if (live !== undefined && base !== -1)',
        to: `else if (live === undefined && base === -1) refuse('ENOENT');
else if (live !== undefined && base !== -1)`,
      },
    ],
  },
  {
    id: 'B048',
    title: 'No limit on nodes touched in a transaction',
    source: 'daemon (C), XSA-326; xen 268369d8e3 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `if (who?.isLimited === true && accounts.exceeds(who, 'transaction-nodes', tx.accesses.size + 1)) {
            tx.failed = true;
            refuse('ENOSPC');
        }`,
        to: '',
      },
    ],
  },
  {
    id: 'B049',
    title: 'Transaction checked, lock dropped, then used over a suspend',
    source: 'Windows xenbus driver; win-xenbus 633403e (2023)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/client.ts',
        from: 'return Math.floor(txId / LIFE) !== this.#life;',
        to: 'return false;',
      },
    ],
  },
  {
    id: 'S021',
    title: 'A commit looks for no conflict',
    source: 'made up: lost update',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/commit.ts',
        from: `for (const { path, base } of tx.accesses.values())
        if ((tree.get(path)?.generation ?? -1) !== base)
            refuse('EAGAIN');`,
        to: '',
      },
    ],
  },
  {
    id: 'S022',
    title: 'A commit with a conflict says OK and does nothing',
    source: 'made up: wrong answer',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/commit.ts',
        from: `if ((tree.get(path)?.generation ?? -1) !== base)
            refuse('EAGAIN');`,
        to: 'if ((tree.get(path)?.generation ?? -1) !== base) return;',
      },
    ],
  },
  {
    id: 'S023',
    title: 'A transaction that is given up is committed',
    source: 'made up: wrong branch',
    observable: 'full',
    changes: [{ file: 'store/daemon/operations/transactions.ts', from: "if (arg === 'T') {", to: "if (arg !== '') {" }],
  },
  {
    id: 'S024',
    title: 'Reads in a transaction see what others write meanwhile',
    source: 'made up: not isolated',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `if (there !== undefined)
            return there;`,
        to: `if (there !== undefined) {
  if (!there.modified) there.node = this.#ground.tree.get(name);
  return there;
}`,
      },
    ],
  },
  {
    id: 'S025',
    title: 'An ended transaction stays open',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/transactions.ts',
        from: `conn.transactions.delete(tx.id);
        this.#state.openTransactions--;`,
        to: 'this.#state.openTransactions--;',
      },
    ],
  },
  {
    id: 'S026',
    title: 'Removals in a transaction fire nothing at its commit',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/commit.ts',
        from: 'if (fire !== undefined)',
        to: 'if (fire !== undefined && kept !== undefined)',
      },
    ],
  },
  {
    id: 'S027',
    title: 'SET_PERMS is nothing that a transaction conflicts with',
    source: 'made up: stale',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: 'return this.#put(rewritten(node, perms, this.#ground.tree.nextGeneration()), node, OVERWRITE);',
        to: 'return this.#put(rewritten(node, perms, node.generation), node, OVERWRITE);',
      },
    ],
  },
  {
    id: 'S028',
    title: 'A request of a transaction that is not there is done outside of any',
    source: 'made up: wrong errno',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/process-message.ts',
        from: `if (tx === undefined)
            return daemon.output.error(conn, message, 'ENOENT', cause);`,
        to: '',
      },
    ],
  },
  {
    id: 'S029',
    title: 'A node that a transaction has removed is still there for it',
    source: 'made up: not rolled back',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `if (access.node !== undefined)
            this.#charge(tx, -copyOctets(tx, access.node, rules));
        access.node = undefined;
        access.modified = true;`,
        to: 'access.modified = true;',
      },
    ],
  },
  {
    id: 'S030',
    title: 'Nodes that a transaction makes count for nobody',
    source: 'made up: leaked',
    observable: 'full',
    changes: [{ file: 'store/tree/commit.ts', from: 'accounts.countNodes(owner, delta);', to: 'void delta;' }],
  },
  {
    id: 'S031',
    title: 'Transactions of a connection that ends stay open',
    source: 'made up: leaked',
    observable: 'full',
    changes: [{ file: 'store/daemon/connections.ts', from: 'this.#transactions.drop(conn);', to: '' }],
  },
  {
    id: 'S032',
    title: 'A commit writes everything but the last node',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/commit.ts',
        from: `if (!modified)
            continue;`,
        to: 'if (!modified || (tx.accesses.size > 2 && path === [...tx.accesses.keys()].at(-1))) continue;',
      },
    ],
  },
]);
