import type { AppendFile, Files } from './platform.ts';

/** Directories in which a simulated daemon may make files. */
const DIRECTORIES = new Set(['/', '/tmp', '/run', '/var/log', '/var/log/xen', '/var/lib/xen', '/var/lib/xen/xenstore']);

/** Characters of one file that are kept: the newest. */
const KEPT = 1 << 20;

/** A file system in memory: programs, as far as live updates ask for them, and what the daemon writes. */
export class MemoryFiles implements Files {
  readonly #programs: ReadonlyMap<string, 'not-executable' | 'executable'>;
  readonly #texts = new Map<string, string>();
  readonly #octets = new Map<string, Uint8Array>();

  constructor(programs: ReadonlyMap<string, 'not-executable' | 'executable'>) {
    this.#programs = programs;
  }

  get(path: string): 'not-executable' | 'executable' | undefined {
    return this.#programs.get(path) ?? (this.#texts.has(path) || this.#octets.has(path) ? 'not-executable' : undefined);
  }

  /** What was appended to a file; `undefined`: it is not there. */
  textOf(path: string): string | undefined {
    return this.#texts.get(path);
  }

  appendTo(path: string): AppendFile | undefined {
    if (path === '/dev/null') return { write: () => {}, close: () => {} };
    if (!canBeFile(path)) return undefined;
    const put = (text: string) => {
      const all = (this.#texts.get(path) ?? '') + text;
      this.#texts.set(path, all.length > KEPT ? all.slice(-KEPT) : all);
    };
    put('');
    return { write: put, close: () => {} };
  }

  write(path: string, octets: Uint8Array): boolean {
    if (path === '/dev/null') return true;
    if (!canBeFile(path)) return false;
    this.#octets.set(path, octets.slice());
    return true;
  }

  read(path: string): Uint8Array | undefined {
    return this.#octets.get(path)?.slice();
  }

  remove(path: string): void {
    this.#octets.delete(path);
  }
}

function canBeFile(path: string): boolean {
  const directory = path.slice(0, path.lastIndexOf('/')) || '/';
  return path.startsWith('/') && !path.endsWith('/') && !DIRECTORIES.has(path) && DIRECTORIES.has(directory);
}
