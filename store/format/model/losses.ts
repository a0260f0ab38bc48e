import { escapeOctets, octetsOf } from '../schema/text.ts';
import { STATE_ROWS, type StateRow } from './carriage.ts';

/** What a loss happens to. `connection` is `domain 5` or `socket 9`. */
export type Thing =
  | { readonly kind: 'node'; readonly path: string }
  | { readonly kind: 'connection'; readonly connection: string }
  | { readonly kind: 'watch'; readonly connection: string; readonly path: string; readonly token: Uint8Array }
  | { readonly kind: 'transaction'; readonly connection: string; readonly id: number; readonly path?: string }
  | { readonly kind: 'domain'; readonly domid: number }
  | { readonly kind: 'daemon' };

/** Something that the other format does not hold. */
export interface Loss {
  readonly row: StateRow;
  readonly thing: Thing;
  /** `changed`: something else is there in its place. */
  readonly fate: 'dropped' | 'changed';
  /** What becomes of it, in words. */
  readonly how: string;
}

/** Something that the other format wants and nobody knew. */
export interface Assumption {
  readonly row: StateRow;
  readonly thing: Thing;
  readonly how: string;
}

/** `node "/a"`, `watch "device" of domain 5`, ... */
export function thingText(thing: Thing): string {
  switch (thing.kind) {
    case 'node':
      return `node ${quoted(thing.path)}`;
    case 'connection':
      return thing.connection;
    case 'watch':
      return `watch ${quoted(thing.path)} ${escapeOctets(thing.token)} of ${thing.connection}`;
    case 'transaction':
      return `transaction ${thing.id} of ${thing.connection}${thing.path === undefined ? '' : `, ${quoted(thing.path)}`}`;
    case 'domain':
      return `domain ${thing.domid}`;
    case 'daemon':
      return 'daemon';
  }
}

/** One line: thing, row, what becomes of it. */
export function lossText({ row, thing, fate, how }: Loss): string {
  return `${thingText(thing)}: ${STATE_ROWS[row]} ${fate}: ${how}`;
}

export function assumptionText({ row, thing, how }: Assumption): string {
  return `${thingText(thing)}: ${STATE_ROWS[row]} not known: ${how}`;
}

/** An octet string as a C literal. */
export function quoted(text: string): string {
  return escapeOctets(octetsOf(text));
}
