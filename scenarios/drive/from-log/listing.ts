import { XS } from '../../../store/protocol/wire.ts';
import type { Action } from '../script.ts';
import { linesOf } from './entries.ts';

/** A node as `xenstore-ls -fp` shows it: path, value in quotes, and, behind dots or spaces, its permissions. */
const NODE = /^(\/[^ ]*) = "((?:[^"\\]|\\.)*)"(?: *\.*\s*\(([^)]*)\))?$/;

/** A listing whose line cannot be read: which, and why. */
export class BadListing extends Error {}

/**
 * The tree that a listing shows, written by a socket of that name, each node after its parents. Nodes whose permissions are not
 * shown keep those that they are made with. Throws BadListing.
 */
export function treeOf(text: string, name: string): Action[] {
  const actions: Action[] = [{ kind: 'socket', name }];
  const lines = linesOf(text);
  for (let i = 0; i < lines.length; i++) {
    if (lines[i] === '') continue;
    const node = NODE.exec(lines[i]!);
    if (node === null) throw new BadListing(`line ${i + 1}: not a node as xenstore-ls -fp shows one`);
    const [, path = '', value = '', perms] = node;
    const say = (op: 'WRITE' | 'SET_PERMS', payload: string) =>
      actions.push({ kind: 'message', on: name, op, type: XS[op], payload: octetsOf(payload), tx: 0 });
    if (path !== '/') say('WRITE', `${path}\0${unescaped(value)}`);
    if (perms !== undefined) say('SET_PERMS', `${path}\0${perms.split(',').join('\0')}\0`);
  }
  actions.push({ kind: 'close', name });
  return actions;
}

/** What the tools show of octets that are not printed: `\n`, `\t`, `\r`, `\\`, `\"`, three octal digits, or two hexadecimal. */
function unescaped(text: string): string {
  const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
  return text.replace(/\\(?:([0-7]{3})|x([0-9a-f]{2})|(.))/g, (_, octal?: string, hex?: string, char = '') => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    return hex === undefined ? (named[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16));
  });
}

function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0) & 0xff);
}
