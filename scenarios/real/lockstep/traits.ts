import { readFileSync } from 'node:fs';
import type { CompatName } from '../../../store/index.ts';

/** What of a daemon's release matters to who runs and judges it. */
export interface Traits {
  /** Which daemon it is. */
  readonly kind: 'xenstored' | 'oxenstored';
  /** Releases that it may be of, in words. */
  readonly releases: string;
  /** Whose rules it is judged by. */
  readonly compat: CompatName;
  /** The format of its image, as `--format` has it. */
  readonly format: 'v1' | 'v2';
  /** Highest version that may be asked for with `live-update -v`; `undefined`: there is no such word. */
  readonly streamVersion: 1 | 2 | undefined;
  /** The file in which it leaves its state, in the directory that the stand-in gives it. */
  readonly stateFile: string;
}

/**
 * By what a binary tells its release: a function that it imports, which its libraries have from some release on. The first that
 * is there counts. Source: tools/xenstored, tools/xenstore and tools/ocaml/xenstored of each release.
 */
const MARKS: readonly (Traits & { readonly imports: string })[] = [
  {
    imports: 'xc_evtchn_alloc_unbound', // of the OCaml bindings, which a binary has whole
    kind: 'oxenstored',
    releases: '4.14 or later',
    compat: '4.17',
    format: 'v1',
    streamVersion: undefined,
    stateFile: 'db',
  },
  {
    imports: 'xenmanage_poll_changed_domain',
    kind: 'xenstored',
    releases: '4.21 or later',
    compat: '4.22',
    format: 'v2',
    streamVersion: 2,
    stateFile: 'state_dump',
  },
  {
    imports: 'xc_domain_getinfo_single',
    kind: 'xenstored',
    releases: '4.18 to 4.20',
    compat: '4.17',
    format: 'v1',
    streamVersion: undefined,
    stateFile: 'state_dump',
  },
  {
    imports: 'xc_domain_getinfo',
    kind: 'xenstored',
    releases: '4.17 or earlier',
    compat: '4.17',
    format: 'v1',
    streamVersion: undefined,
    stateFile: 'state_dump',
  },
];

/** What a binary tells of itself; why it is no daemon, in words, where it tells nothing. Errors: none. */
export function traitsOf(binary: string): Traits | string {
  let octets: Buffer;
  try {
    octets = readFileSync(binary);
  } catch (error) {
    return `${binary}: ${error instanceof Error ? error.message : String(error)}`;
  }
  const found = MARKS.find(({ imports }) => octets.includes(`\0${imports}\0`));
  return found ?? `${binary} does not import what a xenstore daemon imports`;
}
