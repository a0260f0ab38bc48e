import { type Dialect, v2 } from './dialect.ts';
import {
  type ConnectionData,
  NODE_READ,
  NODE_WRITTEN,
  type NodeData,
  type StateRecord,
} from './generations/records.ts';
import { ImageWriter, type StateImage } from './image.ts';
import type { FormatFailure } from './schema/cursor.ts';
import { textOf } from './schema/text.ts';

/** What `checkImage` looks for, each by the clause or the reader's behaviour that it stands for. */
export const CHECK_RULES = {
  encodable: 'every value fits its field',
  'no-trailing': 'nothing follows END',
  'one-global': 'at most one GLOBAL_DATA, and before any connection',
  'one-quota': 'at most one GLOBAL_QUOTA_DATA',
  'conn-id-unique': 'each connection has an id of its own',
  'conn-id-known': 'the connection of a record comes earlier',
  'out-resp-len': 'the rest of a half-written message is part of the output',
  'tx-known': 'a pending node belongs to a transaction that comes earlier',
  'tx-unique': 'each transaction of a connection has an id of its own',
  'node-unique': 'each path once, or once in each transaction',
  'parent-first': 'the parent of a committed node comes earlier',
  'node-owner': 'a committed node has an owner entry',
  'node-deleted': 'a deleted node has neither access, nor permissions, nor value',
  'node-path': 'a node path is absolute, or the name of a special node',
  'watch-path': 'a watch path is valid',
  'inner-nul': 'no NUL inside a path or a token',
  'domain-unique': 'at most one DOMAIN_DATA for each domain',
  'privileged-first': 'a node comes after the connection of the privileged domain',
  'domain-known': 'a DOMAIN_DATA domain is a connection, a target, or the owner of a node',
  'version-field': 'types and fields of version 2 stay out of version 1',
} as const;
export type CheckRule = keyof typeof CHECK_RULES;

/** A breach of one rule. */
export interface Finding extends FormatFailure {
  readonly rule: CheckRule;
}

export interface CheckOptions {
  /** Decides offsets; v2 by default, which has all records. */
  readonly dialect?: Dialect;
  /** Rules that only some readers hold to: none by default. */
  readonly also?: readonly ('privileged-first' | 'domain-known' | 'version-field')[];
  /** Domid of the privileged domain; 0 by default. */
  readonly privilegedDomid?: number;
  /** Paths that the reader already has; `/` by default, and the parents of what a migrated domain brings. */
  readonly knownPaths?: readonly string[];
}

/** As long as a request can name. XENSTORE_ABS_PATH_MAX (3,072) is asked of nobody who has no quota (io/xs_wire.h). */
const PATH_BYTES_MAX = 4095;
const DOMID_INVALID = 0x7ff4;

/**
 * Check what the records of an image mean among each other; the codec checks each for itself. Findings come in the
 * order of the records, with absolute offsets. Errors: none, an image that cannot be encoded is a finding.
 * Source: docs/designs/xenstore-migration.md; what C readers do is in tools/xenstored/{lu,core,domain,watch}.c.
 */
export function checkImage(image: StateImage, options: CheckOptions = {}): Finding[] {
  const { dialect = v2 } = options;
  const findings: Finding[] = [];
  const writer = new ImageWriter(dialect, { version: image.version, bigEndian: image.bigEndian });
  const check = new ImageCheck(image.version, (finding) => findings.push(finding), options);
  for (const [index, record] of image.records.entries()) {
    const offset = writer.offset;
    const failure = writer.append(record);
    if (failure !== undefined) {
      findings.push({ ...failure, record: index, rule: 'encodable' });
      if (failure.record < 0) return findings;
      continue;
    }
    check.look(record, index, offset);
  }
  const finished = writer.finish();
  if (!finished.ok) findings.push({ ...finished.failure, record: image.records.length, rule: 'encodable' });
  check.trailing(image.trailing?.length ?? 0, image.records.length, writer.offset);
  return findings;
}

const OPTIONAL_RULES: ReadonlySet<CheckRule> = new Set(['privileged-first', 'domain-known', 'version-field']);

/**
 * The same for records as they are read one at a time, which are encodable because they were decoded. Paths are octet
 * strings. Each finding is reported as it is made.
 */
export class ImageCheck {
  readonly #version: number;
  readonly #report: (finding: Finding) => void;
  readonly #also: readonly CheckRule[];
  readonly #privilegedDomid: number;
  readonly #connections = new Set<number>();
  readonly #transactions = new Set<string>();
  readonly #committed = new Set<string>();
  readonly #known: Set<string>;
  readonly #pending = new Set<string>();
  readonly #domainData = new Set<number>();
  readonly #domains = new Set<number>();
  #globals = 0;
  #quotas = 0;
  #isPrivilegedSeen = false;
  /** A path that is known to be there, the parent of the node looked at last: siblings come together. */
  #parent = '';
  // Where a breach is reported: the record being looked at.
  #kind = '';
  #index = 0;
  #offset = 0;
  /** Path of the NODE_DATA that was looked at last: whoever restores it need not build the text again. */
  nodePath = '';

  constructor(version: number, report: (finding: Finding) => void, options: CheckOptions = {}) {
    const { also = [], privilegedDomid = 0, knownPaths = ['/'] } = options;
    this.#version = version;
    this.#report = report;
    this.#also = also;
    this.#privilegedDomid = privilegedDomid;
    this.#known = new Set(knownPaths);
  }

  /** The next record, which is the `index`th and begins at `offset`. */
  look(record: StateRecord, index: number, offset: number): void {
    this.#kind = record.kind;
    this.#index = index;
    this.#offset = offset;
    switch (record.kind) {
      case 'GLOBAL_DATA':
        if (this.#globals++ > 0) this.#breach('one-global', '', 'a second GLOBAL_DATA');
        else if (this.#connections.size > 0) this.#breach('one-global', '', 'comes after a connection');
        return;
      case 'GLOBAL_QUOTA_DATA':
        if (this.#quotas++ > 0) this.#breach('one-quota', '', 'a second GLOBAL_QUOTA_DATA');
        return;
      case 'CONNECTION_DATA':
        this.#connection(record);
        return;
      case 'WATCH_DATA_EXTENDED':
        if (this.#version < 2) this.#breach('version-field', '', 'belongs to version 2');
        this.#watch(record.connId, record.wpath, record.token);
        return;
      case 'WATCH_DATA':
        this.#watch(record.connId, record.wpath, record.token);
        return;
      case 'TRANSACTION_DATA': {
        this.#ofConnection(record.connId);
        const key = `${record.connId}/${record.txId}`;
        if (this.#transactions.has(key)) this.#breach('tx-unique', 'txId', `${record.txId} again`);
        this.#transactions.add(key);
        return;
      }
      case 'NODE_DATA':
        this.#node(record);
        return;
      case 'DOMAIN_DATA':
        if (this.#domainData.has(record.domid)) this.#breach('domain-unique', 'domid', `${record.domid} again`);
        this.#domainData.add(record.domid);
        if (!this.#domains.has(record.domid))
          this.#breach('domain-known', 'domid', `domain ${record.domid} is not known`);
        if (this.#version < 2 && record.features !== 0)
          this.#breach('version-field', 'features', 'belongs to version 2');
        return;
      case 'UNKNOWN':
      case 'END':
        return;
    }
  }

  /** Octets behind END, which would be the `index`th record and begin at `offset`. */
  trailing(count: number, index: number, offset: number): void {
    if (count === 0) return;
    this.#kind = 'trailing';
    this.#index = index;
    this.#offset = offset;
    this.#breach('no-trailing', '', `${count} octets after END`);
  }

  #breach(rule: CheckRule, path: string, reason: string): void {
    if (OPTIONAL_RULES.has(rule) && !this.#also.includes(rule)) return;
    this.#report({ offset: this.#offset, record: this.#index, name: this.#kind, path, reason, rule });
  }

  #connection(record: ConnectionData): void {
    const { connId, conn, outRespLen, outData } = record;
    if (this.#connections.has(connId)) this.#breach('conn-id-unique', 'connId', `${connId} again`);
    this.#connections.add(connId);
    if (outRespLen > outData.length)
      this.#breach('out-resp-len', 'outRespLen', `is ${outRespLen}, more than the ${outData.length} octets of output`);
    if (conn.kind === 'socket') return;
    this.#domains.add(conn.domid);
    if (conn.targetDomid !== DOMID_INVALID) this.#domains.add(conn.targetDomid);
    if (conn.domid === this.#privilegedDomid) this.#isPrivilegedSeen = true;
  }

  #watch(connId: number, wpath: Uint8Array, token: Uint8Array): void {
    this.#ofConnection(connId);
    if (wpath.indexOf(0) >= 0) this.#breach('inner-nul', 'wpath', 'has a NUL inside');
    else {
      const reason = pathFault(textOf(wpath), true);
      if (reason !== undefined) this.#breach('watch-path', 'wpath', reason);
    }
    if (token.indexOf(0) >= 0) this.#breach('inner-nul', 'token', 'has a NUL inside');
  }

  #ofConnection(connId: number): void {
    if (!this.#connections.has(connId)) this.#breach('conn-id-known', 'connId', `there is no connection ${connId} yet`);
  }

  #node(record: NodeData): void {
    const { connId, perms } = record; // txId and access are ignored in a committed node
    const path = textOf(record.path);
    this.nodePath = path;
    const isNul = path.includes('\0');
    const fault = isNul ? undefined : pathFault(path, false);
    if (isNul) this.#breach('inner-nul', 'path', 'has a NUL inside');
    if (fault !== undefined) this.#breach('node-path', 'path', fault);
    if (!this.#isPrivilegedSeen)
      this.#breach('privileged-first', '', `comes before the connection of domain ${this.#privilegedDomid}`);
    if (connId !== 0) {
      this.#pendingNode(record, path);
      return;
    }
    const before = this.#committed.size;
    if (this.#committed.add(path).size === before) this.#breach('node-unique', 'path', `${path} again`);
    if (perms[0] === undefined) this.#breach('node-owner', 'perms', 'is empty');
    else this.#domains.add(perms[0].domid);
    const parent = parentOf(path);
    if (parent === undefined || parent === this.#parent) return;
    if (this.#committed.has(parent) || this.#known.has(parent)) this.#parent = parent;
    else this.#breach('parent-first', 'path', `there is no ${parent} yet`);
  }

  #pendingNode(record: NodeData, path: string): void {
    const { connId, txId, access, perms, value } = record;
    this.#ofConnection(connId);
    if (this.#connections.has(connId) && !this.#transactions.has(`${connId}/${txId}`))
      this.#breach('tx-known', 'txId', `connection ${connId} has no transaction ${txId} yet`);
    const key = `${connId}/${txId}${path}`;
    if (this.#pending.has(key)) this.#breach('node-unique', 'path', `${path} again in transaction ${txId}`);
    this.#pending.add(key);
    const isTouched = (access & (NODE_READ | NODE_WRITTEN)) !== 0;
    if (isTouched === (perms.length === 0))
      this.#breach('node-deleted', 'access', `is ${access} with ${perms.length} permissions`);
    if (!isTouched && value.length > 0) this.#breach('node-deleted', 'value', 'is not empty');
  }
}

/** The path one level up; undefined for `/`, special and relative names, which have none. */
function parentOf(path: string): string | undefined {
  if (path === '/' || !path.startsWith('/')) return undefined;
  const slash = path.lastIndexOf('/');
  return slash === 0 ? '/' : path.slice(0, slash);
}

/**
 * Why the octet string is no path; undefined = it is one. Watches may be relative, and may name a special node with a
 * domid behind it. Source: docs/misc/xenstore.txt; is_valid_nodename() accepts the same characters.
 */
export function pathFault(path: string, isWatch: boolean): string | undefined {
  if (path === '') return 'is empty';
  // The prefix of a domain's home does not count, so that the length of its number cannot matter.
  if (path.length > PATH_BYTES_MAX && path.replace(/^\/local\/domain\/[0-9]+\//, '').length > PATH_BYTES_MAX)
    return `is longer than ${PATH_BYTES_MAX}`;
  if (!/^[A-Za-z0-9\-/_@]*$/.test(path)) return 'has a character outside A-Z a-z 0-9 - / _ @';
  if (path === '/') return undefined;
  if (path.endsWith('/')) return 'ends in /';
  if (path.includes('//')) return 'has an empty component';
  if (path.startsWith('@')) return !isWatch && path.includes('/') ? 'is a special node with children' : undefined;
  if (!isWatch && !path.startsWith('/')) return 'is not absolute';
  return undefined;
}
