import { ofFamily } from '../bug.ts';

export const WATCH = ofFamily('watch', [
  {
    id: 'B022',
    title: "A client's own changes do not fire its own watches",
    source: 'xenstored, xen d9d954e187 (2005)',
    observable: 'full',
    changes: [
      {
        file: 'store/daemon/watches.ts',
        from: 'if (isSeen && conn !== except) this.#output.event(watch, name, cause);',
        to: 'if (isSeen && conn !== except && conn !== cause?.conn) this.#output.event(watch, name, cause);',
      },
    ],
  },
]);
