/**
 * What somebody asks of a run, beside what its scenario does, at a moment of its own: up to then the run is as it would be
 * without. As one word, for tokens and command lines: `update@8123456`, `break-ring@9000000=3` (the domain),
 * `preempt@9000000=50000` (for how many ns whoever is next is kept from stepping); `/1` behind it: at the second host.
 */
export type Ask = { readonly atNs: number; readonly host: number } & (
  | { readonly kind: 'update' }
  | { readonly kind: 'break-ring'; readonly domid: number }
  | { readonly kind: 'preempt'; readonly forNs: number }
);

/** Errors: undefined, for a word that is none. */
export function parseAsk(word: string): Ask | undefined {
  const found = /^([a-z-]+)@(\d{1,15})(?:=(\d{1,9}))?(?:\/(\d))?$/.exec(word);
  if (found === null) return undefined;
  const [, kind, atNs, value, host = '0'] = found;
  const when = { atNs: Number(atNs), host: Number(host) };
  if (kind === 'update') return value === undefined ? { ...when, kind } : undefined;
  if (value === undefined) return undefined;
  if (kind === 'break-ring') return { ...when, kind, domid: Number(value) };
  return kind === 'preempt' ? { ...when, kind, forNs: Number(value) } : undefined;
}

/** The opposite. */
export function formatAsk(ask: Ask): string {
  const value = ask.kind === 'update' ? '' : `=${ask.kind === 'preempt' ? ask.forNs : ask.domid}`;
  return `${ask.kind}@${ask.atNs}${value}${ask.host === 0 ? '' : `/${ask.host}`}`;
}
