import { ofFamily } from '../bug.ts';

export const RESTORE = ofFamily('restore', [
  {
    id: 'B078',
    title: 'Deaths that happen during the hand-over go unnoticed',
    source: 'daemon (C); xen 939775cfd3 (2021)',
    observable: 'full',
    changes: [{ file: 'store/live-update/take-over.ts', from: 'daemon.changes.checkEvery();', to: '' }],
  },
  {
    id: 'B079',
    title: 'Watch on "//" accepted, never fires, gone after an update',
    source: 'daemon (OCaml); xen dc8caf214f (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: "return { name: names.ofText(conn, path) ?? refuse('EINVAL'), prefix };",
        to: "return { name: names.ofText(conn, path) ?? (path.includes('//') ? path : refuse('EINVAL')), prefix };",
      },
    ],
  },
  {
    id: 'B081',
    title: "Second and later waiting requests get the first one's header",
    source: 'daemon (C), image reader; xen 8a9b94982b; from c0fe360f42 (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: `for (let message = reader.shift(); message !== undefined; message = reader.shift())
        delayed.add(conn, { message, kind: 'restored' });`,
        to: `let first;
for (let message = reader.shift(); message !== undefined; message = reader.shift()) {
  first ??= message;
  delayed.add(conn, { message: { ...first, payload: message.payload }, kind: 'restored' });
}`,
      },
    ],
  },
  {
    id: 'B082',
    title: 'Restored domain without a ring gets notified',
    source: 'daemon (C); xen 49dd52fb13; from fc2b57c9af46 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/take-over.ts',
        from: `if (page.ok && link.port !== 0)
        return;`,
        to: `link.page.load32(0);
platform.notify(link.port);
if (page.ok && link.port !== 0) return;`,
      },
    ],
  },
  {
    id: 'B083',
    title: 'Event channels rebound from stale port numbers',
    source: 'daemon (OCaml); xen 9b224c2529 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/introductions.ts',
        from: `made = this.#connections.addRing(domid, page.value, port.value);
        record.introduced = true;
        record.isShutdown = false;
        if (compat`,
        to: `(this.#platform.firstPorts ??= new Map()).set(domid, remotePort);
made = this.#connections.addRing(domid, page.value, port.value);
record.introduced = true;
record.isShutdown = false;
if (compat`,
      },
      {
        file: 'store/live-update/take-over.ts',
        from: `if (isHeldOpen && link.port !== 0)
        platform.adoptPort(link.port);`,
        to: `const first = platform.firstPorts?.get(domid);
if (isHeldOpen && link.port !== 0) platform.adoptPort(link.port);
if (first !== undefined) {
  platform.unbindPort(link.port);
  const again = platform.bindPort(domid, first);
  link.port = again.ok ? again.value : 0;
}`,
      },
    ],
  },
  {
    id: 'B084',
    title: 'Event channels dead after an update in a stub domain',
    source: 'daemon (C) on mini-os; xen 75c7d6a6c6, 31a5512777 (2025)',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/take-over.ts',
        from: `if (isHeldOpen && link.port !== 0)
        platform.adoptPort(link.port);`,
        to: 'if (isHeldOpen && link.port !== 0 && site.options.storeDomid === site.options.privDomid) platform.adoptPort(link.port);',
      },
    ],
  },
  {
    id: 'B086',
    title: 'Privileged domain unknown after an update',
    source: 'daemon (C); xen ebf99a1627; from e5b0a940557 (2026)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connections.ts',
        from: 'isUnprivileged: domid !== options.privDomid && (',
        to: 'isUnprivileged: (page === undefined || domid !== options.privDomid) && (',
      },
    ],
  },
  {
    id: 'S101',
    title: "Every restored transaction has the first one's id",
    source: 'made up: wrong id',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: 'const tx = newTransaction(record.txId, true);',
        to: 'const tx = newTransaction(conn.lastTxId || record.txId, true);',
      },
    ],
  },
  {
    id: 'S102',
    title: 'Restored transactions commit without a look for conflicts',
    source: 'made up: lost update',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: 'const tx = newTransaction(record.txId, true);',
        to: 'const tx = newTransaction(record.txId, false);',
      },
    ],
  },
  {
    id: 'S103',
    title: 'Numbers of transactions begin again',
    source: 'made up: reused',
    observable: 'full',
    changes: [
      { file: 'store/live-update/restore.ts', from: 'conn.lastTxId = Math.max(conn.lastTxId, tx.id);', to: '' },
    ],
  },
  {
    id: 'S104',
    title: 'A restored watch fires at once',
    source: 'made up: doubled',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: 'watches.add({ conn, path: isRelative ? home + path : path, token, depth, prefix });',
        to: `const added = watches.add({ conn, path: isRelative ? home + path : path, token, depth, prefix });
watches.fire(added.path, undefined, 'exact', undefined, undefined);
output.event(added, added.path, undefined);`,
      },
    ],
  },
  {
    id: 'S105',
    title: 'The last octet of a half-read request is lost',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: 'conn.bodyUsed = rest.length - HEADER_BYTES;',
        to: 'conn.bodyUsed = Math.max(0, rest.length - HEADER_BYTES - 1);',
      },
    ],
  },
  {
    id: 'S106',
    title: 'Nodes count for nobody',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      { file: 'store/live-update/restored-tree.ts', from: 'accounting.countNodes(domid, nodes);', to: 'void nodes;' },
    ],
  },
  {
    id: 'S107',
    title: 'A restored ring is only looked at when it has an event',
    source: 'made up: late',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/xenstored.ts',
        from: `this.#watchSocket(conn);
        this.lookAtAll();`,
        to: 'this.#watchSocket(conn);',
      },
    ],
  },
  {
    id: 'S108',
    title: 'Relative watches come back as absolute ones',
    source: 'made up: wrong name',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: 'const prefix = isRelative ? home.length : 0;',
        to: 'const prefix = 0;',
      },
    ],
  },
  {
    id: 'S109',
    title: 'Queued answers of a restored connection are not outstanding',
    source: 'made up: not rolled back',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: `if (cause !== undefined)
            accounting.count(conn, 'outstanding', 1);`,
        to: '',
      },
    ],
  },
  {
    id: 'S110',
    title: 'Domains are introduced without what tells one from the next of their id',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: 'known.uniqueId = record.uniqueId ?? 0n;',
        to: 'known.uniqueId = 0n;',
      },
    ],
  },
  {
    id: 'S111',
    title: 'Ports of the wrong domain are adopted',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/take-over.ts',
        from: 'platform.adoptPort(link.port);',
        to: 'platform.adoptPort(link.port + 1);',
      },
    ],
  },
  {
    id: 'S112',
    title: 'What was left out of a view is there again',
    source: 'made up: not isolated',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/restore.ts',
        from: 'const isAbsent = record.perms.length === 0;',
        to: 'const isAbsent = record.perms.length === 0 && live === undefined;',
      },
    ],
  },
]);
