import { ofFamily } from '../bug.ts';

export const GRANT = ofFamily('grant', [
  {
    id: 'B108',
    title: 'Two maps in parallel get one handle',
    source: 'hypervisor, grant table; xen a665dad568 (2009)',
    observable: 'part',
    changes: [
      {
        file: 'sim/grants/maptrack.ts',
        from: `if (this.#freed.at(-1) === handle)
            this.#freed.pop();`,
        to: `this.taken = (this.taken ?? 0) + 1;
if (this.#freed.at(-1) === handle && this.taken % 16 !== 0) this.#freed.pop();`,
      },
    ],
    note: 'Once in sixteen the list is not advanced, as if two had taken its head.',
  },
  {
    id: 'B109',
    title: 'Reserved entries cleared by a version switch',
    source: 'hypervisor; xen eaef0894da (2012)',
    observable: 'full',
    changes: [
      { file: 'sim/grants/table.ts', from: 'const reserved = this.#takeReserved();', to: 'const reserved = [];' },
    ],
  },
  {
    id: 'B110',
    title: 'Failed copy leaves the in-use flags',
    source: 'hypervisor; xen 8aed1f12c4 (2012)',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/copy.ts',
        from: `if (status !== GNTST.okay)
            this.#release();
        return status;`,
        to: `if (status !== GNTST.okay) {
  this.#source.held = undefined;
  this.#release();
}
return status;`,
      },
    ],
  },
  {
    id: 'B111',
    title: "Race in growing the guest's table",
    source: 'Windows xenbus driver; win-xenbus 2b6409b (2014)',
    observable: 'part',
    changes: [
      {
        file: 'guests/devices/grant-pool.ts',
        from: 'return this.#next++;',
        to: `if (this.#next % 64 === 0) this.#free.push(this.#next);
return this.#next++;`,
      },
    ],
    note: 'One of 64 references enters the list twice.',
  },
  {
    id: 'B112',
    title: 'Busy flags cleared while the page is still accessible; handle freed twice',
    source: 'hypervisor, XSA-218; xen 9a0bd460cf, b7f6cbb9d4, 4b78efa91c (2017)',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/unmap.ts',
        from: `if (isGone)
        caller.maptrack.drop(handle);`,
        to: `if (isGone) {
  caller.maptrack.drop(handle);
  caller.maptrack.drop(handle);
}`,
      },
    ],
    note: 'The second form of the fault: a handle is put back twice.',
  },
  {
    id: 'B113',
    title: 'Failed map leaves the mapping',
    source: 'hypervisor; xen 95906bf0f0 (2017)',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/map.ts',
        from: 'if (!isPinnable(granter, claimed, op.flags) || !install(context, mapper, { ...op, hostAddr }, claimed)) {',
        to: 'if (!install(context, mapper, { ...op, hostAddr }, claimed) || !isPinnable(granter, claimed, op.flags)) {',
      },
    ],
  },
  {
    id: 'B114',
    title: 'Transitive grants break reference counts',
    source: 'hypervisor, XSA-226 (with 411, 2022); xen ad48fb963d, 999d2ccb7f, 6e3aab858e (2017)',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/copy.ts',
        from: `if (isTransitive)
        found = follow(context, granter, gref, claim);`,
        to: `if (isTransitive && record === undefined) found = follow(context, granter, gref, claim);
else if (isTransitive) found = record;`,
      },
    ],
  },
  {
    id: 'B115',
    title: 'Status pages freed while mapped',
    source: 'hypervisor, XSA-255; xen 38bfcc165d (2018)',
    observable: 'part',
    changes: [
      {
        file: 'sim/grants/table.ts',
        from: 'if (this.statusFrames.some((frame) => frame.refs > 0))',
        to: 'if (this.limits === undefined)',
      },
    ],
  },
  {
    id: 'B116',
    title: 'Copy batch interrupted at its first entry is never continued',
    source: "hypervisor, XSA-318; xen d6f22d5d9e; from XSA-226's fix (2020)",
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/hypercalls.ts',
        from: 'return this.#machine.grants.copy(this.#caller, ops);',
        to: `this.copies = (this.copies ?? 0) + 1;
if (this.copies % 16 === 0) return ops.map(() => 0);
return this.#machine.grants.copy(this.#caller, ops);`,
      },
    ],
    note: 'One batch in sixteen is due to be interrupted at its first entry.',
  },
  {
    id: 'B117',
    title: 'Overflow test on counters that will not be raised',
    source: 'hypervisor; xen 8cec5d065c (2021)',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/pin.ts',
        from: '(Math.floor(increment / unit) & 0xff) !== 0 && (Math.floor(pin / unit) & 0xff) >= PIN_MAX',
        to: 'increment !== 0 && (Math.floor(pin / unit) & 0xff) >= PIN_MAX',
      },
    ],
  },
  {
    id: 'B118',
    title: "Partial unmap drops the domain's reference",
    source: 'hypervisor, XSA-394; xen 975a8fb45c; from 9781b51efde2 (2021)',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/unmap.ts',
        from: `if (!isGone)
        return;
    granter.foreignMaps--;`,
        to: 'granter.foreignMaps--;',
      },
    ],
  },
  {
    id: 'B119',
    title: 'Version read outside the lock in set_version',
    source: 'hypervisor; xen c0e548d920; from c1488502c949 (2026)',
    observable: 'part',
    changes: [
      {
        file: 'sim/grants/table.ts',
        from: `if (version === this.version)
            return;`,
        to: `const stale = this.stale ?? this.version;
this.stale = this.version;
if (version === stale) return;`,
      },
    ],
  },
  {
    id: 'B120',
    title: 'Version changes while an operation is under way',
    source: 'hypervisor, XSA-501; xen 96dfeb4177; from a98dc13703e0 (2026)',
    observable: 'part',
    changes: [
      {
        file: 'sim/grants/table.ts',
        from: `if (gref >= GNTTAB_NR_RESERVED_ENTRIES)
                fail('EBUSY',`,
        to: `if (gref < 0)
                fail('EBUSY',`,
      },
    ],
  },
  {
    id: 'S201',
    title: 'Reading is shown after the last mapping is gone',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/pin.ts',
        from: 'const clear = (pin === 0 ? GTF_reading : 0) |',
        to: 'const clear = (pin === -1 ? GTF_reading : 0) |',
      },
    ],
  },
  {
    id: 'S202',
    title: 'Unmapped handles stay in use',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/unmap.ts',
        from: `if (isGone)
        caller.maptrack.drop(handle);`,
        to: '',
      },
    ],
  },
  {
    id: 'S203',
    title: "The number of a domain's pages that others have never falls",
    source: 'made up: leaked',
    observable: 'full',
    changes: [{ file: 'sim/grants/unmap.ts', from: 'granter.foreignMaps--;', to: '' }],
  },
  {
    id: 'S204',
    title: 'Anybody may map a granted page',
    source: 'made up: not checked',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/pin.ts',
        from: `if (word >>> 16 !== claim.domid)
        return false;`,
        to: '',
      },
    ],
  },
  {
    id: 'S205',
    title: 'The last octet is not copied',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/copy.ts',
        from: 'from.frame.bytes.subarray(at, at + op.len)',
        to: 'from.frame.bytes.subarray(at, at + op.len - 1)',
      },
    ],
  },
  {
    id: 'S206',
    title: 'Pages that copies write to are not marked dirty',
    source: 'made up: dropped',
    observable: 'full',
    changes: [{ file: 'sim/grants/copy.ts', from: 'to.owner.memory.markDirty(to.frame);', to: '' }],
  },
  {
    id: 'S207',
    title: 'Access is ended while the peer has the page',
    source: 'made up: not checked',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/guest.ts',
        from: `if ((flags & (GTF_reading | GTF_writing)) !== 0)
            return false;`,
        to: 'flags &= 0xffff;',
      },
    ],
  },
  {
    id: 'S208',
    title: 'Ended references are not used again',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/grant-pool.ts',
        from: `this.#free.push(gref);
            return true;`,
        to: 'return true;',
      },
    ],
  },
  {
    id: 'S209',
    title: 'Pages that mappings wrote to are not marked dirty',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'sim/grants/unmap.ts',
        from: `if ((flags & GNTMAP_readonly) === 0)
        granter.memory.markDirty(frame);`,
        to: '',
      },
    ],
  },
  {
    id: 'S210',
    title: "A mapping of a dying domain's page is taken down late",
    source: 'made up: late',
    observable: 'full',
    changes: [
      {
        file: 'sim/domains/lives.ts',
        from: 'grants.release(domain, handle);',
        to: 'if (handle % 8 !== 0) grants.release(domain, handle);',
      },
    ],
  },
]);
