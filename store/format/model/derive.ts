import { choicesOf, type Format } from '../file/format.ts';
import type { Fields } from '../schema/schema.ts';
import { type Carriage, carriageOf, type Mark, type StateRow } from './carriage.ts';

/** Names of all fields of the records of this kind, those inside lists, tables and variants as `conn.ring.port`. */
function fieldsOf(format: Format, kind: string): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (fields: Fields, prefix: string) => {
    for (const [name, field] of Object.entries(fields)) {
      names.add(prefix + name);
      if (field.what === 'list') add(field.of, `${prefix}${name}.`);
      if (field.what === 'table') for (const listName of Object.keys(field.lists)) names.add(prefix + listName);
      if (field.what === 'variant')
        for (const [which, one] of Object.entries(field.cases)) add(one.fields, `${prefix}${name}.${which}.`);
    }
  };
  for (const one of format.records.flatMap((record) => choicesOf(record))) if (one.name === kind) add(one.fields, '');
  return names;
}

/**
 * What a format can carry, as its fields show, which have the names of the formats here: for those that are in no
 * table. Rows that no field tells of are as in the format's nearest relation: G4.1, or G1 and G2 where records have no
 * connection.
 */
export function derivedCarriage(format: Format): Carriage {
  const [node, connection, global] = ['NODE_DATA', 'CONNECTION_DATA', 'GLOBAL_DATA'].map((kind) =>
    fieldsOf(format, kind),
  );
  const [defaults, domain, deep] = ['GLOBAL_QUOTA_DATA', 'DOMAIN_DATA', 'WATCH_DATA_EXTENDED'].map((kind) =>
    fieldsOf(format, kind),
  );
  const tx = fieldsOf(format, 'TRANSACTION_DATA');
  const watch = fieldsOf(format, 'WATCH_DATA');
  const isStream = connection?.size === 0;
  const base = carriageOf(isStream ? (fieldsOf(format, 'DOMAIN_START').size > 0 ? 'G2' : 'G1') : 'G4.1');
  const marks: Record<StateRow, Mark> = { ...base.marks };
  const set = (row: StateRow, isThere: boolean | undefined, mark: Mark = 'y') => {
    marks[row] = isThere === true ? mark : '-';
  };
  const has = (fields: ReadonlySet<string> | undefined, ...names: string[]) => names.some((name) => fields?.has(name));
  const all = (fields: ReadonlySet<string> | undefined, ...names: string[]) => names.every((name) => fields?.has(name));
  set('staleAcl', has(node, 'perms.flags'));
  set('generation', has(node, 'generation'));
  set('txBase', has(tx, 'base') || has(node, 'base'));
  set('watchDepth', has(deep, 'depth') || has(watch, 'depth'));
  if (!isStream) {
    for (const row of ['txWrites', 'txDeletes', 'txReads'] as const) set(row, has(node, 'access'));
    set('output', has(connection, 'outData', 'data', 'conn.ring.data'));
    set('outputBoundary', has(connection, 'outRespLen'));
    set('input', has(connection, 'inData'));
    set('delayed', has(connection, 'inData'), 'p5');
    set('target', has(connection, 'conn.ring.targetDomid'));
    set('sockets', has(connection, 'conn.socket.fd'));
    set('readOnly', has(connection, 'flags', 'conn.socket.flags'));
    set('listeners', has(global, 'socketFd'), has(global, 'roSocketFd') ? 'rw+ro' : 'rw');
    set('evtchnFd', has(global, 'evtchnFd'));
    const [own, guests] = [has(connection, 'conn.ring.port'), has(connection, 'conn.ring.remotePort')];
    set('port', own || guests, own && guests ? 'both' : own ? 'daemon' : 'guest');
    set('mfn', has(connection, 'conn.ring.mfn'));
    set('flags', has(connection, 'conn.ring.flags'), 'p9');
    set('uniqueId', has(connection, 'uniqueId'));
  }
  set('defaultQuotas', has(defaults, 'domainQuotas'));
  set('domainQuotas', has(domain, 'quotas'));
  set('unknownQuotas', all(domain, 'quotas') || all(defaults, 'domainQuotas'));
  set('features', has(domain, 'features'), format.versions.includes(1) ? 'v2' : 'y');
  const readOnlyRings = all(connection, 'flags', 'inData');
  return { ...base, marks, readOnlyRings, oneDomain: isStream && fieldsOf(format, 'DOMAIN_START').size === 0 };
}
