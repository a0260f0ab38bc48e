/** Domids from here on are never those of domains. Source: xen/include/public/xen.h. */
export const FIRST_RESERVED = 0x7ff0;

/** Which domains there are, as far as permission entries are concerned. */
export class KnownDomains {
  readonly #states = new Map<number, 'alive' | 'gone'>();
  /** Named by SET_PERMS: the store has a record of them. `before`: it had one before a live update, which may have
   *  lost it, or of another one who had the id. */
  readonly #referred = new Map<number, 'since' | 'before'>();

  /** A domain has this id, perhaps not the first: whose record the store has then is not known. */
  alive(domid: number): void {
    this.#states.set(domid, 'alive');
    if (this.#referred.has(domid)) this.#referred.set(domid, 'before');
  }

  /** Returns whether the store had a record of it. */
  gone(domid: number): boolean {
    this.#states.set(domid, 'gone');
    return this.#referred.has(domid);
  }

  /** SET_PERMS named it. */
  refer(domid: number): void {
    if (this.existence(domid) === 'yes') this.#referred.set(domid, 'since');
  }

  /** The store let go of its record. */
  forget(domid: number): void {
    this.#referred.delete(domid);
  }

  /** It let go of the record of one who had this id before. */
  forgetFormer(domid: number): void {
    if (this.#referred.get(domid) === 'before') this.#referred.delete(domid);
  }

  /** Whether the store has a record of a domain without a ring: from the first SET_PERMS that names it until it notices its end. */
  hasRecord(domid: number): 'yes' | 'no' | 'unsure' {
    if (domid === 0 || domid >= FIRST_RESERVED) return 'yes';
    const when = this.#referred.get(domid);
    if (when === undefined) return 'no';
    return when === 'before' || this.existence(domid) === 'unsure' ? 'unsure' : 'yes';
  }

  /** A successor took over. */
  liveUpdate(): void {
    for (const domid of this.#referred.keys()) this.#referred.set(domid, 'before');
  }

  /** Whether the store takes it for an existing one. `unsure`: it has gone, the store may not have noticed. */
  existence(domid: number): 'yes' | 'no' | 'unsure' {
    if (domid >= FIRST_RESERVED) return 'no';
    if (domid === 0 || this.#states.get(domid) === 'alive') return 'yes';
    return this.#referred.has(domid) ? 'unsure' : 'no';
  }
}
