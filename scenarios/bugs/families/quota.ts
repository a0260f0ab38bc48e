import { ofFamily } from '../bug.ts';

export const QUOTA = ofFamily('quota', [
  {
    id: 'B058',
    title: 'Update of an existing key refused at the limit',
    source: 'daemon (OCaml); xen ed4f4bb739 (2013)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: "const node = old === 'ENOENT' ? r.view.create(name, value) : r.view.putValue(old, value);",
        to: `if (r.daemon.accounting.nodesExceeded(r.conn, 0)) return 'ENOSPC';
const node = old === 'ENOENT' ? r.view.create(name, value) : r.view.putValue(old, value);`,
      },
    ],
  },
  {
    id: 'B059',
    title: 'Watch count reset in the wrong place',
    source: 'daemon (OCaml); xen d962aa44e4; from f8c72b5261 (2015)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/watches.ts',
        from: `for (const watch of conn.watches.splice(0))
            this.#removed(watch);`,
        to: `for (const watch of conn.watches.splice(0)) {
  this.#removed(watch);
  this.#accounting.count(conn, 'watches', 1);
}`,
      },
    ],
  },
  {
    id: 'B060',
    title: 'Owner cannot delete a child of an oversized directory',
    source: 'daemon (C), XSA-115; xen 705c7d8956 (2020)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: "return this.#putChildren(rest, parent, 'unchecked');",
        to: 'return this.#putChildren(rest, parent, OVERWRITE);',
      },
    ],
  },
  {
    id: 'B061',
    title: 'Undo of a failed creation uses the wrong object',
    source: 'daemon (C), XSA-414; xen 1cd3cc7ea2; from 0bfb2101f243 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `for (const node of written) {
                this.#erase(node);`,
        to: `for (const node of written) {
  if (node.parent.domid !== undefined) continue;
  this.#erase(node);`,
      },
    ],
    note: 'The undo takes for the connection what is none.',
  },
  {
    id: 'B062',
    title: 'No limit on requests whose replies are not read',
    source: 'daemon (C), XSA-326; xen 36de433a27 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/throttle.ts',
        from: '(limits.outstanding > 0 && outstanding >= limits.outstanding) ||',
        to: '',
      },
    ],
  },
  {
    id: 'B063',
    title: 'Recursion on deep trees',
    source: 'daemon (C), XSA-418; xen ea16962053, 0d7c5d19bc (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: '#removeBelow(node, isTop) {',
        to: `#removeBelow(node, isTop) {
  if (node.path.split('/').length > 30) throw new RangeError('Maximum call stack size exceeded');`,
      },
    ],
  },
  {
    id: 'S041',
    title: 'A removed node still counts',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `this.#count(ownerOf(node), -1);
        if (this.#tx === undefined)
            this.writes++;`,
        to: 'if (this.#tx === undefined) this.writes++;',
      },
    ],
  },
  {
    id: 'S042',
    title: 'One node more than the quota',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/accounting.ts',
        from: 'return limit > 0 && this.accountOf(conn).nodes + more >= limit;',
        to: 'return limit > 0 && this.accountOf(conn).nodes + more > limit;',
      },
    ],
  },
  {
    id: 'S043',
    title: 'Nodes may be as large as they like',
    source: 'made up: not checked',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `if (tooBig)
                    this.#fail('ENOSPC');`,
        to: '',
      },
    ],
  },
  {
    id: 'S044',
    title: 'A node that gets another owner counts for neither',
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `this.#count(from, -1);
        this.#count(to, 1);`,
        to: 'this.#count(from, -1);',
      },
    ],
  },
  {
    id: 'S045',
    title: 'Requests stay outstanding once their events are gone',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: `if (--cause.pending > 0 || cause.conn.isClosed)
            return;
        this.#accounting.count(cause.conn, 'outstanding', -1);`,
        to: 'if (--cause.pending > 0 || cause.conn.isClosed) return;',
      },
    ],
  },
  {
    id: 'S046',
    title: 'Memory of messages that were sent is not given back',
    source: 'made up: leaked',
    observable: 'full',
    changes: [{ file: 'store/daemon/output.ts', from: 'this.#accounting.chargeTo(conn, -out.bytes.length);', to: '' }],
  },
  {
    id: 'S047',
    title: 'Too many permissions are EINVAL',
    source: 'made up: wrong errno',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: `if (accounting.exceeds(conn, 'node-permissions', count - 1))
        return 'ENOSPC';`,
        to: "if (accounting.exceeds(conn, 'node-permissions', count - 1)) return 'EINVAL';",
      },
    ],
  },
  {
    id: 'S048',
    title: 'Watches are not limited',
    source: 'made up: not checked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: 'return compat.watchQuotaError;',
        to: 'void compat.watchQuotaError;',
      },
    ],
  },
  {
    id: 'S049',
    title: 'Transactions are not limited',
    source: 'made up: not checked',
    observable: 'full',
    changes: [{ file: 'store/daemon/operations/transactions.ts', from: "return 'ENOSPC';", to: 'void limit;' }],
  },
  {
    id: 'S050',
    title: 'The quota of one domain is that of all',
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/settings.ts',
        from: 'const { quotas } = count === 3 ? recordArg(daemon, texts[0]) : daemon.state;',
        to: 'const { quotas } = daemon.state;',
      },
    ],
  },
]);
