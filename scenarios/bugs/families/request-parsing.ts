import { ofFamily } from '../bug.ts';

export const REQUEST_PARSING = ofFamily('request parsing', [
  {
    id: 'B013',
    title: "Error number of someone else's failure",
    source: 'daemon (C); xen 22ed12a0f3 (2006)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/process-message.ts',
        from: `if (typeof answer === 'string')
        daemon.output.error(conn, message, answer, cause);`,
        to: `if (typeof answer === 'string') {
  const errno = answer === 'EACCES' ? (daemon.lastErrno ?? answer) : answer;
  daemon.lastErrno = errno;
  daemon.output.error(conn, message, errno, cause);
}`,
      },
    ],
  },
  {
    id: 'B014',
    title: "UNWATCH of a special node looks below the client's own directory",
    source: 'daemon (C); xen 3e43914aa8, 3d40548921 (2007)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/watches.ts',
        from: 'const { name } = watchedName(r, texts[0], state.compat.unwatchChecksPath);',
        to: `const { name } = watchedName(r, texts[0].replace(/^@/, './@').replace('./', \`\${r.daemon.names.homeOf(r.conn)}/\`), state.compat.unwatchChecksPath);`,
      },
    ],
  },
  {
    id: 'B015',
    title: 'Unknown operation gets no reply',
    source: 'daemon (OCaml); xen 25c4397fb2 (2011)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/process-message.ts',
        from: `if (operation === undefined)
        return daemon.output.error(conn, message, 'ENOSYS', cause);`,
        to: 'if (operation === undefined) return;',
      },
    ],
  },
  {
    id: 'B016',
    title: 'Generation string of a paged listing not terminated',
    source: 'libxenstore; xen e25ddb6dae (2016)',
    observable: 'part',
    changes: [
      {
        file: 'guests/xenstore/xs.ts',
        from: 'if (list.length > 0 && said.slice(0, cut) !== generation) {',
        to: 'if (list.length > 0 && said.slice(0, 1) !== generation.slice(0, 1)) {',
      },
    ],
  },
  {
    id: 'B017',
    title: 'CONTROL without any string kills the daemon',
    source: 'daemon (C); xen 36c80e29e3 (2017)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/control.ts',
        from: `if (count === 0)
        refuse('EINVAL');`,
        to: 'if (count === 0) texts[0].length;',
      },
    ],
  },
  {
    id: 'B018',
    title: 'Path limit applied before the path is made absolute',
    source: 'daemons (OCaml, C), XSA-323 and its companion; xen bf0703992c (OCaml), 924bf8c793 (C) (2020)',
    observable: 'full',
    changes: [
      {
        file: 'store/protocol/path.ts',
        from: 'const counted = name === undefined ? 0 : countedLength(name);',
        to: 'const counted = name === undefined ? 0 : text.length;',
      },
      {
        file: 'store/daemon/names.ts',
        from: 'this.#isTooLong(conn, countedLength(name)) ? undefined : name;',
        to: 'this.#isTooLong(conn, path.length) ? undefined : name;',
      },
    ],
  },
  {
    id: 'B019',
    title: 'Path limit option has no effect',
    source: 'daemon (C); xen ab392969ea; from 924bf8c793cb (2021)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/settings.ts',
        from: 'quotas[name] = value;',
        to: "if (name !== 'path-max') quotas[name] = value;",
      },
    ],
  },
  {
    id: 'B020',
    title: 'Too large reply is an error on rings only',
    source: 'oxenstored (own repository); oxenstored 6bc999f (2024)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: `if (length > PAYLOAD_MAX)
            bytes`,
        to: "if (length > PAYLOAD_MAX && conn.link.kind === 'ring') bytes",
      },
      {
        file: 'store/daemon/operations/nodes.ts',
        from: "return node.childOctets > PAYLOAD_MAX ? 'E2BIG' : childList(node);",
        to: "return node.childOctets > PAYLOAD_MAX && r.conn.link.kind === 'ring' ? 'E2BIG' : childList(node);",
      },
    ],
  },
  {
    id: 'S061',
    title: 'Children are listed youngest first',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: 'for (const name of listOf(node.children)) {',
        to: 'for (const name of [...listOf(node.children)].reverse()) {',
      },
    ],
  },
  {
    id: 'S062',
    title: 'Parts of a listing begin one octet late',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: 'const part = list.subarray(offset, end);',
        to: 'const part = list.subarray(offset === 0 ? 0 : offset + 1, end);',
      },
    ],
  },
  {
    id: 'S063',
    title: 'Values end at their first NUL',
    source: 'made up: truncated',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: 'const value = payload.slice(end + 1);',
        to: `const nul = payload.indexOf(0, end + 1);
const value = payload.slice(end + 1, nul < 0 ? undefined : nul);`,
      },
    ],
  },
  {
    id: 'S064',
    title: 'Errors bear no transaction',
    source: 'made up: wrong id',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: 'this.reply(conn, to, XS.ERROR, errorPayload(errno), cause);',
        to: 'this.reply(conn, { ...to, txId: 0 }, XS.ERROR, errorPayload(errno), cause);',
      },
    ],
  },
  {
    id: 'S065',
    title: 'Every hundredth answer bears the id of another request',
    source: 'made up: wrong id',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/output.ts',
        from: `else
            bytes = wireMessage(type, to.reqId, to.txId, payload);`,
        to: `else {
  this.answers = (this.answers ?? 0) + 1;
  bytes = wireMessage(type, this.answers % 100 === 0 ? to.reqId ^ 1 : to.reqId, to.txId, payload);
}`,
      },
    ],
  },
  {
    id: 'S066',
    title: 'MKDIR of what is there fails',
    source: 'made up: wrong errno',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: `if (old !== 'ENOENT')
        return OK;`,
        to: "if (old !== 'ENOENT') return 'EEXIST';",
      },
    ],
  },
  {
    id: 'S067',
    title: 'RM of what is not there fails',
    source: 'made up: wrong errno',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: 'return parent === undefined ? node : OK;',
        to: 'return node;',
      },
    ],
  },
  {
    id: 'S068',
    title: 'Empty values are refused',
    source: 'made up: wrong errno',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/operations/nodes.ts',
        from: 'const value = payload.slice(end + 1);',
        to: `const value = payload.slice(end + 1);
if (value.length === 0) return 'EINVAL';`,
      },
    ],
  },
  {
    id: 'S069',
    title: 'Levels that are made on the way have the value of the last',
    source: 'made up: wrong value',
    observable: 'full',
    changes: [{ file: 'store/tree/view.ts', from: 'value: i === 0 ? value : EMPTY,', to: 'value,' }],
  },
  {
    id: 'S070',
    title: 'RM leaves what is below',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'store/tree/view.ts',
        from: `this.#removeBelow(child, false);
            now`,
        to: 'now',
      },
    ],
  },
]);
