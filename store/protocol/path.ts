import { textOf } from './octets.ts';
import { refuse } from './wire.ts';

const PATH_MAX_417 = 2048;
const SLASH = 0x2f;
const AT = 0x40;

/** By octet: 1 where a path may have it: letters, digits, and - / _ @. */
const VALID = new Uint8Array(256);
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@') VALID[c.charCodeAt(0)] = 1;

/** `/local/domain/<domid>`. */
export function homeOf(domid: number): string {
  return `/local/domain/${domid}`;
}

/** A start of a name that no limit counts: a number of at most five characters, as sscanf's %5u takes it, sign included. */
const HOME = /^\/local\/domain\/(?=.{1,5}\/)-?[0-9]+\//;

/** Octets of a name that count against path-max. */
export function countedLength(name: string): number {
  return name.length - (HOME.exec(name)?.[0].length ?? 0);
}

/**
 * The absolute name of a path as a client wrote it (store.md 3.1), whatever its length and whether or not `@` names are
 * allowed; undefined: no valid path. Source: core.c, canonicalize.
 */
export function resolvePath(path: string, homeDomid: number): string | undefined {
  for (let i = 0; i < path.length; i++) if (VALID[path.charCodeAt(i)] !== 1) return undefined;
  const first = path.charCodeAt(0);
  const name = first === SLASH || first === AT ? path : `${homeOf(homeDomid)}/${path}`;
  if (name.length > 1 && name.charCodeAt(name.length - 1) === SLASH) return undefined;
  return name.includes('//') ? undefined : name;
}

/** What a path means. */
export interface KnownPath {
  readonly text: string;
  /** Where it begins; -1: it is absolute, and means the same for everybody. */
  readonly homeDomid: number;
  /** Undefined: not valid. */
  readonly name: string | undefined;
  readonly isSpecial: boolean;
  /** Octets that count against path-max. */
  readonly counted: number;
}

const SLOTS = 4096;

/** Names of the paths seen lately, straight from the octets: a few thousand paths are all that most clients ever use. */
export class PathCache {
  readonly #slots = new Array<KnownPath | undefined>(SLOTS).fill(undefined);

  /** The path in octets `from` .. `to`-1 of a payload. */
  find(octets: Uint8Array, from: number, to: number, homeDomid: number): KnownPath {
    let hash = 0x811c9dc5 | 0;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ (octets[i] as number), 0x01000193);
    const first = to > from ? octets[from] : 0;
    const home = first === SLASH || first === AT ? -1 : homeDomid;
    if (home >= 0) hash = Math.imul(hash ^ home, 0x01000193);
    const at = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const there = this.#slots[at];
    if (there !== undefined && there.homeDomid === home && isSame(there.text, octets, from, to)) return there;
    const text = textOf(octets, from, to);
    const name = resolvePath(text, home);
    const counted = name === undefined ? 0 : countedLength(name);
    const known: KnownPath = { text, homeDomid: home, name, isSpecial: first === AT, counted };
    this.#slots[at] = known;
    return known;
  }
}

function isSame(text: string, octets: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== octets[from + i]) return false;
  return true;
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
