import type { StoreDeath } from '../../../store/index.ts';
import type { DaemonEnd } from './end.ts';

/** A way in which released daemons are known to end. */
export interface KnownEnd {
  /** As in docs/daemons.md. */
  readonly label: string;
  readonly what: string;
  readonly is: (end: DaemonEnd) => boolean;
}

/** docs/daemons.md tells of each, with its source in Xen's tree and the releases that have it. */
export const KNOWN_ENDS: readonly KnownEnd[] = [
  {
    label: 'owner-not-introduced-in-image',
    what: 'a live update while a domain that is not introduced owns a node, as one does that is being built',
    is: ({ update, said }) => update !== undefined && said.includes('write node error restoring node'),
  },
  {
    label: 'not-introduced-in-image',
    what: 'a live update while a domain is known that is not introduced and owns nothing',
    is: ({ update, said }) => update !== undefined && said.includes('referenced domain not found'),
  },
  {
    label: 'depth-over-update',
    what: 'a live update while a watch has a depth',
    is: ({ update, said }) =>
      update !== undefined && /FATAL: (Inconsistent state data|allocation error for read watch)/.test(said),
  },
  {
    label: 'no-errno-yet',
    what: 'SET_PERMS of a special path, or a request whose payload is no string, refused while there was no errno yet',
    is: ({ how, said, lastRead }) =>
      how.includes('SIGABRT') && /Assertion `conn->in == NULL' failed/.test(said) && !isString(lastRead.at(-1) ?? ''),
  },
];

/** A payload that is one string with its end, and no special path. */
function isString(payload: string): boolean {
  return payload.indexOf('\0') === payload.length - 1 && !payload.startsWith('@');
}

/** The known defect that an end is; `undefined`: it is none. */
export function knownEnd(end: DaemonEnd): StoreDeath['known'] {
  const found = KNOWN_ENDS.find(({ is }) => is(end));
  return found === undefined ? undefined : { label: found.label, what: found.what };
}
