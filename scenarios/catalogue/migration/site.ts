import { Segment } from '../../../guests/devices/index.ts';
import { Xenconsoled } from '../../../guests/index.ts';
import type { HotplugScripts, ScriptFate } from '../../../guests/libxl/index.ts';
import { Devpts } from '../../../sim/index.ts';
import type { Run, Runs } from '../../engine/run.ts';
import { type ToolProcess, toolsOf } from '../../engine/tool-process.ts';
import { ConsoleRecorder } from '../../judge/console-recorder.ts';
import { Backends } from '../storms/backends.ts';
import { San } from './san.ts';

/** One way over the network that guests use, ns. */
const SEGMENT_NS = 50_000;
/** Of scripts' own work, and of a process until its first request. */
const SCRIPT_WORK_NS = [50_000, 400_000] as const;
const PROCESS_NS = [5_000, 30_000] as const;

/** A host with what makes it a place where guests with devices can live. */
export interface Place {
  readonly run: Run;
  readonly backends: Backends;
  /** What is written down of consoles; `undefined`: nothing is judged. */
  readonly consoles: ConsoleRecorder | undefined;
  readonly process: ToolProcess;
  /** How scripts of a domain's new devices end; of others they work. */
  readonly fates: Map<number, ScriptFate>;
}

/** Hosts that share storage and a network. */
export class Site {
  readonly san = new San();
  readonly places: readonly Place[];

  constructor({ runs }: Runs) {
    const segment = new Segment(SEGMENT_NS);
    this.places = runs.map((run) => this.#furnish(run, segment));
  }

  #furnish(run: Run, segment: Segment): Place {
    const { host } = run;
    const backends = new Backends(host, { disks: this.san.disks });
    const { machine, dom0 } = host;
    segment.join(backends.bridge, machine.scheduler, host.recorder?.devices);
    const { recorder } = host;
    const consoles = recorder && new ConsoleRecorder(machine, 'discard', () => recorder.length);
    new Xenconsoled(dom0.os, host.connect('xenconsoled'), new Devpts(), {
      overflow: 'discard',
      ...(consoles && { observer: consoles.observer }),
    }).start();
    const fates = new Map<number, ScriptFate>();
    let scripts = 0;
    const open = new Map<unknown, { close(): void }>();
    const hotplug: HotplugScripts = {
      bridge: backends.bridge,
      connect: () => {
        const link = host.connect(`script-${++scripts}`);
        open.set(link, link);
        return link;
      },
      close: (_, link) => {
        open.get(link)?.close();
        open.delete(link);
      },
      fate: (_, domid, action) => (action === 'add' ? fates.get(domid) : undefined) ?? 'works',
      numberOf: (params) => this.san.numberOf(params),
      workNs: SCRIPT_WORK_NS,
      processNs: PROCESS_NS,
    };
    return { run, backends, consoles, process: toolsOf(host, { hotplug }), fates };
  }
}
