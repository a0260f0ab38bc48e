import type { Told, Wanted } from '../messages.ts';

/** The simulator in a thread of its own, made from the text in the page: it opens from disk, too. One run at a time. */
export class Simulator {
  readonly #url: string;
  readonly #version: string;
  readonly #told: (told: Told) => void;
  #worker: Worker | undefined;

  constructor(told: (told: Told) => void) {
    const text = document.getElementById('simulator')!.textContent;
    this.#url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    this.#version = document.body.dataset.version ?? '';
    this.#told = told;
  }

  /** What is being done, if anything is, is given up. */
  want(wanted: Wanted): void {
    this.stop();
    const worker = new Worker(this.#url);
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<Told>) => {
      if (data.kind !== 'progress') this.stop();
      this.#told(data);
    });
    worker.addEventListener('error', ({ message }) => {
      this.stop();
      this.#told({ kind: 'refused', reason: message });
    });
    worker.postMessage(this.#version);
    worker.postMessage(wanted);
  }

  get isBusy(): boolean {
    return this.#worker !== undefined;
  }

  stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
