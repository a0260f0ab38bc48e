import { readFileSync } from 'node:fs';

/** Whether a process is dead: nothing, or a zombie, is left of it. Where /proc does not tell, it is taken for dead. */
export function isDead(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}

/** Stand still, without giving anything else of this thread its turn. */
export function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
