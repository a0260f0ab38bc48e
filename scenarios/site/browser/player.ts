/** Goes through a run by itself, so many records a second. */
export class Player {
  readonly #step: (records: number) => boolean;
  readonly #changed: () => void;
  #perSecond: number;
  #isPlaying = false;
  /** Of the frame before; `undefined`: this is the first. */
  #lastMs: number | undefined;
  #owed = 0;

  /**
   * @param step goes so many records on; @returns false at the end. @param changed called when it begins or ends.
   */
  constructor(perSecond: number, step: (records: number) => boolean, changed: () => void) {
    this.#perSecond = perSecond;
    this.#step = step;
    this.#changed = changed;
  }

  get isPlaying(): boolean {
    return this.#isPlaying;
  }

  set perSecond(perSecond: number) {
    this.#perSecond = perSecond;
  }

  play(): void {
    if (this.#isPlaying) return;
    this.#isPlaying = true;
    this.#owed = 0;
    this.#lastMs = undefined;
    requestAnimationFrame(this.#tick);
    this.#changed();
  }

  pause(): void {
    if (!this.#isPlaying) return;
    this.#isPlaying = false;
    this.#changed();
  }

  readonly #tick = (nowMs: number): void => {
    if (!this.#isPlaying) return;
    this.#owed += ((nowMs - (this.#lastMs ?? nowMs)) / 1000) * this.#perSecond;
    this.#lastMs = nowMs;
    const records = Math.floor(this.#owed);
    this.#owed -= records;
    if (records > 0 && !this.#step(records)) this.pause();
    else requestAnimationFrame(this.#tick);
  };
}
