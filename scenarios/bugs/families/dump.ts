import { ofFamily } from '../bug.ts';

export const DUMP = ofFamily('dump', [
  {
    id: 'B065',
    title: 'Saved node paths carry an empty first component',
    source: 'daemon (OCaml), save file written when the daemon stops or hands over; xen 506114e918 (2017)',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: `path: octetsOf(node.path),
        value: node.value,`,
        to: `path: octetsOf(node.path.length > 1 && node.path.lastIndexOf('/') === 0 ? \`/\${node.path}\` : node.path),
value: node.value,`,
      },
    ],
  },
  {
    id: 'B066',
    title: 'Terminate signal saves and quits although live state is not in the file',
    source: 'daemon (OCaml), SIGTERM path; xen e663158bca (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/update-verdict.ts',
        from: `if (state.options.policy === 'carry' || state.openTransactions === 0)
        return 'go';`,
        to: "return 'go';",
      },
    ],
    note: 'The gate is that of an update under policy daemon, which has no record of open transactions.',
  },
  {
    id: 'B067',
    title: 'Start command answers success for an update that is only queued',
    source: 'daemon (OCaml), control command; xen 42f0581a91 (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/control-live-update.ts',
        from: `delayed.add(conn, { message, kind: 'live-update' });
    return LATER;`,
        to: `delayed.add(conn, { message, kind: 'live-update' });
return undefined;`,
      },
      { file: 'store/live-update/dump.ts', from: 'if (answered !== undefined)', to: 'if (answered === null)' },
      {
        file: 'store/daemon/operations/process-message.ts',
        from: `daemon.output.reply(conn, message, message.type, octetsOf(\`\${text}\\0\`), undefined);`,
        to: 'void text;',
      },
    ],
  },
  {
    id: 'B068',
    title: 'Start options read from the wrong index, and hand-over goes on after a failed save',
    source: 'daemon (OCaml), control command and main loop; xen 00c48f57ab (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/control-live-update.ts',
        from: 'for (let i = 1; i < args.length; i++) {',
        to: 'for (let i = 2; i < args.length; i++) {',
      },
    ],
  },
  {
    id: 'B069',
    title: 'Refused live update kills the daemon while it answers',
    source: 'daemon (C), start of live update; xen 29fae90baa; from af216a99fb4a (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/process-message.ts',
        from: 'const text = daemon.state.liveUpdate?.reply ??',
        to: `const { liveUpdate } = daemon.state;
if (liveUpdate !== undefined) daemon.state.liveUpdate = undefined;
const text = liveUpdate === undefined ? 'Cancellation was requested' : daemon.state.liveUpdate.reply ??`,
      },
    ],
  },
  {
    id: 'B070',
    title: 'Last option of the update command dropped',
    source: 'daemon (C), control command table; xen 51972482f7 (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/control.ts',
        from: 'texts.slice(1, 1 + daemon.state.compat.liveUpdateArgsMax)',
        to: 'texts.slice(1, Math.min(4, daemon.state.compat.liveUpdateArgsMax))',
      },
    ],
  },
  {
    id: 'B072',
    title: 'Putting a request aside always clears the current input',
    source: 'daemon (C), request delay; xen 361f1deb42; from c5ca1404b4 (2021)',
    observable: 'part',
    changes: [
      {
        file: 'store/daemon/delayed.ts',
        from: `if (verdict === 'wait')
                        continue;`,
        to: `if (verdict === 'wait') {
  conn.headerUsed = 0;
  conn.body = undefined;
  continue;
}`,
      },
      {
        file: 'store/daemon/delayed.ts',
        from: `else if (delayed.kind === 'transaction-start' && this.#state.liveUpdate !== undefined)
                    continue;`,
        to: `else if (delayed.kind === 'transaction-start' && this.#state.liveUpdate !== undefined) {
  conn.headerUsed = 0;
  conn.body = undefined;
  continue;
}`,
      },
    ],
    note: 'As requests are put aside again in each pass.',
  },
  {
    id: 'B073',
    title: 'Requests put aside are not in the image',
    source: 'daemon (C), image writer; xen 54f73e6fc6 (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: `for (const delayed of conn.delayed)
        if (delayed.kind !== 'live-update')
            input.push(whole(delayed.message));`,
        to: '',
      },
    ],
  },
  {
    id: 'B074',
    title: 'Cancel of a pending update crashes the daemon',
    source: 'daemon (C), control command; xen 90bafdba8e; from af216a99fb (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/process-message.ts',
        from: "const text = daemon.state.liveUpdate?.reply ?? 'Cancellation was requested';",
        to: "const text = daemon.state.liveUpdate.reply ?? 'Cancellation was requested';",
      },
    ],
  },
  {
    id: 'B075',
    title: 'A node with the longest legal path makes every update fail',
    source: 'daemon (C), image writer; xen c85610a322 (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'failure ??= writer.append(record);',
        to: `failure ??= writer.append(record);
if (record.kind === 'NODE_DATA' && record.path.length >= 2000)
  failure ??= { offset: 0, record: 0, name: 'NODE_DATA', path: 'path', reason: 'no room for the path' };`,
      },
    ],
    note: 'What counts as longest is what guests may come to.',
  },
  {
    id: 'S081',
    title: 'Carried transactions keep no removals',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: "pending.push({ kind: 'NODE_DATA', connId, txId: tx.id, access, perms, path: octetsOf(path), value });",
        to: "if (node !== undefined) pending.push({ kind: 'NODE_DATA', connId, txId: tx.id, access, perms, path: octetsOf(path), value });",
      },
    ],
  },
  {
    id: 'S082',
    title: 'The first octets of a half-read body are not written',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: `if (conn.body !== undefined)
            input.push(conn.body.slice(0, conn.bodyUsed));`,
        to: '',
      },
    ],
  },
  {
    id: 'S083',
    title: 'A half-sent message is written whole',
    source: 'made up: doubled',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'const rest = out.bytes.subarray(out.sent);',
        to: 'const rest = out.bytes;',
      },
    ],
  },
  {
    id: 'S084',
    title: 'Queued output is written youngest first',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'output.push(rest);',
        to: `if (i === 0) output.push(rest);
else output.splice(1, 0, rest);`,
      },
    ],
  },
  {
    id: 'S085',
    title: "A watch's depth is not written",
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'put(hasV2 && watch.depth >= 0 ? extended : plain);',
        to: 'put(plain);',
      },
    ],
  },
  {
    id: 'S086',
    title: 'The answer of the update goes to everybody',
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'requester?.conn === conn ? requester.message : undefined',
        to: 'requester?.conn.domid === conn.domid ? requester.message : undefined',
      },
    ],
  },
  {
    id: 'S087',
    title: 'Whose model a domain is, is not written',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'targetDomid: conn.target?.domid ?? DOMID_INVALID,',
        to: 'targetDomid: DOMID_INVALID,',
      },
    ],
  },
  {
    id: 'S088',
    title: 'Children are written youngest first',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'for (let i = names.length - 1; i >= 0; i--) {',
        to: 'for (let i = 0; i < names.length; i++) {',
      },
    ],
  },
  {
    id: 'S089',
    title: 'Dead entries are written as good ones',
    source: 'made up: not rolled back',
    observable: 'full',
    changes: [{ file: 'store/live-update/dump.ts', from: 'flags: stale ? 1 : 0,', to: 'flags: 0,' }],
  },
  {
    id: 'S090',
    title: 'Entries beyond the third are not written',
    source: 'made up: truncated',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'return perms.map((p, i) => imagePerm(state, p, i, generation));',
        to: 'return perms.slice(0, 3).map((p, i) => imagePerm(state, p, i, generation));',
      },
    ],
  },
  {
    id: 'S091',
    title: 'Values are written up to 255 octets',
    source: 'made up: truncated',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: `path: octetsOf(node.path),
        value: node.value,`,
        to: `path: octetsOf(node.path),
value: node.value.subarray(0, 255),`,
      },
    ],
  },
  {
    id: 'S092',
    title: 'Relative watches are written by their absolute names',
    source: 'made up: wrong name',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'wpath: octetsOf(watch.path.slice(watch.prefix))',
        to: 'wpath: octetsOf(watch.path)',
      },
    ],
  },
  {
    id: 'S093',
    title: 'Limits of single domains are not written',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'quotas: quotaList(quotas) });',
        to: `quotas: [] });
void quotas;`,
      },
    ],
  },
  {
    id: 'S094',
    title: 'A request of which only a part of the header has come is not written',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'store/live-update/dump.ts',
        from: 'else if (conn.headerUsed > 0) {',
        to: 'else if (conn.headerUsed === 16) {',
      },
    ],
  },
]);
