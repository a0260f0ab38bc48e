/** What a shell sees of a program that writes to a pipe which nobody reads any more: 128 + SIGPIPE. */
const NOBODY_READS = 141;

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left',
  ENOTDIR: 'a part of the path is no directory',
  ERR_FS_FILE_TOO_LARGE: 'is larger than 2 GiB',
};

/** In words, for who has to do something about it. */
export function reasonOf(error: unknown): string {
  const { code = '', message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  return REASONS[code] ?? message;
}

/** What is to be done when stdout takes nothing any more: end, as a pipe's reader has gone, or as the disk is full (exit 2). */
export function endWithoutOutput(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(NOBODY_READS);
  process.stderr.write(`xenarium: the output cannot be written: ${reasonOf(error)}\n`);
  process.exit(2);
}

/**
 * Text as it may reach a terminal: what could steer one (C0 but tab and line feed, DEL, C1) is three octal digits, as in the
 * dumps. Names and values in images are a stranger's, wherever a message quotes them.
 */
export function shown(text: string): string {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** Write to stdout what quotes a stranger's octets. */
export function print(text: string): void {
  process.stdout.write(shown(text));
}

/** Colours as reports set and end them: nothing else that begins with ESC leaves. */
const COLOUR = /(\x1b\[[0-9;]*m)/;

/** Write to stdout a report that has colours of its own; what strangers said in it is shown as by `print`. */
export function printInColour(text: string): void {
  const pieces = text.split(COLOUR);
  process.stdout.write(pieces.map((piece, i) => (i % 2 === 1 ? piece : shown(piece))).join(''));
}

/** Write to stdout for a program. */
export function printJson(value: unknown): void {
  printJsonText(`${JSON.stringify(value, null, 2)}\n`);
}

/** Write a piece of JSON; C1 and DEL, which JSON leaves as they are, are escaped too. */
export function printJsonText(text: string): void {
  process.stdout.write(text.replace(/[\x7f-\x9f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`));
}

/** Say something on stderr, a line of it. */
export function say(message: string): void {
  process.stderr.write(`xenarium: ${shown(message)}\n`);
}

/** Say why a command cannot begin or end. @returns its exit code. */
export function complain(message: string): number {
  say(message);
  return 2;
}
