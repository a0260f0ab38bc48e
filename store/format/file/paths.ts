/** As long as a request can name. XENSTORE_ABS_PATH_MAX (3,072) is asked of nobody who has no quota (io/xs_wire.h). */
const PATH_BYTES_MAX = 4095;

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
