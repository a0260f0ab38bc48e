import type { Actor } from '../sim/index.ts';
import type { Me } from './os.ts';
import { octets, strings } from './payload.ts';
import type { Pending, Reply, XsClient } from './xs-client.ts';

/** Message types. Source: xen/include/public/io/xs_wire.h. */
export const XS = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
} as const;

/** One actor's view of its domain's client: operations by name, each returning its reply. */
export class Xs {
  readonly #client: XsClient;
  readonly me: Me;

  constructor(client: XsClient, me: Me) {
    this.#client = client;
    this.me = me;
  }

  get client(): XsClient {
    return this.#client;
  }

  call(type: number, payload: Uint8Array, tx = 0): Actor<Reply> {
    return this.#client.request(this.me, type, payload, tx);
  }

  /** Send without waiting; `client.answer` waits. */
  submit(type: number, payload: Uint8Array, tx = 0): Pending {
    return this.#client.submit(this.me, type, payload, tx);
  }

  read(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.READ, strings(path), tx);
  }

  write(path: string, value: string | Uint8Array, tx = 0): Actor<Reply> {
    return this.call(XS.WRITE, octets(path, '\0', value), tx);
  }

  mkdir(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.MKDIR, strings(path), tx);
  }

  rm(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.RM, strings(path), tx);
  }

  directory(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.DIRECTORY, strings(path), tx);
  }

  directoryPart(path: string, offset: number, tx = 0): Actor<Reply> {
    return this.call(XS.DIRECTORY_PART, strings(path, String(offset)), tx);
  }

  getPerms(path: string, tx = 0): Actor<Reply> {
    return this.call(XS.GET_PERMS, strings(path), tx);
  }

  setPerms(path: string, perms: readonly string[], tx = 0): Actor<Reply> {
    return this.call(XS.SET_PERMS, strings(path, ...perms), tx);
  }
}
