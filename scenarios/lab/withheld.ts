import type { StateRow } from '../../store/format/model/index.ts';

const C_DAEMONS = ['C-4.15', 'C-4.16', 'C-4.18', 'C-4.21', 'C-4.22'];

/** Rows that octets of a daemon's dialect could hold, and that this daemon does not put there. */
const WITHHELD: readonly {
  readonly rows: readonly StateRow[];
  readonly formats: readonly string[];
  readonly why: string;
}[] = [
  {
    // Source: tools/xenstored/lu.c, lu_check_lu_allowed.
    rows: ['txId', 'txWrites', 'txDeletes', 'txReads'],
    formats: C_DAEMONS,
    why: 'the octets could hold it; the daemon waits until no transaction is open',
  },
  {
    // Source: tools/xenstored/domain.c, read_state_connection.
    rows: ['target'],
    formats: C_DAEMONS,
    why: 'the octets hold it; the reader looks for the connection of the target at once',
  },
  {
    // Source: RELEASE-4.15.0:tools/xenstore/xenstored_core.c, dump_state_buffered_data.
    rows: ['delayed'],
    formats: ['C-4.15'],
    why: 'the octets could hold it; the daemon knows no requests put aside',
  },
  {
    // Source: RELEASE-4.21.0:tools/xenstored/domain.c, dump_state_domain.
    rows: ['domainQuotas', 'unknownQuotas'],
    formats: ['C-4.21'],
    why: 'the octets could hold it; the daemon writes features only',
  },
  {
    // Source: tools/xenstored/domain.c, parse_quota_name.
    rows: ['unknownQuotas'],
    formats: ['C-4.22'],
    why: 'the octets could hold it; the daemon drops names that it does not know',
  },
  {
    // Source: tools/ocaml/xenstored/store.ml, dump_fct.
    rows: ['siblingOrder'],
    formats: ['Ox-b', 'Ox-c'],
    why: 'the lines could be in any order; the daemon writes children in descending order',
  },
  {
    // Source: RELEASE-4.14.0:tools/ocaml/xenstored/xenstored.ml, DB.to_channel.
    rows: ['sockets', 'connections'],
    formats: ['Ox-a'],
    why: 'a line could be written; the daemon writes none for sockets',
  },
];

/** Why a daemon keeps back what its octets could hold; undefined: nobody knows of it, so the carriage is wrong. */
export function whyWithheld(format: string, row: StateRow): string | undefined {
  return WITHHELD.find(({ rows, formats }) => rows.includes(row) && formats.includes(format))?.why;
}
