import type { Actor } from '../../../sim/index.ts';
import type { Thread } from '../../kernel/index.ts';
import type { Failure, Helper, SavedFile, SaveStats, SaveStep } from '../../save-helper/index.ts';
import { Call } from '../call.ts';
import { domainDestroy } from '../destroy.ts';
import type { Libxl } from '../process.ts';
import { type SaveEnd, saveStream } from '../stream-save.ts';
import { openSuspendChannel, resumeGuest, type SuspendOutcome, suspendGuest } from '../suspend.ts';
import { configToJson } from './config-json.ts';
import { retrieveConfig } from './retrieve-config.ts';
import { encodeXlHeader } from './xl-header.ts';

/** `xl save`. */
export interface SaveFilePlan {
  readonly domid: number;
  readonly file: SavedFile;
  /** Octets for which there is room on the disk; left out: enough. */
  readonly roomBytes?: number;
  /** `-c`: it goes on where it is. `-p`: it is paused and resumed, and so stays paused by its controller. Left out: it is destroyed. */
  readonly afterwards?: 'resume' | 'pause';
  /** `-D`. */
  readonly keepsDomid?: boolean;
  readonly hasQuotas?: boolean;
  /** The guest has PV drivers that can be asked; left out: it has. */
  readonly isAskable?: boolean;
  /** Left out: libxl's 60 s for each answer. */
  readonly patienceNs?: number;
  readonly emulatorContext?: () => Uint8Array;
  /** The guest is parked, and nothing of it is sent yet. */
  readonly parked?: () => void;
  readonly dies?: (step: SaveStep) => boolean;
  readonly helper?: (helper: Helper<Failure>) => void;
}

export interface SaveFileEnd {
  /** xl's exit status. */
  readonly exit: 0 | 1;
  /** 'untouched': it was not even asked. 'resumed': after a failure, if it had parked at all. */
  readonly guest: 'destroyed' | 'resumed' | 'paused' | 'untouched';
  /** What xl says last. */
  readonly says: string;
  readonly outcome: SuspendOutcome['kind'] | undefined;
  readonly stats: SaveStats | undefined;
}

/**
 * A domain into a file: the guest is asked and parked first, then all of it is written (SV-1). What was written stays, whatever
 * becomes of it; after a failure the guest is resumed, also one that did not answer (SV-2).
 * Source: save_domain in tools/xl/xl_saverestore.c.
 */
export function* saveToFile(me: Thread, xl: Libxl, plan: SaveFilePlan): Actor<SaveFileEnd> {
  const call = new Call(xl, me);
  yield* call.enter();
  const end = yield* save(call, plan);
  call.leave();
  return end;
}

function* save(call: Call, plan: SaveFilePlan): Actor<SaveFileEnd> {
  const { domid, file, roomBytes } = plan;
  const untouched = (says: string): SaveFileEnd => ({
    exit: 1,
    guest: 'untouched',
    says,
    outcome: undefined,
    stats: undefined,
  });
  yield* call.read(`/local/domain/${domid}/name`);
  const config = yield* retrieveConfig(call, domid, plan.hasQuotas ?? true);
  if (config === undefined) return untouched('unable to retrieve domain configuration');
  const to = file.writer(roomBytes === undefined ? {} : { roomBytes });
  const json = configToJson(config, domid, plan.keepsDomid === true ? domid : 0);
  if ((yield* to.write(encodeXlHeader(json))) === 'broken') return untouched('error writing header');
  let outcome: SuspendOutcome['kind'] | undefined;
  const saved = yield* saveStream(call, domid, to, {
    type: config.type ?? 'pvh',
    live: false,
    isFile: true,
    *askSuspend() {
      const found = yield* park(call, plan);
      outcome = found;
      if (found === 'suspended') plan.parked?.();
      return found !== 'shut down' && found !== 'gone'; // SRC-5: of a guest that did not answer V is told nothing
    },
    hasResponded: () => outcome === 'suspended',
    ...(plan.emulatorContext !== undefined && { emulatorContext: plan.emulatorContext }),
    ...(plan.dies !== undefined && { dies: plan.dies }),
    ...(plan.helper !== undefined && { helper: plan.helper }),
  });
  to.close();
  return { ...(yield* afterwards(call, plan, saved)), outcome, stats: saved.stats };
}

function* park(call: Call, { domid, isAskable = true, patienceNs }: SaveFilePlan): Actor<SuspendOutcome['kind']> {
  const { os } = call.xl;
  const channel = isAskable ? yield* openSuspendChannel(call.xs, os, domid) : undefined;
  if (isAskable && channel === undefined) yield* call.dompath(domid);
  const asked = { domid, isAskable, channel: channel ?? ('none' as const) };
  return (yield* suspendGuest(call.xs, os, patienceNs === undefined ? asked : { ...asked, patienceNs })).kind;
}

/** SV-2. Of a guest that never parked a resume does nothing (SRC-2). */
function* afterwards(
  call: Call,
  { domid, afterwards }: SaveFilePlan,
  { rc, reason }: SaveEnd,
): Actor<Pick<SaveFileEnd, 'exit' | 'guest' | 'says'>> {
  const { os } = call.xl;
  if (rc !== 0) {
    yield* resumeGuest(call.xs, os, { domid, how: 'fast' });
    return { exit: 1, guest: 'resumed', says: `${reason}; Failed to save domain, resuming domain` };
  }
  if (afterwards === undefined) {
    yield* domainDestroy(call, domid);
    return { exit: 0, guest: 'destroyed', says: '' };
  }
  if (afterwards === 'pause') os.hyper.pause(domid);
  yield* resumeGuest(call.xs, os, { domid, how: 'fast' });
  return { exit: 0, guest: afterwards === 'pause' ? 'paused' : 'resumed', says: '' };
}
