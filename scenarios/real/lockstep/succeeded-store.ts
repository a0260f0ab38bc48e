import type { Domain, Machine, Port } from '../../../sim/index.ts';
import { type StoreDeath, type StoreProcess, startXenstored, type UpdateRecord } from '../../../store/index.ts';
import { type HandedOver, type RealSetup, RealStore } from './real-store.ts';

/**
 * A real daemon that is succeeded by this package's store in its first live update that gets so far as exec(2): that one reads the
 * image which the other has written, takes over its ports and sockets, and updates itself from then on.
 */
export class SucceededStore implements StoreProcess {
  readonly #machine: Machine;
  readonly #domain: Domain;
  readonly #setup: RealSetup;
  readonly #first: RealStore;
  #ours: StoreProcess | undefined;
  #seconds = 0;

  constructor(machine: Machine, domain: Domain, setup: RealSetup) {
    this.#machine = machine;
    this.#domain = domain;
    this.#setup = setup;
    this.#first = new RealStore(machine, domain, { ...setup, handOver: (what) => this.#succeed(what) });
  }

  get #current(): StoreProcess {
    return this.#ours ?? this.#first;
  }

  #succeed({ image, sockets, updates }: HandedOver): void {
    const ours = startXenstored(this.#machine, this.#domain, { ...this.#setup, resume: { image, sockets, updates } });
    ours.movesInSteps = this.#first.movesInSteps;
    ours.allocationFails = this.#first.allocationFails;
    ours.jumpWallClock(this.#seconds);
    this.#ours = ours;
  }

  get ended(): string | undefined {
    return this.#current.ended;
  }

  /** That ours cannot begin with what it was left is a finding, as a death is. */
  get death(): StoreDeath | undefined {
    if (this.#ours?.ended === undefined) return this.#first.death;
    return { what: `this package's store, its successor, has ended: ${this.#ours.ended}`, lines: [] };
  }

  get ports(): readonly Port[] {
    return this.#current.ports;
  }

  get updates(): readonly UpdateRecord[] {
    return [...this.#first.updates, ...(this.#ours?.updates ?? [])];
  }

  get handedOver(): StoreProcess['handedOver'] {
    return this.#current.handedOver;
  }

  get format(): StoreProcess['format'] {
    return this.#current.format;
  }

  set format(format: StoreProcess['format']) {
    this.#current.format = format;
  }

  get waitsForCredit(): boolean {
    return this.#current.waitsForCredit;
  }

  get movesInSteps(): boolean {
    return this.#current.movesInSteps;
  }

  set movesInSteps(is: boolean) {
    this.#current.movesInSteps = is;
  }

  get allocationFails(): StoreProcess['allocationFails'] {
    return this.#current.allocationFails;
  }

  set allocationFails(fails: StoreProcess['allocationFails']) {
    this.#current.allocationFails = fails;
  }

  jumpWallClock(seconds: number): void {
    this.#seconds += seconds;
    this.#current.jumpWallClock(seconds);
  }

  hangUp(): void {
    this.#current.hangUp();
  }

  end(): void {
    this.#current.end();
  }
}
