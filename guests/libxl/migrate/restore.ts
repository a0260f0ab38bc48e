import type { Actor, Domain } from '../../../sim/index.ts';
import type { Thread } from '../../kernel/index.ts';
import type { Helper, Restored, RestoreResult, RestoreStep, SavedFile } from '../../save-helper/index.ts';
import type { BuiltDomain } from '../build.ts';
import { Call } from '../call.ts';
import { domainCreate } from '../create.ts';
import type { Libxl } from '../process.ts';
import { type RestoreEnd, restoreStream } from '../stream-restore.ts';
import { configFromJson } from './config-json.ts';
import { textOf } from './stream-transfer.ts';
import { readXlHeader } from './xl-header.ts';

/** `xl restore`. */
export interface RestoreFilePlan {
  readonly file: SavedFile;
  /** `-p`. */
  readonly staysPaused?: boolean;
  readonly domidPolicy?: 'xen' | 'random';
  /** The file is a checkpointed stream, which ends where its sender did. */
  readonly checkpointed?: boolean;
  /** Its memory is there, and nothing of it runs yet. */
  readonly loaded?: (heir: Domain) => void;
  /** Threads of the saved guest are not to be had, and what `program` names is to begin in what was its memory. Called before it runs. */
  readonly boot?: (built: BuiltDomain, program: string) => void;
  readonly dies?: (step: RestoreStep) => boolean;
  readonly helper?: (helper: Helper<RestoreResult>) => void;
}

export interface RestoreFileEnd {
  readonly exit: 0 | 1;
  readonly says: string;
  /** It is there; with an exit status of 1 it was, and is destroyed. */
  readonly built: BuiltDomain | undefined;
  readonly restored: Restored | undefined;
  readonly load: RestoreEnd | undefined;
}

/**
 * A domain out of a file, under its own name: refused while another has that (SV-3). The file is as it was, and can be restored
 * again. Source: create_domain in tools/xl/xl_vmcontrol.c, with restore_file.
 */
export function* restoreFromFile(me: Thread, xl: Libxl, plan: RestoreFilePlan): Actor<RestoreFileEnd> {
  const call = new Call(xl, me);
  yield* call.enter();
  const end = yield* restore(call, plan);
  call.leave();
  return end;
}

function* restore(call: Call, plan: RestoreFilePlan): Actor<RestoreFileEnd> {
  const from = plan.file.reader();
  const failed = (says: string, load?: RestoreEnd): RestoreFileEnd => ({
    exit: 1,
    says,
    built: undefined,
    restored: load?.restored,
    load,
  });
  const header = yield* readXlHeader(from);
  if (!header.ok) return failed(header.reason);
  const sent = configFromJson(header.json);
  if (sent === undefined) return failed('Failed to parse configuration');
  const { plan: config, domid } = sent;
  const wanted = domid ?? (plan.domidPolicy === 'random' ? ('random' as const) : undefined);
  let load: RestoreEnd | undefined;
  const created = yield* domainCreate(call, wanted === undefined ? config : { ...config, domid: wanted }, {
    ...(plan.staysPaused === true && { staysPaused: true }),
    boot: (built) => {
      if (load?.restored?.hasThreads === false) plan.boot?.(built, load.restored.program);
    },
    restore: {
      label: config.name,
      *memory(heir, ports, daemons) {
        load = yield* restoreStream(call, heir, from, {
          type: config.type ?? 'pvh',
          ports,
          daemons,
          checkpointed: plan.checkpointed === true,
          ...(plan.dies !== undefined && { dies: plan.dies }),
          ...(plan.helper !== undefined && { helper: plan.helper }),
        });
        if (load.built !== undefined) plan.loaded?.(heir);
        return load.built;
      },
    },
  });
  from.close();
  if (created.rc !== 0) {
    const why = load?.failure === undefined ? `${created.rc} in ${created.failedIn}` : textOf(load.failure);
    return failed(`cannot (re-)build domain: ${why}`, load);
  }
  return { exit: 0, says: '', built: created.built, restored: load?.restored, load };
}
