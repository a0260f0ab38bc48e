import { ofFamily } from '../bug.ts';

export const WATCH = ofFamily('watch', [
  {
    id: 'B021',
    title: "Writer's reply waits until all watchers have acknowledged",
    source: 'daemon (C); xen eb825f79cb (2005)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/connection-writer.ts',
        from: 'return link.page !== undefined && ringHasRoom(link.page) ? conn.out[0] : undefined;',
        to: `{
  const [first] = conn.out;
  const own = conn.out.filter((out) => out.cause !== undefined && out.cause === first.cause).length;
  const isHeld = first?.kind === 'reply' && first.cause !== undefined && first.cause.pending > own;
  return link.page !== undefined && ringHasRoom(link.page) && !isHeld ? first : undefined;
}`,
      },
    ],
  },
  {
    id: 'B022',
    title: "A client's own changes do not fire its own watches",
    source: 'daemon (C); xen d9d954e187 (2005)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/watches.ts',
        from: `if (isSeen && conn !== except)
                this.#output.event(watch, name, cause);`,
        to: 'if (isSeen && conn !== except && conn !== cause?.conn) this.#output.event(watch, name, cause);',
      },
    ],
  },
  {
    id: 'B023',
    title: 'Events for a watch that has been taken off are still delivered',
    source: 'Linux xenbus; linux-2.6-xen (in xen) ca59410b89 (2005)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/client.ts',
        from: 'if (watch !== undefined && this.#habits.unwatchDropsEvents) {',
        to: 'if (watch === null) {',
      },
    ],
  },
  {
    id: 'B024',
    title: 'One queue of watch events for all users',
    source: 'mini-os; mini-os fd27671 (2008)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/watch-list.ts',
        from: `if (this.#habits.events === 'newest first')
            queue.events.unshift({ path, token });`,
        to: `if (this.#habits.events === 'newest first') {
  const { queue: other } = this.#watches[0];
  other.events.unshift({ path, token });
  other.me.wake();
}`,
      },
    ],
    note: "Of guests with mini-os' habits: whoever watches first takes all.",
  },
  {
    id: 'B025',
    title: 'Relative watches never fire',
    source: 'mirage ocaml-xenstore (server); ocaml-xenstore 669bd8a (2012)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: 'if (!checked)',
        to: `if (isRelative) return { name: path, prefix: 0 };
if (!checked)`,
      },
    ],
  },
  {
    id: 'B026',
    title: 'Requests from a watch callback block the reader',
    source: 'ocaml client library; xenopsd; ocaml-xenstore 6ed80a2; xenopsd c3380b0a (2013)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/xenbus.ts',
        from: `if (run !== undefined)
                    yield* run(event.path);`,
        to: `if (run !== undefined) {
  this.#kernel.link.held = true;
  yield* run(event.path);
  this.#kernel.link.held = false;
}`,
      },
    ],
    note: "In the thread of a guest's bus.",
  },
  {
    id: 'B027',
    title: "Client's event queue overflows and stops",
    source: 'ocaml client library; ocaml-xenstore 041a601 (2016)',
    observable: 'full',
    changes: [
      {
        file: 'guests/xenstore/watch-list.ts',
        from: `else
            queue.events.push({ path, token });`,
        to: `else if (queue.events.length < 8 && queue.isDeaf !== true) queue.events.push({ path, token });
else queue.isDeaf = true;`,
      },
    ],
    note: 'Eight events, as queues here are shorter than those of a toolstack with some hundred disks.',
  },
  {
    id: 'B028',
    title: 'Write, then remove in one transaction: watches below do not fire',
    source: 'daemon (C); xen dc6d67804f (2016)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `this.#removeBelow(node, true);
        if (parent`,
        to: `this.skipsChildren = this.#tx?.accesses.get(node.path)?.fire !== undefined;
this.#removeBelow(node, true);
if (parent`,
      },
      {
        file: 'store/tree/view.ts',
        from: 'fire(node, mode, old) {',
        to: `fire(node, mode, old) {
  if (this.skipsChildren && mode === 'exact') return;`,
      },
    ],
  },
  {
    id: 'B029',
    title: 'Events are sent for nodes the watcher may not read',
    source: 'daemons (C, OCaml), XSA-115; xen e47f438df3 (C), ff3d2dff9b (OCaml) (2020)',
    observable: 'full',
    changes: [
      { file: 'store/daemon/watches.ts', from: 'isSeen = this.#maySee(conn, node, old);', to: 'isSeen = true;' },
    ],
  },
  {
    id: 'B030',
    title: 'Removal of a tree begins at the root and fires everything first',
    source: 'daemon (C), XSA-115; xen 297f209636, 1e5815697f (2020)',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: "this.fire(now, isTop ? 'subtree' : 'exact');",
        to: "this.fire(now, 'subtree');",
      },
    ],
    note: 'The second form of the fault: one event for each removed node.',
  },
  {
    id: 'B031',
    title: 'RESET_WATCHES leaves them in the tree of watches',
    source: 'daemon (OCaml), XSA-330; xen 491a077ed4; from f8c72b526129 (2020)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: 'daemon.watches.drop(conn);',
        to: "for (const _ of conn.watches.splice(0)) daemon.accounting.count(conn, 'watches', -1);",
      },
    ],
  },
  {
    id: 'B032',
    title: 'Special events go to a watch on "/"',
    source: 'daemon (C); xen c1d5e4021c (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/watch-index.ts',
        from: `if (found === undefined)
            return NONE;`,
        to: `if (name.charCodeAt(0) === 0x40) for (const w of this.#byPath.get('/') ?? []) (found ??= []).push(w);
if (found === undefined) return NONE;`,
      },
    ],
  },
  {
    id: 'B033',
    title: 'Same event buffered many times',
    source: 'daemon (C), XSA-326; xen b5c0bdb96d (2022)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: `if (isPlain && conn.eventKeys.has(text))
            return;`,
        to: '',
      },
    ],
  },
  {
    id: 'B034',
    title: 'Watches of a released domain fire while its nodes go',
    source: 'daemon (C); xen 9260e41e73 (2023)',
    observable: 'part',
    changes: [
      {
        file: 'store/daemon/domain-ends.ts',
        from: `if (this.#state.compat.releaseDropsWatches)
            this.#watches.drop(conn);`,
        to: '',
      },
    ],
  },
  {
    id: 'B035',
    title: 'Several generic @releaseDomain events in one pass',
    source: 'oxenstored (own repository); oxenstored 4f82bc5 (2025)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/domain-changes.ts',
        from: `for (const { domid, info } of changed)
            notify = this.#check(domid, info, notify);`,
        to: 'for (const { domid, info } of changed) if (this.#check(domid, info, false)) this.#special.fire(RELEASE_DOMAIN, undefined);',
      },
    ],
  },
  {
    id: 'S001',
    title: 'Every fortieth event is lost',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: 'const isPlain = path.charCodeAt(0) !== 0x40;',
        to: `this.events = (this.events ?? 0) + 1;
if (this.events % 40 === 0) return;
const isPlain = path.charCodeAt(0) !== 0x40;`,
      },
    ],
  },
  {
    id: 'S002',
    title: 'Events of domains that come and go are sent twice',
    source: 'made up: doubled',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/special-nodes.ts',
        from: `const node = this.#tree.get(name);
        if (form`,
        to: `const node = this.#tree.get(name);
if (domid !== undefined) this.#watches.fire(\`\${name}/\${domid}\`, node, 'depth', undefined, undefined, except);
if (form`,
      },
    ],
  },
  {
    id: 'S003',
    title: 'The event of a new watch goes out before the answer to WATCH',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: `output.reply(conn, message, message.type, OK, r.cause);
    output.event(added, name, undefined);`,
        to: `output.event(added, name, undefined);
output.reply(conn, message, message.type, OK, r.cause);`,
      },
    ],
  },
  {
    id: 'S004',
    title: 'An event waits until its connection has something else to do',
    source: 'made up: late',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: `if (deadlineMs !== 0)
            this.noteDeadline(conn, deadlineMs);
        this.#wakes.outputQueued(conn);`,
        to: 'if (deadlineMs !== 0) this.noteDeadline(conn, deadlineMs);',
      },
    ],
  },
  {
    id: 'S005',
    title: 'A watch with a depth reaches one level less',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/watch-index.ts',
        from: 'return w.depth === -1 || levels <= w.depth;',
        to: 'return w.depth === -1 || levels < w.depth;',
      },
    ],
  },
  {
    id: 'S006',
    title: 'Relative names in events keep their slash',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      { file: 'store/daemon/output.ts', from: 'name.slice(watch.prefix);', to: 'name.slice(watch.prefix - 1);' },
    ],
  },
  {
    id: 'S007',
    title: "Events bear the token of the connection's oldest watch",
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: `const text = \`\${path}\\0\${watch.token}\\0\`;`,
        to: `const text = \`\${path}\\0\${conn.watches[0]?.token ?? watch.token}\\0\`;`,
      },
    ],
  },
  {
    id: 'S008',
    title: 'UNWATCH takes the first watch on a path, whatever its token',
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: 'const gone = watches.find(r.conn, name, texts[1]);',
        to: 'const gone = r.conn.watches.find((each) => each.path === name);',
      },
    ],
  },
  {
    id: 'S009',
    title: 'The same watch may be set twice',
    source: 'made up: not checked',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: `if (watches.find(conn, name, token) !== undefined)
        return 'EEXIST';`,
        to: '',
      },
    ],
  },
  {
    id: 'S010',
    title: 'A watch on the root hears of nothing below it',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/watch-index.ts',
        from: 'length = slash <= 0 ? 1 : slash;',
        to: `if (slash <= 0) break;
length = slash;`,
      },
    ],
  },
  {
    id: 'S011',
    title: 'UNWATCH of what was never set succeeds',
    source: 'made up: wrong errno',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: `if (gone === undefined)
        return 'ENOENT';`,
        to: 'if (gone === undefined) return OK;',
      },
    ],
  },
  {
    id: 'S012',
    title: 'A new watch does not fire at once',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      { file: 'store/daemon/operations/watches.ts', from: 'output.event(added, name, undefined);', to: 'void added;' },
    ],
  },
  {
    id: 'S013',
    title: 'What was sent once is never sent again',
    source: 'made up: not rolled back',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: `if (out.eventKey !== '')
            conn.eventKeys.delete(out.eventKey);`,
        to: '',
      },
    ],
  },
  {
    id: 'S014',
    title: 'Watches of one connection fire youngest first',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/watch-index.ts',
        from: 'a.conn.serial - b.conn.serial || a.order - b.order',
        to: 'a.conn.serial - b.conn.serial || b.order - a.order',
      },
    ],
  },
  {
    id: 'S015',
    title: 'Equal events of domains that come and go are merged',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: 'const isPlain = path.charCodeAt(0) !== 0x40;',
        to: 'const isPlain = true;',
      },
    ],
  },
  {
    id: 'S016',
    title: 'Who loses the right to read a node is not told',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/watches.ts',
        from: `if (old !== undefined && (this.#rights.of(conn, old.perms, old.generation) & READ) !== 0)
            return true;`,
        to: '',
      },
    ],
  },
  {
    id: 'S017',
    title: 'SET_PERMS fires nothing',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      { file: 'store/daemon/operations/nodes.ts', from: "view.fire(written, 'subtree', node);", to: 'void written;' },
    ],
  },
  {
    id: 'S018',
    title: 'MKDIR fires nothing',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: `const node = r.view.create(name, new Uint8Array(0));
    r.view.applyCounts();
    r.view.fire(node, 'subtree');`,
        to: `r.view.create(name, new Uint8Array(0));
r.view.applyCounts();`,
      },
    ],
  },
  {
    id: 'S019',
    title: "A released domain's end is told without its id only",
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/special-nodes.ts',
        from: `if (domid !== undefined)
            this.#watches.fire(\`\${name}/\${domid}\`,`,
        to: `if (domid === -1) this.#watches.fire(\`\${name}/\${domid}\`,`,
      },
    ],
  },
]);
