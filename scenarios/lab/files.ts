import {
  type DaemonState,
  EMPTY_STATE,
  mergeShares,
  type StateFormat,
  type StateRow,
  writeState,
} from '../../store/format/model/index.ts';
import type { Things } from './things.ts';

/** Rows with something that no store here has: 4.22 has no read-only socket, and drops quotas that it does not know. */
export const ROWS_OF_FILES: readonly StateRow[] = ['readOnly', 'listeners', 'unknownQuotas'];

const NOTHING = new Uint8Array(0);
const IDLE = { watches: [], transactions: [], delayed: [], input: NOTHING, output: NOTHING, restBytes: 0 };
const UNKNOWN = { name: 'colour', value: 3 };

/** A state of another daemon. */
const FOREIGN: DaemonState = {
  ...EMPTY_STATE,
  nodes: [{ path: '/', value: NOTHING, acl: [{ letter: 'n', domid: 0, stale: false }] }],
  connections: [
    { ...IDLE, link: { kind: 'ring', domid: 0 }, readOnly: false },
    { ...IDLE, link: { kind: 'socket', fd: 12 }, readOnly: true },
  ],
  domains: [{ domid: 0, quotas: [UNKNOWN] }],
  quotas: { domain: [{ name: 'nodes', value: 5 }, UNKNOWN], global: [] },
  listeners: { rw: 4, ro: 5 },
};

/** What comes back of it from files that are written and read, without any store. */
export function filesAlone(format: StateFormat, things: Things): void {
  const state = readBack(format);
  const isThere = (quotas: readonly { readonly name: string }[] | undefined) =>
    quotas?.some(({ name }) => name === UNKNOWN.name) === true;
  const isReadOnly = state?.connections.some(({ link, readOnly }) => link.kind === 'socket' && readOnly) === true;
  things.note('readOnly', 'a socket that may not write', isReadOnly, 'files');
  things.note('listeners', 'the read-only socket', state?.listeners.ro === 5, 'files');
  things.note('unknownQuotas', 'a default', isThere(state?.quotas?.domain), 'files');
  things.note('unknownQuotas', 'one of a domain', isThere(state?.domains[0]?.quotas), 'files');
}

function readBack(format: StateFormat): DaemonState | undefined {
  const written = writeState(FOREIGN, format, { onLoss: 'silent' });
  if (!written.ok) return undefined;
  const states = written.files.flatMap(({ octets, domid }) => {
    const read = format.read(octets, domid === undefined ? {} : { domid });
    return read.ok ? [{ state: read.value.state }] : [];
  });
  const [first, ...others] = states;
  return first !== undefined && others.length === 0 ? first.state : mergeShares(states);
}
