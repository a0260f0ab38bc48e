import { type Errno, type Result, XenError } from './errors.ts';

/** What a hypercall answers that threw: its errno. Anything but a XenError is a bug of ours, and passes through. */
export function refused(error: unknown): { readonly ok: false; readonly errno: Errno } {
  if (error instanceof XenError) return { ok: false, errno: error.errno };
  throw error;
}

/** The result of `call`, or the errno that it fails with. */
export function attempt<T>(call: () => T): Result<T> {
  try {
    return { ok: true, value: call() };
  } catch (error) {
    return refused(error);
  }
}
