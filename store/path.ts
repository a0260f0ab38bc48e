import type { Compat } from './compat.ts';
import { refuse } from './wire.ts';

const PATH_MAX_417 = 2048;

/** By octet: 1 where a path may have it: letters, digits, and - / _ @. */
const VALID = new Uint8Array(256);
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@') VALID[c.charCodeAt(0)] = 1;

/** What a path is resolved for. */
export interface PathContext {
  readonly compat: Compat;
  /** Domid whose home a relative path begins at. */
  readonly homeDomid: number;
  /** Quota path-max that applies to this connection; 0 = none. */
  readonly pathMax: number;
}

/** `/local/domain/<domid>`. */
export function homeOf(domid: number): string {
  return `/local/domain/${domid}`;
}

/** Octets of `/local/domain/<at most 5 characters>/` at the beginning of a name, which no limit counts. */
function homePrefix(name: string): number {
  const start = '/local/domain/';
  if (!name.startsWith(start)) return 0;
  const slash = name.indexOf('/', start.length);
  return slash > start.length && slash - start.length <= 5 && /^[0-9]+$/.test(name.slice(start.length, slash))
    ? slash + 1
    : 0;
}

/**
 * The absolute name of a path as a client wrote it (store.md 3.1). `special`: `@` names are allowed. Errors: EINVAL.
 * Source: core.c, canonicalize.
 */
export function canonical(path: string, special: boolean, context: PathContext): string {
  for (let i = 0; i < path.length; i++) if (VALID[path.charCodeAt(i)] !== 1) refuse('EINVAL');
  const first = path.charCodeAt(0);
  if (first === 0x40 && !special) refuse('EINVAL');
  const name = first === 0x2f || first === 0x40 ? path : `${homeOf(context.homeDomid)}/${path}`;
  if (name.length > 1 && name.charCodeAt(name.length - 1) === 0x2f) refuse('EINVAL');
  if (name.includes('//')) refuse('EINVAL');
  const { pathMax, compat } = context;
  if (pathMax > 0 && name.length >= pathMax) {
    const counted = name.length - homePrefix(name);
    if (compat.pathLimitForAll ? counted > pathMax : counted >= pathMax) refuse('EINVAL');
  }
  return name;
}

/** WATCH of an `@` name as 4.17 checks it: only the length. */
export function uncheckedSpecial(path: string): string {
  if (path.length > PATH_MAX_417) refuse('EINVAL');
  return path;
}

/** The parent's name; `/` for children of the root and for `@` names. */
export function parentOf(name: string): string {
  const slash = name.lastIndexOf('/');
  return slash <= 0 ? '/' : name.slice(0, slash);
}

/** The last component. */
export function baseOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** A child's name. */
export function childOf(parent: string, base: string): string {
  return parent === '/' ? `/${base}` : `${parent}/${base}`;
}
