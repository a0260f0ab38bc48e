/**
 * What somebody asks of a run, beside what its scenario does, at a moment of its own: up to then the run is as it would be
 * without. As one word, for tokens and command lines: `update@8123456`, `break-ring@9000000=3`; `/1` behind it: at the second host.
 */
export type Ask = { readonly atNs: number; readonly host: number } & (
  | { readonly kind: 'update' }
  | { readonly kind: 'break-ring'; readonly domid: number }
);

/** Errors: undefined, for a word that is none. */
export function parseAsk(word: string): Ask | undefined {
  const found = /^(?:(update)|break-ring)@(\d{1,15})(?:=(\d{1,5}))?(?:\/(\d))?$/.exec(word);
  if (found === null) return undefined;
  const [, update, atNs, domid, host = '0'] = found;
  const when = { atNs: Number(atNs), host: Number(host) };
  if (update !== undefined) return domid === undefined ? { ...when, kind: 'update' } : undefined;
  return domid === undefined ? undefined : { ...when, kind: 'break-ring', domid: Number(domid) };
}

/** The opposite. */
export function formatAsk(ask: Ask): string {
  const whom = ask.kind === 'break-ring' ? `=${ask.domid}` : '';
  return `${ask.kind}@${ask.atNs}${whom}${ask.host === 0 ? '' : `/${ask.host}`}`;
}
