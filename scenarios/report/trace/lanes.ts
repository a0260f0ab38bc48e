/** A track of an actor: at most one transaction, and in it at most one request at a time, so that slices nest. */
export interface Lane {
  readonly uuid: bigint;
  /** A request on it has no reply yet. */
  isBusy: boolean;
  /** A transaction on it is open, or begins. */
  hasTransaction: boolean;
  /** Its transaction has ended while a request on it had no reply. */
  isEnding: boolean;
  /** Nothing can begin on it before, virtual ns. */
  freeNs: number;
}

/** The lanes of everybody. Who does several things at once has several. */
export class Lanes {
  readonly #of = new Map<string, Lane[]>();
  readonly #make: (name: string) => bigint;

  /** `make`: a new track of that name. */
  constructor(make: (name: string) => bigint) {
    this.#make = make;
  }

  /** A lane on which a request can begin. `begins`: a transaction with it. `within`: that of its transaction, taken if it can be. */
  for(key: string, name: string, ns: number, begins: boolean, within: Lane | undefined): Lane {
    const isFree = (lane: Lane) => !lane.isBusy && lane.freeNs <= ns;
    if (within !== undefined && isFree(within)) return within;
    const lanes = this.#of.get(key) ?? [];
    this.#of.set(key, lanes);
    const found =
      lanes.find((lane) => isFree(lane) && !lane.hasTransaction) ??
      (begins || within !== undefined ? undefined : lanes.find(isFree));
    if (found !== undefined) return found;
    const uuid = this.#make(lanes.length === 0 ? name : `${name} (${lanes.length + 1})`);
    const lane = { uuid, isBusy: false, hasTransaction: false, isEnding: false, freeNs: 0 };
    lanes.push(lane);
    return lane;
  }
}
