import { LIBXENSTORE_HABITS } from '../../guests/index.ts';
import type { Libxl, LibxlOptions } from '../../guests/libxl/index.ts';
import type { Host } from './host.ts';

/** Between two requests of a toolstack's process, ns. */
const WORK_NS = [2_000, 20_000] as const;

/** A process of a host's dom0 that uses libxl, with a connection of its own, until it exits. Names are unique. */
export type ToolProcess = (name: string) => { readonly xl: Libxl; readonly exit: () => void };

/** Those of a host. `options`: of their libxl, where they differ from the host's. */
export function toolsOf(host: Host, options: Pick<Partial<LibxlOptions>, 'hotplug'> = {}): ToolProcess {
  return (name) => {
    const link = host.connect(name, { ...LIBXENSTORE_HABITS, workNs: WORK_NS });
    return { xl: host.libxl(link, options), exit: () => link.close() };
  };
}
