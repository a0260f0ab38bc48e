import { type Actor, PARK } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import { Call } from './call.ts';
import { deviceHotplug } from './device-hotplug.ts';
import type { DeviceName } from './device-kinds.ts';
import { deviceDestroy } from './device-remove.ts';
import { Parts } from './parts.ts';
import type { Libxl } from './process.ts';
import { ProcessWatch } from './process-watch.ts';

/** XenbusState: InitWait, Closing, Closed. */
const [INIT_WAIT, CLOSING, CLOSED] = [2, 5, 6];

/**
 * `xl devd`: what a driver domain does for the devices whose backends it has, since the toolstack cannot. Scripts run when a backend has
 * come up; of one that is closed for good the script is run again, and its directory goes, which the toolstack waits for. Never ends.
 * Source: libxl_device_events_handler, backend_watch_callback, add_device, remove_device in tools/libs/light/libxl_device.c.
 */
export function* devd(me: Thread, xl: Libxl): Actor {
  const call = new Call(xl, me);
  yield* call.enter();
  const own = yield* call.ownDomid();
  if (own === undefined) return call.leave();
  const root = `/local/domain/${own}/backend`;
  const watch = yield* ProcessWatch.register(xl.watches, call.xs, root);
  call.leave();
  if (watch === undefined) return;
  /** Devices that were added, by their paths. */
  const known = new Set<string>();
  const parts = new Parts(call, 'devd');
  for (;;) {
    for (let event = watch.take(); event !== undefined; event = watch.take()) {
      const found = /^(?:.*\/)?backend\/(vbd|vif)\/(\d+)\/(\d+)\/(?:state|online)$/.exec(event.path);
      if (found === null) continue;
      const device: DeviceName = { kind: found[1] as DeviceName['kind'], devid: Number(found[3]), backendDomid: own };
      const domid = Number(found[2]);
      const path = `${root}/${device.kind}/${domid}/${device.devid}`;
      yield* call.enter();
      const state = Number((yield* call.read(`${path}/state`)) ?? 0);
      const online = yield* call.read(`${path}/online`);
      if (!known.has(path) && state >= INIT_WAIT && state < CLOSING) {
        known.add(path);
        yield* parts.begin((part) => deviceHotplug(part, domid, device, 'add'));
      } else if (known.has(path) && state === CLOSED && online === '0') {
        known.delete(path);
        yield* parts.begin(function* (part) {
          yield* deviceHotplug(part, domid, device, 'remove');
          return yield* deviceDestroy(part, domid, device);
        });
      }
      call.leave();
    }
    yield PARK;
  }
}
