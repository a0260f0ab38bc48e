import { ofFamily } from '../bug.ts';

export const MIGRATION = ofFamily('migration', [
  {
    id: 'B087',
    title: 'Reply reader caught in the middle by a suspend',
    source: 'Linux xenbus; linux-2.6-xen (in xen) c70b3e5890 (2007)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/ring-mover.ts',
        from: `this.#got = 0;
        this.#incoming.clear();`,
        to: 'this.#got = 0;',
      },
    ],
  },
  {
    id: 'B088',
    title: 'Guest removes control/shutdown',
    source: 'libxl; the other side in the Windows driver (2018); xen d7e49b1fe4; win-xenbus 4c1d9b0 (2011)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/suspend.ts',
        from: "isAcked = state.error !== undefined || text(state.payload) !== 'suspend';",
        to: "isAcked = state.error === undefined && text(state.payload) !== 'suspend';",
      },
    ],
  },
  {
    id: 'B091',
    title: 'Failed migration: guest resumed without "cancelled"',
    source: 'xl, libxl; xen c04c825bdf; for "save -c" again in 87a067fd8f (2021, from 6298f0eb8f443) (2014)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/suspend.ts',
        from: `if (how === 'fast')
        os.hyper.domctl.setReturnRegister(domid, 1);`,
        to: '',
      },
    ],
  },
  {
    id: 'B092',
    title: 'Suspend waits for a transaction of a frozen process',
    source: 'Linux xenbus; linux d10e0cc113c9 (2019)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/suspension.ts',
        from: 'if (!this.isClosed || this.#open.has(request.txId)) {',
        to: 'if (!this.isClosed) {',
      },
    ],
    note: 'The process that holds the transaction is frozen.',
  },
  {
    id: 'B094',
    title: 'Console page says "connected" after restore',
    source: 'libxenguest; xen b6fc307b0b (2025)',
    observable: 'full',
    changes: [
      {
        file: 'guests/save-helper/restore-common.ts',
        from: 'export function disconnectConsole(restore, gfn) {',
        to: `export function disconnectConsole(restore, gfn) {
  if (gfn >= 0) return;`,
      },
    ],
  },
  {
    id: 'S291',
    title: 'The store is suspended with requests under way',
    source: 'made up: not waited for',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/client.ts',
        from: `while (!this.#suspension.isQuiet)
            yield PARK;`,
        to: '',
      },
    ],
  },
  {
    id: 'S292',
    title: 'The youngest watch is not set anew',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/client.ts',
        from: 'const watches = [...this.#watches.all];',
        to: 'const watches = [...this.#watches.all].slice(0, -1);',
      },
    ],
  },
  {
    id: 'S293',
    title: 'Pages that were changed during the last pass stay behind',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/save-helper/save.ts',
        from: 'const toSend = [...new Set([...found.gfns, ...this.#save.deferred])].sort((a, b) => a - b);',
        to: 'const toSend = [...this.#save.deferred];',
      },
    ],
  },
  {
    id: 'S294',
    title: 'Pages that could not be sent at first are forgotten',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/save-helper/save.ts',
        from: 'const toSend = [...new Set([...found.gfns, ...this.#save.deferred])].sort((a, b) => a - b);',
        to: 'const toSend = [...found.gfns];',
      },
    ],
  },
  {
    id: 'S295',
    title: 'The first page of a batch is put where the second belongs',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'guests/save-helper/restore-pages.ts',
        from: 'const octets = pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);',
        to: `const from = toMap.length > 1 && i < 2 ? 1 - i : i;
const octets = pages.subarray(from * PAGE_BYTES, (from + 1) * PAGE_BYTES);`,
      },
    ],
  },
  {
    id: 'S296',
    title: 'Log-dirty stays on',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/save-helper/save.ts',
        from: `this.#save.os.hyper.paging.logDirty(this.#save.domid, 'off');
        yield CALL_NS;`,
        to: 'yield CALL_NS;',
      },
    ],
  },
  {
    id: 'S297',
    title: "The first of a guest's writes to a clean page is not noted",
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'sim/log-dirty.ts',
        from: `if (this.#dirty.has(gfn))
            return;
        this.#dirty.add(gfn);`,
        to: `if (this.#dirty.has(gfn) || gfn % 16 === 0) return;
        this.#dirty.add(gfn);`,
      },
    ],
  },
  {
    id: 'S298',
    title: 'A guest acknowledges a suspend and does not',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/power/suspender.ts',
        from: `if (command !== 'suspend')
            continue;`,
        to: "if (command !== 'suspend' || channel === undefined) continue;",
      },
    ],
  },
  {
    id: 'S299',
    title: 'Answers that come during a suspend are forgotten',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/client.ts',
        from: `this.#ring.go();
        this.#letIn();
        this.#unlockWatches();`,
        to: `this.#ring.go();
this.#unlockWatches();`,
      },
    ],
  },
  {
    id: 'S300',
    title: "Numbers of the old ring's octets go on",
    source: 'made up: not rolled back',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/ring-mover.ts',
        from: `this.#frame = frame;
        this.#port = port;
        this.#sent = 0;`,
        to: `this.#frame = frame;
        this.#sent = 0;`,
      },
    ],
  },
]);
