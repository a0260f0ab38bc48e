import { ofFamily } from '../bug.ts';

export const DOMAIN_LIFE = ofFamily('domain life', [
  {
    id: 'B095',
    title: 'Shutdown taken for death',
    source: 'xenconsoled; xen 45dc6ad80a (2005)',
    observable: 'full',
    changes: [
      {
        file: 'guests/console/xenconsoled.ts',
        from: 'if ((flags & XEN_DOMINF_dying) !== 0) {',
        to: 'if ((flags & (XEN_DOMINF_dying | 4)) !== 0) {',
      },
    ],
  },
  {
    id: 'B096',
    title: 'Watch for a domain that has just been removed',
    source: 'xenconsoled; xen 5c8eb3b727 (2005)',
    observable: 'full',
    changes: [
      {
        file: 'guests/console/xenconsoled.ts',
        from: `if (served !== undefined && !served.isDead)
            yield* served.connect(xs);`,
        to: 'yield* served.connect(xs);',
      },
    ],
  },
  {
    id: 'B097',
    title: 'Console binds to a dying domain',
    source: 'xenconsoled; xen 80f2588d2b (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/console/served-console.ts',
        from: `if (port.error !== undefined)
            return;`,
        to: '',
      },
      {
        file: 'guests/console/served-console.ts',
        from: `if (Number.isNaN(Number.parseInt(text(ringRef.payload), 10)) || Number.isNaN(remotePort))
            return;`,
        to: '',
      },
    ],
  },
  {
    id: 'B098',
    title: 'INTRODUCE cannot change the event channel',
    source: 'daemon (C, 2007; OCaml, 2019); xen 61aaed0d58 (C), f6cc37ea8a (OCaml) (2007)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/introductions.ts',
        from: `if (conn.link.kind === 'ring') {
                this.#platform.unbindPort`,
        to: `if (conn.link.kind === 'none') {
                this.#platform.unbindPort`,
      },
    ],
  },
  {
    id: 'B099',
    title: 'Failed mapping leaves a freed domain in the list',
    source: 'daemon (C); xen f67b5ead29 (2007)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/introductions.ts',
        from: `if (!page.ok)
            return wireErrno(page.errno);`,
        to: `if (!page.ok) {
  this.#connections.addRing(domid, undefined, 0);
  record.introduced = true;
  return wireErrno(page.errno);
}`,
      },
      {
        file: 'store/daemon/introductions.ts',
        from: `if (known === undefined)
                this.#ends.destroy(record);`,
        to: '',
      },
    ],
  },
  {
    id: 'B101',
    title: 'Console does not rebind when the port number is unchanged',
    source: 'xenconsoled; xen 33ac804deb (2009)',
    observable: 'full',
    changes: [
      {
        file: 'guests/console/served-console.ts',
        from: 'if (remotePort !== this.#remotePort || !this.#isBound(this.#localPort)) {',
        to: 'if (remotePort !== this.#remotePort) {',
      },
    ],
  },
  {
    id: 'B102',
    title: "Kernel started by kexec receives the old kernel's events",
    source: 'daemon (C); xen 1f9d04fb02 (2011)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: `daemon.watches.drop(conn);
    daemon.transactions.drop(conn);`,
        to: '',
      },
    ],
    note: 'As before there was such an operation: it is answered and does nothing.',
  },
  {
    id: 'B103',
    title: 'Connection with a stub domain unlinked twice',
    source: 'daemon (C), XSA-233; xen 562a1c0f7e; follow-up bb2a34fd74 (2020) (2017)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-ends.ts',
        from: `if (other.ties.length === 0 && other.record?.isDetached === true)
                this.destroy(other.record);`,
        to: `if (other.ties.length === 0 && other.record?.isDetached === true) {
  this.destroy(other.record);
  this.destroy(other.record);
}`,
      },
    ],
  },
  {
    id: 'B104',
    title: 'Number of a dead domain reused at once',
    source: 'libxl; xen 2b02882ebb (2020)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/domid-history.ts',
        from: 'return goneNs !== undefined && nowNs - goneNs < this.#timeoutNs;',
        to: 'return false;',
      },
    ],
  },
  {
    id: 'B105',
    title: 'Query for a missing domain answers with the next one',
    source: 'hypervisor and libxc users; xen 31c6554974 (2023)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/deaths.ts',
        from: 'const info = got.find(({ domid }) => domid === waited.domid);',
        to: 'const info = got.find(({ domid }) => domid >= waited.domid);',
      },
      { file: 'guests/libxl/deaths.ts', from: 'todo.filter(({ domid }) => domid <= last);', to: 'todo;' },
    ],
  },
  {
    id: 'B106',
    title: 'Domain replaced between two looks',
    source: 'daemon (C); xen c7b8d5e9df (2025)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-changes.ts',
        from: `else if (record.uniqueId !== info.uniqueId)
                isGone = true;`,
        to: '',
      },
    ],
  },
  {
    id: 'S121',
    title: 'The end of a domain is told before its nodes are gone',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-ends.ts',
        from: 'this.#nodes.removeOf(domid);',
        to: `this.#special.fire(RELEASE_DOMAIN, domid);
this.#nodes.removeOf(domid);`,
      },
      {
        file: 'store/daemon/domain-ends.ts',
        from: `conn.link.page?.unmap();
        }
        this.#special.fire(RELEASE_DOMAIN, domid);`,
        to: `conn.link.page?.unmap();
}`,
      },
    ],
  },
  {
    id: 'S122',
    title: 'INTRODUCE tells nobody',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/introductions.ts',
        from: `if (domid !== this.#state.options.privDomid)
            this.#special.fire(INTRODUCE_DOMAIN, domid);`,
        to: '',
      },
    ],
  },
  {
    id: 'S123',
    title: "A dead domain's ring stays mapped",
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-ends.ts',
        from: `conn.link.page?.unmap();
        }`,
        to: '}',
      },
    ],
  },
  {
    id: 'S124',
    title: "A dead domain's port stays bound",
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-ends.ts',
        from: `if (conn.link.port !== 0)
                this.#platform.unbindPort(conn.link.port);`,
        to: '',
      },
    ],
  },
  {
    id: 'S125',
    title: 'Nodes of a dead domain stay',
    source: 'made up: leaked',
    observable: 'full',
    changes: [{ file: 'store/daemon/domain-ends.ts', from: 'this.#nodes.removeOf(domid);', to: '' }],
  },
  {
    id: 'S126',
    title: 'A shutdown is told each time somebody looks',
    source: 'made up: doubled',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-changes.ts',
        from: `record.isShutdown = true;
            this.#special.fire(RELEASE_DOMAIN, domid, 'domid-only');`,
        to: "this.#special.fire(RELEASE_DOMAIN, domid, 'domid-only');",
      },
    ],
  },
  {
    id: 'S127',
    title: 'A shutdown is told to nobody',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-changes.ts',
        from: `record.isShutdown = true;
            this.#special.fire(RELEASE_DOMAIN, domid, 'domid-only');
            isOwed = true;`,
        to: 'record.isShutdown = true;',
      },
    ],
  },
  {
    id: 'S128',
    title: 'RESUME does not forget the shutdown',
    source: 'made up: not rolled back',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/domains.ts',
        from: `if (record !== undefined)
        record.isShutdown = false;`,
        to: '',
      },
    ],
  },
  {
    id: 'S129',
    title: 'Of several domains that died the last is not looked at',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-changes.ts',
        from: `for (const { domid, info } of changed)
            notify`,
        to: `if (changed.length > 1) changed.pop();
for (const { domid, info } of changed)
            notify`,
      },
    ],
  },
  {
    id: 'S130',
    title: 'RELEASE of what nobody has introduced succeeds',
    source: 'made up: wrong errno',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-ends.ts',
        from: `this.refuseVital(domid);
        const conn = this.connected(domid);`,
        to: `this.refuseVital(domid);
if (this.#state.connections.ringOf(domid) === undefined) return;
const conn = this.connected(domid);`,
      },
    ],
  },
]);
