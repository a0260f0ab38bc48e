import type { Actor } from '../../sim/index.ts';
import type { XenbusDevice } from './xenbus-device.ts';
import { XenbusState } from './xenbus-state.ts';

/** What is a frontend's own at the steps that all of them take. */
export interface FrontendSteps {
  /** The backend waits: rings, ports, and the keys that name them. */
  talk(): Actor;
  /** The backend says that it is connected; also again. */
  connected(): Actor;
  /** The backend closes, or is gone. */
  close(): Actor;
  /** Nothing of the old rings is used any more. */
  withdraw(): void;
}

/**
 * How a frontend goes along with its backend's states, and makes its connection anew when it is asked to: it closes, waits
 * until the backend has, and begins again. Source: blkback_changed, netback_changed in linux drivers/block/xen-blkfront.c and
 * drivers/net/xen-netfront.c; guests.md 2.4, 2.5.
 */
export class FrontendStates {
  readonly #device: XenbusDevice;
  readonly #steps: FrontendSteps;
  /** Of a reconnection: until the backend has closed, then until it waits for new rings. */
  #reopening: 'no' | 'closing' | 'waiting' = 'no';

  constructor(device: XenbusDevice, steps: FrontendSteps) {
    this.#device = device;
    this.#steps = steps;
    device.waits = () => {
      if (this.#reopening === 'closing')
        return `backend state ${device.state === XenbusState.Closing ? 5 : 6}, to connect anew`;
      return this.#reopening === 'waiting' ? 'backend state 2, to connect anew' : undefined;
    };
  }

  get isReopening(): boolean {
    return this.#reopening !== 'no';
  }

  /** Begin a reconnection. */
  *reopen(): Actor {
    this.#reopening = 'closing';
    yield* this.#device.switchState(XenbusState.Closing);
  }

  /** Whatever was under way with a backend that is no more. */
  restart(): void {
    this.#reopening = 'no';
  }

  *otherendChanged(state: XenbusState): Actor {
    const device = this.#device;
    switch (state) {
      case XenbusState.InitWait:
        if (this.#reopening === 'closing' || device.state !== XenbusState.Initialising) return;
        this.#reopening = 'no';
        yield* this.#steps.talk();
        return;
      case XenbusState.Connected:
        if (!this.isReopening) yield* this.#steps.connected();
        return;
      case XenbusState.Closing:
        if (this.#reopening === 'closing') yield* device.switchState(XenbusState.Closed);
        else yield* this.#steps.close();
        return;
      case XenbusState.Closed:
      case XenbusState.Unknown:
        if (state === XenbusState.Closed && this.#reopening === 'waiting') return; // as it was
        if (state === XenbusState.Closed && this.#reopening === 'closing') {
          this.#steps.withdraw();
          this.#reopening = 'waiting';
          yield* device.switchState(XenbusState.Initialising);
        } else if (device.state !== XenbusState.Closed) yield* this.#steps.close();
        return;
      default:
    }
  }
}
