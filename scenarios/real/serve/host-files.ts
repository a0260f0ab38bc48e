import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import type { AppendFile, Files } from '../../../store/index.ts';

/** The file system of this machine. What the store appends to is made readable for nobody but its owner, as the daemon does. */
export const HOST_FILES: Files = {
  get(path: string): 'not-executable' | 'executable' | undefined {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? undefined : (found.mode & 0o111) === 0 ? 'not-executable' : 'executable';
  },

  appendTo(path: string): AppendFile | undefined {
    let fd: number | undefined;
    try {
      fd = openSync(path, 'a', 0o600);
    } catch {
      return undefined; // absent directories, rights, a read-only file system: the daemon does not tell them apart either
    }
    return {
      write(text: string): void {
        try {
          if (fd !== undefined) writeSync(fd, text, null, 'latin1');
        } catch {
          // A full disk costs lines of the trace and nothing else.
        }
      },
      close(): void {
        if (fd !== undefined) closeSync(fd);
        fd = undefined;
      },
    };
  },

  write(path: string, octets: Uint8Array): boolean {
    try {
      writeFileSync(path, octets, { mode: 0o600 });
      return true;
    } catch {
      return false;
    }
  },

  read(path: string): Uint8Array | undefined {
    try {
      return new Uint8Array(readFileSync(path));
    } catch {
      return undefined;
    }
  },
};
