import { ofFamily } from '../bug.ts';

export const RING = ofFamily('ring', [
  {
    id: 'B001',
    title: 'Body of a message waits for the next wake-up after its header',
    source: 'daemon (C), output to rings; xen df569ddb1c (2005)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connection-writer.ts',
        from: "return conn.link.kind === 'ring' || end === message.bytes.length;",
        to: 'return end === message.bytes.length;',
      },
      {
        file: 'store/daemon/xenstored.ts',
        from: 'if (reads || (conn.out.length > 0 && ringHasRoom(link.page)))',
        to: 'if (reads || (conn.out.length > 0 && conn.out[0].sent !== 16 && ringHasRoom(link.page)))',
      },
    ],
  },
  {
    id: 'B002',
    title: 'No round robin between connections',
    source: 'daemon (C); xen 407ce07bc8 (2007)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/service-order.ts',
        from: `addLater(conn) {
        if (conn.service !== 'none')
            return;`,
        to: `addLater(conn) {
  if (conn.service !== 'none') return;
  if (this.#current >= 0 && conn.link.kind === 'ring') return this.#push(conn);`,
      },
    ],
    note: 'A connection that has more to do is served again before those behind it.',
  },
  {
    id: 'B003',
    title: 'Request without a body is only handled once more octets come',
    source:
      'daemon (C); parser of mirage ocaml-xenstore (client and server); daemon (OCaml) on sockets; xen b9917457d5 (C, 2011); ocaml-xenstore dc354ec (2012); xen 7b98d94e75 (OCaml sockets, 2026) (2011)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connection-reader.ts',
        from: `conn.bodyUsed = 0;
        return undefined;`,
        to: `conn.bodyUsed = 0;
if (len === 0) return PIECE_NS;
return undefined;`,
      },
    ],
  },
  {
    id: 'B004',
    title: 'One wake-up for two waiters',
    source: 'mirage ocaml-xenstore, client on a ring; ocaml-xenstore 3001df6 (2012)',
    observable: 'full',
    changes: [
      {
        file: 'guests/kernel/os.ts',
        from: `for (const me of by)
                me.task?.wake(UPCALL_NS);`,
        to: 'by[0]?.task?.wake(UPCALL_NS);',
      },
    ],
  },
  {
    id: 'B005',
    title: 'No limit on message length',
    source: 'daemon (OCaml); xen ed759d2024 (2013)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connection-reader.ts',
        from: `if (len > PAYLOAD_MAX)
            return this.#giveUp(conn, XENSTORE_ERROR_PROTO);`,
        to: '',
      },
      {
        file: 'store/daemon/connection-reader.ts',
        from: 'conn.body = new Uint8Array(len);',
        to: 'conn.body = new Uint8Array(Math.min(len, 0xffff));',
      },
    ],
    note: 'A body may be as long as it likes; so much of it as a run can wait for.',
  },
  {
    id: 'B006',
    title: 'Broken indexes give an error at every pass',
    source: 'daemon (OCaml); xen 704302ce94 (2013)',
    observable: 'part',
    changes: [{ file: 'store/daemon/connections.ts', from: 'conn.isIgnored = true;', to: '' }],
  },
  {
    id: 'B007',
    title: 'Firmware zeroes the ring while the daemon reads it',
    source: 'HVM loader and daemon protocol; xen 674ad2be40 (2014)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/introductions.ts',
        from: `this.#connections.forget(conn);
        const { page, port } = conn.link;`,
        to: `const { headerUsed, body, bodyUsed } = conn;
this.#connections.forget(conn);
Object.assign(conn, { headerUsed, body, bodyUsed });
const { page, port } = conn.link;`,
      },
    ],
    note: 'The second form of the fault: the server acknowledges the reset and keeps half a request.',
  },
  {
    id: 'B008',
    title: 'Connection deleted in the read pass aborts the rest of the write pass',
    source: 'daemon (OCaml); xen 57ba43cdf8; guard removed by 25c4397fb2 (2014)',
    observable: 'part',
    changes: [
      {
        file: 'store/daemon/xenstored.ts',
        from: `if (!conn.isClosed) {
                    const pass`,
        to: `if (conn.isClosed) break;
{
  const pass`,
      },
    ],
  },
  {
    id: 'B009',
    title: 'Client does not notify after taking replies',
    source: 'mini-os, xenbus driver; mini-os 22d01aa (2015)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/ring-mover.ts',
        from: "if (notify === 'edge' ? there >= RING_BYTES : notify === 'always' || isWhole) {",
        to: 'if (there > 2 * RING_BYTES) {',
      },
    ],
  },
  {
    id: 'B010',
    title: 'Waiter sees the reply state before the reply',
    source: 'Linux xenbus; linux 1b6a51e86cce, 8130b9d5b5ab (2020)',
    observable: 'part',
    changes: [
      {
        file: 'guests/xenstore/client.ts',
        from: `request.reply = reply;
        this.#unanswered`,
        to: `request.reply = { type: reply.type, payload: new Uint8Array(0), error: undefined };
this.#os.machine.scheduler.at(this.#os.machine.nowNs + 100, () => {
  request.reply = reply;
});
this.#unanswered`,
      },
    ],
    note: 'The thread that waits may run within 100 ns.',
  },
  {
    id: 'B011',
    title: 'Packet of 1–2 GiB in 32-bit builds is never removed',
    source: 'daemon (OCaml), XSA-420; xen ae34df4d82 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connection-reader.ts',
        from: `if (len > PAYLOAD_MAX)
            return this.#giveUp(conn, XENSTORE_ERROR_PROTO);`,
        to: 'if (len > PAYLOAD_MAX) return PIECE_NS;',
      },
    ],
  },
  {
    id: 'S071',
    title: 'The daemon does not tell that it has read',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connection-reader.ts',
        from: `if (got !== BAD_INDEX)
            this.#platform.notify(link.port);
        return got;
    }
    *#readInSteps`,
        to: `return got;
    }
    *#readInSteps`,
      },
      {
        file: 'store/daemon/connection-reader.ts',
        from: `if (got !== BAD_INDEX)
            this.#platform.notify(link.port);
        return got;
    }
    /** The ring protocol is broken. */`,
        to: `return got;
    }
    /** The ring protocol is broken. */`,
      },
    ],
  },
  {
    id: 'S072',
    title: 'The daemon does not tell that it has written',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connection-writer.ts',
        from: `if (put !== BAD_INDEX)
            this.#platform.notify(link.port);
        return put;
    }
    *#writeInSteps`,
        to: `return put;
    }
    *#writeInSteps`,
      },
    ],
  },
  {
    id: 'S073',
    title: 'A piece that ends at the end of the reply ring goes on over the words behind it',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/ring-io.ts',
        from: `const count = Math.min(max, writableChunk(prod, cons));
    page.put(`,
        to: `const count = Math.min(max, writableChunk(prod, cons) + 1);
page.put(`,
      },
    ],
  },
  {
    id: 'S074',
    title: 'The producer index is moved before the octets are there',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/ring-io.ts',
        from: `const count = copyChunk(way, page, { cons, prod }, bytes, at, max);
    yield COPY_NS;
    const own = page.load32(ownAt);
    yield ACCESS_NS;
    page.store32(ownAt, (own + count) >>> 0);
    yield ACCESS_NS;
    return count;`,
        to: `const early = way === 'write' ? Math.min(max, writableChunk(prod, cons)) : 0;
if (way === 'write') page.store32(ownAt, (prod + early) >>> 0);
yield ACCESS_NS;
const count = copyChunk(way, page, { cons, prod }, bytes, at, max);
yield COPY_NS;
if (way === 'read') page.store32(ownAt, (page.load32(ownAt) + count) >>> 0);
yield ACCESS_NS;
return count;`,
      },
    ],
  },
  {
    id: 'S075',
    title: 'An index is compared as a number that never wraps',
    source: 'made up: wraps',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/ring-io.ts',
        from: 'return page.load32(REQ_CONS) !== page.load32(REQ_PROD);',
        to: 'return page.load32(REQ_CONS) < page.load32(REQ_PROD);',
      },
    ],
  },
  {
    id: 'S076',
    title: 'A piece that ends at the end of the ring is one octet too long',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/ring-io.ts',
        from: 'const count = Math.min(max, readableChunk(prod, cons));',
        to: 'const count = Math.min(max, readableChunk(prod, cons) + (readableChunk(prod, cons) < used(prod, cons) ? 1 : 0));',
      },
    ],
  },
  {
    id: 'S077',
    title: 'Messages that are longer than the room in the ring are cut there',
    source: 'made up: truncated',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connection-writer.ts',
        from: 'message.sent += put;',
        to: 'message.sent += put === end - message.sent ? put : put + 1;',
      },
    ],
  },
  {
    id: 'S078',
    title: 'Features are not told to a new domain',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/introductions.ts',
        from: `if (compat.ringFeatures)
            page.value.store32(SERVER_FEATURES, record.features);`,
        to: '',
      },
    ],
  },
  {
    id: 'S079',
    title: 'A ring that was given up keeps its error to itself',
    source: 'made up: dropped',
    observable: 'full',
    changes: [{ file: 'store/daemon/connections.ts', from: 'conn.link.page?.store32(ERROR, word);', to: 'void word;' }],
  },
]);
