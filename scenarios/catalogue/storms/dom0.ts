import { LIBXENSTORE_HABITS, type XsProgram } from '../../../guests/index.ts';
import type { HotplugScripts, Libxl, ScriptBridge } from '../../../guests/libxl/index.ts';
import { steadyState } from '../../../guests/monitors/index.ts';
import type { Host } from '../../engine/host.ts';

/** A script's own work beside its accesses of the store: `ip link`, `losetup`. */
const SCRIPT_WORK_NS = [100_000, 1_500_000] as const;
/** Between two requests of a boot sequence (guests.md 4.6). */
const WORK_NS = [200_000, 2_000_000] as const;
/** fork, exec, the dynamic linker and opening the socket. */
const PROCESS_NS = [50_000, 300_000] as const;

/** dom0's toolstack: processes that use libxl, each with a socket of its own, and the scripts that they run (HS-12). */
export class Dom0Tools {
  readonly #host: Host;
  readonly #hotplug: HotplugScripts;
  #connections = 0;

  /** @param bridge that its vifs are put on. @param how scripts go, and who runs them; left out: all work, by libxl. */
  constructor(host: Host, bridge: ScriptBridge, how: Pick<HotplugScripts, 'fate' | 'byUdev'> = {}) {
    this.#host = host;
    const open = new Map<unknown, XsProgram>();
    this.#hotplug = {
      connect: () => {
        const link = host.connect(`script-${++this.#connections}`);
        open.set(link, link);
        return link;
      },
      close: (_, link) => {
        open.get(link)?.close();
        open.delete(link);
      },
      bridge,
      workNs: SCRIPT_WORK_NS,
      processNs: PROCESS_NS,
      ...how,
    };
  }

  /** Scripts' connections so far. */
  get connections(): number {
    return this.#connections;
  }

  /** A process: its connection and its libxl. */
  process(name: string): Libxl {
    const link = this.#host.connect(name, { ...LIBXENSTORE_HABITS, workNs: WORK_NS });
    return this.#host.libxl(link, { hotplug: this.#hotplug });
  }
}

/** xenopsd, with connections of its own. */
export function startXenopsd(host: Host): void {
  const { dom0, traffic } = host;
  let sessions = 0;
  const connect = () => {
    const link = host.connect(`xenopsd-${++sessions}`);
    return { link, isOpen: () => link.isOpen, close: () => link.close() };
  };
  steadyState(
    { os: dom0.os, traffic, pace: { speedup: 1, alignedPercent: 0 }, connect },
    { kind: 'dom0', xenopsd: true },
  );
}
