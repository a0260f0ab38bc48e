import type { Epoch } from '../../judge/history.ts';
import type { PageLane } from './page-data.ts';

/** The lanes of a page, each made when it is asked for first. */
export class Lanes {
  readonly all: PageLane[] = [];
  readonly #known = new Map<string, number>();

  ofStore(host: number): number {
    return this.#lane({ host, name: 'xenstored', kind: 'store' });
  }

  ofHypervisor(host: number): number {
    return this.#lane({ host, name: 'hypervisor', kind: 'hypervisor' });
  }

  /** A connection that was opened anew after its end goes on in the same lane. */
  ofConnection(host: number, { name, isSocket }: Epoch): number {
    return this.#lane({ host, name: isSocket ? `${name} (socket)` : `${name} (ring)`, kind: 'connection' });
  }

  /** A program at the ring of its domain; a socket has one program, and its lane is that of the connection. */
  ofActor(host: number, epoch: Epoch, actor: string): number {
    if (epoch.isSocket || actor === '') return this.ofConnection(host, epoch);
    return this.#lane({ host, name: actor, kind: 'actor' });
  }

  #lane(lane: PageLane): number {
    const key = `${lane.host}/${lane.kind}/${lane.name}`;
    let n = this.#known.get(key);
    if (n === undefined) {
      n = this.all.push(lane) - 1;
      this.#known.set(key, n);
    }
    return n;
  }
}
