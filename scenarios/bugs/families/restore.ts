import { ofFamily } from '../bug.ts';

export const RESTORE = ofFamily('restore', [
  {
    id: 'B081',
    title: "Second and later waiting requests get the first one's header",
    source: 'xenstored, xen 8a9b94982b (2021)',
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
]);
