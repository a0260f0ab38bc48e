import { ofFamily } from '../bug.ts';

export const PERMISSION = ofFamily('permission', [
  {
    id: 'B051',
    title: 'Connection id not set at INTRODUCE',
    source: 'daemon (C); xen d3079e2611 (2005)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connections.ts',
        from: 'isUnprivileged: domid !== options.privDomid && (',
        to: 'isUnprivileged: page === undefined && domid !== options.privDomid && (',
      },
    ],
    note: 'A ring that was introduced has the rights of dom0 until the store is updated.',
  },
  {
    id: 'B052',
    title: 'Console nodes readable by the wrong domain',
    source: 'libxl; xen ecdb0c7aec (2013)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/device-add.ts',
        from: `const guests = [\`n\${domid}\`, \`r\${backendDomid}\`];`,
        to: `const guests = [\`n\${domid}\`, 'r0'];`,
      },
      {
        file: 'guests/libxl/device-add.ts',
        from: `const backends = [\`n\${backendDomid}\`, \`r\${domid}\`];`,
        to: `const backends = ['n0', \`r\${domid}\`];`,
      },
    ],
  },
  {
    id: 'B053',
    title: "VM tree keeps the former domain's rights",
    source: 'xenopsd; xenopsd 1cefe336 (2013)',
    observable: 'full',
    changes: [{ file: 'guests/libxl/domain-tree.ts', from: '[vm, ro],', to: '[vm, (call.xl.shared[vm] ??= ro)],' }],
  },
  {
    id: 'B054',
    title: 'No permission check on the root',
    source: 'daemon (OCaml), XSA-353; xen feeafa007b (2020)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `if ((this.rights(node) & needed) === needed)
                return node;`,
        to: "if (name === '/' || (this.rights(node) & needed) === needed) return node;",
      },
    ],
  },
  {
    id: 'B055',
    title: 'Rights survive to the next domain with the same number',
    source: 'daemons (C, OCaml), XSA-322; xen 496306324d (C), c46eff9212 (OCaml) (2020)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/rights.ts',
        from: 'return record !== undefined && record.stamp <= generation;',
        to: 'return record !== undefined;',
      },
      {
        file: 'store/daemon/dead-nodes.ts',
        from: 'const isLost = (perm, i) => i > 0 && compat.stripsDeadEntries && perm.domid === domid;',
        to: 'const isLost = () => false;',
      },
    ],
  },
  {
    id: 'B056',
    title: 'Nodes of dead domains are given to dom0',
    source:
      'daemons (C, OCaml), XSA-419; xen 755d3f9deb (C), db471408ed (OCaml); from 496306324d8d, c46eff921209 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/dead-nodes.ts',
        from: 'if (isOrphan && !this.#state.options.keepOrphans) {',
        to: 'if (false) {',
      },
    ],
  },
  {
    id: 'B057',
    title: "Dead domain's entries on other domains' nodes stay",
    source: 'daemon (C); xen cdbcfd5d05 (2026)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/dead-nodes.ts',
        from: 'const isLost = (perm, i) => i > 0 && compat.stripsDeadEntries && perm.domid === domid;',
        to: 'const isLost = () => false;',
      },
      {
        file: 'store/protocol/perms.ts',
        from: `if (perms.length === 1 || !perms.some(isLost))
        return perms;`,
        to: 'if (perms.length >= 1 || !perms.some(isLost)) return perms;',
      },
    ],
  },
  {
    id: 'S051',
    title: 'Whoever may read may write',
    source: 'made up: wrong right',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: `const value = payload.slice(end + 1);
    const old = r.view.visible(name, WRITE);`,
        to: `const value = payload.slice(end + 1);
const old = r.view.visible(name, READ);`,
      },
    ],
  },
  {
    id: 'S052',
    title: 'A model does not get the rights of its guest',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/protocol/perms.ts',
        from: 'if (first.domid === own || first.domid === target || first.domid === any)',
        to: 'if (first.domid === own || first.domid === any)',
      },
    ],
  },
  {
    id: 'S053',
    title: 'Anybody may give its nodes away',
    source: 'made up: not checked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: `if (conn.isUnprivileged && owner !== ownerOf(node))
        return 'EPERM';`,
        to: '',
      },
    ],
  },
  {
    id: 'S054',
    title: 'New nodes belong to the owner of their parent',
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: 'return first.domid === who.domid ? perms : [{ ...first, domid: who.domid }, ...perms.slice(1)];',
        to: 'return perms;',
      },
    ],
  },
  {
    id: 'S055',
    title: 'A node that may not be seen is said not to be there',
    source: 'made up: wrong errno',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: "return (this.rights(ancestor) & needed) !== 0 ? 'ENOENT' : 'EACCES';",
        to: "return 'ENOENT';",
      },
    ],
  },
  {
    id: 'S056',
    title: 'The first of the entries for others is not looked at',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/protocol/perms.ts',
        from: 'for (let i = 1; i < perms.length; i++) {',
        to: 'for (let i = 2; i < perms.length; i++) {',
      },
    ],
  },
  {
    id: 'S057',
    title: 'Entries for others are added to what all may do',
    source: 'made up: wrong right',
    observable: 'full',
    changes: [
      {
        file: 'store/protocol/perms.ts',
        from: `return perm.rights;
    }
    return first.rights;`,
        to: `return perm.rights | first.rights;
}
return first.rights;`,
      },
    ],
  },
  {
    id: 'S058',
    title: 'SET_PERMS is for whoever may write',
    source: 'made up: not checked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: 'const node = view.visible(name, WRITE | OWNER);',
        to: 'const node = view.visible(name, WRITE);',
      },
    ],
  },
  {
    id: 'S059',
    title: 'Requests for the privileged are done for anybody',
    source: 'made up: not checked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/process-message.ts',
        from: `if (operation.priv === true && conn.isUnprivileged)
        return daemon.output.error(conn, message, 'EACCES', cause);`,
        to: '',
      },
    ],
  },
  {
    id: 'S060',
    title: "New nodes have their parent's owner entry alone",
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: 'return first.domid === who.domid ? perms : [{ ...first, domid: who.domid }, ...perms.slice(1)];',
        to: 'return [{ ...first, domid: who.domid }];',
      },
    ],
  },
]);
