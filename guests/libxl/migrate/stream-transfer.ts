import type { Actor } from '../../../sim/index.ts';
import type { PrecopyPolicy, RestoreFailure, SaveStep } from '../../save-helper/index.ts';
import type { Call } from '../call.ts';
import type { DomainType } from '../domain-config.ts';
import { restoreStream } from '../stream-restore.ts';
import { saveStream } from '../stream-save.ts';
import type { MigrationStep } from './news.ts';
import type { Loaded, LoadPlan, Parked, Saved, SavePlan, Transfer } from './transfer.ts';

export interface StreamTransferOptions {
  /** Left out: pv or pvh, whichever the domain can be. */
  readonly type?: DomainType;
  /** Left out: the guest runs while its memory goes. */
  readonly live?: boolean;
  readonly debug?: boolean;
  readonly policy?: PrecopyPolicy;
  /** HVM: what the device model saved. */
  readonly emulatorContext?: () => Uint8Array;
}

/** Where V is, in the words of the protocol's table 1.3. */
const STEPS: Readonly<Record<SaveStep, MigrationStep>> = {
  setup: 'SO6',
  headers: 'SO6',
  'static data': 'SO6',
  'log-dirty': 'SO6',
  pass: 'SO6',
  look: 'SO6',
  suspend: 'SO7',
  'final look': 'SO9',
  'final set': 'SO9',
  verify: 'SO9',
  contexts: 'SO9',
  checkpoint: 'SO9',
  end: 'SO9',
  'clean up': 'SO9',
};

/** libxl's stream with the libxc image in it, written by V and read by W. */
export function streamTransfer(options: StreamTransferOptions = {}): Transfer {
  return { save: (call, plan) => save(call, plan, options), load: (call, plan) => load(call, plan, options) };
}

function* save(call: Call, plan: SavePlan, options: StreamTransferOptions): Actor<Saved> {
  const { domid, to, observer } = plan;
  const isTranslated = call.xl.os.machine.domain(domid)?.memory.translated === true;
  const { type = isTranslated ? 'pvh' : 'pv', live = true, debug = false, policy, emulatorContext } = options;
  let parked: Parked | undefined;
  const note = (process: 'S' | 'V', step: MigrationStep) => {
    observer.note({ what: 'step', process, step, domid });
    if (!plan.dies(process, step)) return false;
    observer.note({ what: 'killed', process, step });
    return true;
  };
  const { rc } = yield* saveStream(call, domid, to, {
    type,
    live,
    debug,
    ...(policy !== undefined && { policy }),
    ...(emulatorContext !== undefined && { emulatorContext }),
    ...(plan.unnoticed !== undefined && { unnoticed: plan.unnoticed }),
    // SRC-5: of a guest that did not park the helper is not told, and looks for itself.
    *askSuspend() {
      parked = yield* plan.park();
      return parked.kind !== 'failed';
    },
    hasResponded: () => parked?.responded === true,
    parentDies: (step) => note('S', step),
    dies: (step) => note('V', STEPS[step]),
    // Pages that are there: those that are not are named, and are no load for anybody.
    onPass: ({ withData, octets }, n, isFinal) => observer.note({ what: 'pass', n, pages: withData, octets, isFinal }),
  });
  switch (rc) {
    case 0:
      return 'ok';
    case 'killed':
      return 'signal';
    case 'parent killed':
      return 'S killed';
    case 'failed':
    case 'guest timed out':
      return 'error';
  }
}

function* load(call: Call, plan: LoadPlan, options: StreamTransferOptions): Actor<Loaded> {
  const { domain, ports, daemons, from } = plan;
  const { type = domain.memory.translated ? 'pvh' : 'pv' } = options;
  if (plan.dies('R', 'DE7')) return 'R killed';
  const loaded = yield* restoreStream(call, domain, from, {
    type,
    ports,
    daemons,
    ...(plan.isUnnoticed === true && { isUnnoticed: true }),
    dies: () => plan.dies('W', 'DE7'),
  });
  const { built, image, platform } = loaded;
  if (built === undefined) return { failed: textOf(loaded.failure) };
  return { built, ...(image !== undefined && { image }), ...(platform !== undefined && { platform }) };
}

/** As it is told on standard error. */
export function textOf(failure: RestoreFailure | undefined): string {
  if (failure === undefined) return 'no image in the stream';
  const { offset, record, path, reason } = failure;
  const where = [
    offset === undefined ? [] : [`offset ${offset}`],
    record === undefined || record < 0 ? [] : [`record ${record}`],
    path === undefined || path === '' ? [] : [path],
  ].flat();
  return where.length === 0 ? reason : `${where.join(', ')}: ${reason}`;
}
