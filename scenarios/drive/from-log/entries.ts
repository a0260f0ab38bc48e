/**
 * What a daemon's log tells, whichever daemon wrote it. Octets are one code point each; where the log shows a NUL as a space, so
 * does `text`.
 */
export type LogEntry = { readonly line: number; readonly conn: string } & (
  | { readonly kind: 'came' | 'went' }
  /** `tx`: the transaction's name, '' outside of any; `undefined`: the log does not tell. */
  | { readonly kind: 'request'; readonly op: string; readonly text: string; readonly tx?: string | undefined }
  | { readonly kind: 'reply'; readonly op: string; readonly text: string }
  | { readonly kind: 'event'; readonly text: string }
);

/** A log, taken apart. */
export interface Log {
  readonly entries: readonly LogEntry[];
  /** The domid of the ring that a connection is, as far as its name or its lines tell; a socket is `undefined`. */
  readonly ringOf: ReadonlyMap<string, number>;
  /** Whether it has each reply, in the order of the requests; else a reply that it has is to the last request of its connection. */
  readonly hasAllReplies: boolean;
  /** What this kind of log does not tell, in sentences. */
  readonly silences: readonly string[];
}

/** Where lines begin: text and number of each. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
}
