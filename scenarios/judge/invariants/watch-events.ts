import type { Verdict } from '../history.ts';
import { show } from '../oracles/octets.ts';
import type { FormerWatch, Watch } from '../oracles/watches.ts';
import type { Moment } from '../oracles/wire.ts';
import type { XenstoreModel } from '../oracles/xenstore-model.ts';
import type { Connection } from './connection-epochs.ts';
import type { Evidence } from './finding.ts';
import type { Outbox } from './outbox.ts';

export const CLAIM =
  'Each connection got the events of its watches, each with a cause, in the order of the changes and in its place among the replies; only equal events that were still queued were merged';
export const SOURCE = 'docs/misc/xenstore.txt, WATCH; store.md 4; guests.md 6.5 INV-W1 to W11';

/** A moment that nothing in the history shows, from which on special events may or must come. */
interface Occasion {
  readonly domid: number;
  readonly at: Moment;
  /** Each watcher must get it sooner or later; else it may. */
  mustCome: boolean;
  /** Per connection, the payloads that came for it. */
  readonly came: Set<string>;
}

/** `@releaseDomain` for domains that shut down. The store hears of it from a VIRQ, at a moment that no record shows, so these
 *  events have no fixed place: 1. a domain shuts down; 2. other requests are served; 3. the store takes the VIRQ, fires. */
export class ShutdownEvents {
  readonly #occasions: Occasion[] = [];
  readonly #shut = new Set<number>();
  /** Those that have died since, and of which the store has not let go. */
  readonly #ended = new Set<number>();
  /** Domains that the store may believe to be shut down still, whatever they do. */
  readonly #marked = new Set<number>();

  /** 1. A domain shuts down, and the store tells it. 2. It is resumed. 3. It shuts down again, before RESUME was served, if it
   *  ever is: the store believes that it told this already (hypervisor.md DOM-24). So it need not come. Nor does it where the
   *  suspend is subscribed to: 1. Xen sends the event of that channel, and raises no VIRQ (DOM-20). 2. Nothing else happens to any
   *  domain. The store looks with the next VIRQ only. */
  shutdown(domid: number, at: Moment, isSubscribed: boolean): void {
    if (this.#shut.has(domid)) return;
    this.#shut.add(domid);
    this.#occasions.push({ domid, at, mustCome: !isSubscribed && !this.#marked.has(domid), came: new Set() });
    this.#marked.add(domid);
  }

  /** The store let go of it: what it believed is forgotten. */
  detached(domid: number): void {
    this.over(domid);
    this.#ended.delete(domid);
    this.#marked.delete(domid);
  }

  /** It is dying: no new shutdown is to be told, but a successor that finds it shut down may tell the old one, and then its end. */
  ended(domid: number): void {
    if (this.#shut.has(domid)) this.#ended.add(domid);
    this.over(domid);
  }

  /** It runs again, or its end was announced: a shutdown the store had no time to notice is not told any more. */
  over(domid: number): void {
    this.#shut.delete(domid);
    for (const o of this.#occasions) if (o.domid === domid) o.mustCome = false;
  }

  /**
   * The mark that a shutdown was told is not carried: it may be told again (guests.md 6.1 d), also of one that is dead: 1. A domain
   * shuts down, and that is told. 2. It is destroyed, and the VIRQ is dropped (INJ-E12). 3. A live update. 4. The successor looks
   * at it: shut down, which it tells; and dead: it lets go of it, and tells that.
   */
  liveUpdate(at: Moment): void {
    this.#marked.clear();
    for (const domid of [...this.#shut, ...this.#ended]) {
      this.#occasions.push({ domid, at, mustCome: false, came: new Set() });
      this.#marked.add(domid);
    }
  }

  /** RESUME makes the store forget that it told. Of a domain that shut down again it may already have heard. */
  resume(domid: number, at: Moment): void {
    if (!this.#shut.has(domid)) this.#marked.delete(domid);
    else this.#occasions.push({ domid, at, mustCome: false, came: new Set() });
  }

  /** Whether an event that nothing else explains can be one of these. */
  excuse(conn: number, text: string, watches: Iterable<Watch>, former: FormerWatch | undefined): boolean {
    const m = /^@releaseDomain(?:\/([0-9]+))?\0/.exec(text);
    if (m === null) return false;
    const key = `${conn}\0${text}`;
    const occasion = this.#occasions.find((o) => (m[1] === undefined || Number(m[1]) === o.domid) && !o.came.has(key));
    if (occasion === undefined) return false;
    const token = text.slice(text.indexOf('\0') + 1, -1);
    const isTheirs = (w: Watch) => w.token === token && w.name.startsWith('@');
    let known = former !== undefined && isTheirs(former) && former.endSeq > occasion.at.seq;
    for (const w of watches) known ||= isTheirs(w);
    if (known) occasion.came.add(key);
    return known;
  }

  /** At the end: watchers that were there all the time have heard of each domain that shut down and stayed. */
  check(
    connections: readonly Connection[],
    boxes: readonly Outbox[],
    model: XenstoreModel,
    end: Moment,
    evidence: Evidence,
  ): void {
    for (const o of this.#occasions.filter((each) => each.mustCome)) {
      for (const { text, conn } of whoMustHear(model, o.domid, o.at)) {
        const connection = connections[conn]!;
        if (!connection.isAliveAtEnd || connection.isStalled || (boxes[conn]!.specials.get(text) ?? -1) > o.at.seq)
          continue;
        evidence['watch-events'].add(
          end,
          connection.name,
          '',
          `${connection.name}: domain ${o.domid} shut down at seq ${o.at.seq}, but no event ${show(text)} came`,
        );
      }
    }
  }
}

function whoMustHear(model: XenstoreModel, domid: number, at: Moment): { conn: number; text: string }[] {
  model.takeEvents();
  model.special(undefined);
  if (model.compat === '4.22') model.special(domid);
  const stoodThen = ({ conn, text }: { conn: number; text: string }) => {
    const token = text.slice(text.indexOf('\0') + 1, -1);
    return [...model.watches.of(conn)].some((w) => w.token === token && w.name.startsWith('@') && w.seq < at.seq);
  };
  return model.takeEvents().filter(stoodThen);
}

/** What is known about an event that nothing explains. */
export function explainEvent(model: XenstoreModel, conn: number, text: string): string {
  const token = text.slice(text.indexOf('\0') + 1, -1);
  const standing = [...model.watches.of(conn)].filter((w) => w.token === token);
  if (standing.length > 0) {
    const where = standing.map((w) => `${w.name} since seq ${w.seq}`).join(', ');
    return `watch ${show(token)} stands on ${where}, but every change there has been told`;
  }
  const former = model.watches.former.get(`${conn}\0${token}`);
  if (former === undefined) return `no watch with token ${show(token)} was ever registered here`;
  return `its watch on ${former.name} was ended by ${former.endedBy} at seq ${former.endSeq}`;
}

export function watchEvents(evidence: Evidence): Verdict {
  return evidence['watch-events'].verdict(CLAIM, SOURCE);
}
