/** Errno values on the hypercall boundary. Source: xen/include/public/errno.h. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  ENXIO: 6,
  E2BIG: 7,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  EFBIG: 27,
  ENOSPC: 28,
  ERANGE: 34,
  ENOSYS: 38,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
} as const;

export type Errno = keyof typeof ERRNO;

/** A guest's mistake on its way to the one door that turns it into data (hypercall.ts). */
export class XenError extends Error {
  readonly errno: Errno;
  constructor(errno: Errno, detail: string) {
    super(`${errno}: ${detail}`);
    this.errno = errno;
  }
}

/** Throws XenError; written as an expression so that it fits behind `??`. */
export function fail(errno: Errno, detail: string): never {
  throw new XenError(errno, detail);
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errno: Errno };
