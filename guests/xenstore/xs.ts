import type { Actor } from '../../sim/index.ts';
import { octetsOf as octets } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { Me } from '../kernel/index.ts';
import type { Pending, Reply, XsLink } from './link.ts';
import { strings } from './payload.ts';

/** One actor's view of its domain's client: operations by name, each returning its reply. */
export class Xs {
  readonly #client: XsLink;
  readonly me: Me;

  constructor(client: XsLink, me: Me) {
    this.#client = client;
    this.me = me;
  }

  get client(): XsLink {
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
