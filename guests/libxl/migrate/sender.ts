import { type Actor, type OctetChannel, readExactly } from '../../../sim/index.ts';
import type { Thread } from '../../kernel/index.ts';
import { Call } from '../call.ts';
import { domainDestroy } from '../destroy.ts';
import { domainType } from '../device-add.ts';
import { domainRename } from '../domain-tree.ts';
import type { Libxl } from '../process.ts';
import { closeSuspendChannel, openSuspendChannel, resumeGuest, suspendGuest } from '../suspend.ts';
import { configToJson } from './config-json.ts';
import type { Handover, HandoverLog } from './handover-log.ts';
import type { MigrationObserver, MigrationStep } from './news.ts';
import { retrieveConfig } from './retrieve-config.ts';
import { hear, say } from './texts.ts';
import type { Parked, Transfer } from './transfer.ts';
import { type Luggage, mayGo, parkUnnoticed, resumeUnnoticed, type Unnoticed } from './unnoticed.ts';
import { encodeXlHeader } from './xl-header.ts';

/** How long xl waits for its transport's end before it goes on. Source: migration_child_report. */
const CHILD_NS = 2_000_000_000;
const CHILD_LOOK_NS = 1_000_000;

/** The transport of a migration: `ssh HOST xl migrate-receive` between two pipes. */
export interface Transport {
  readonly channel: OctetChannel;
  /** Whether its process has ended. */
  hasEnded(): boolean;
}

/** `xl migrate`. */
export interface MigratePlan {
  readonly domid: number;
  /** Fork and execute the transport. */
  readonly connect: () => Transport;
  readonly transfer: Transfer;
  /** `-D`. */
  readonly keepsDomid?: boolean;
  /** Whether this libxl knows quotas: 4.22. Left out: it does. */
  readonly hasQuotas?: boolean;
  /** The guest has PV drivers that can be asked; left out: it has. */
  readonly isAskable?: boolean;
  /** Left out: libxl's 60 s for each answer. */
  readonly patienceNs?: number;
  /** How long S stands still before it destroys the source (SO17), ns; left out: it does not. */
  readonly destroysAfterNs?: number;
  /** Whether an answer over the channel counts as one (SRC-6); left out: it does not, as in life. */
  readonly rememberChannel?: boolean;
  /** Whether the store is not told of a guest that is resumed (INJ-M26); left out: it is. */
  readonly losesResume?: boolean;
  /** [sim] The guest is not asked, and is not to notice; left out: it helps. */
  readonly unnoticed?: Unnoticed;
  readonly observer: MigrationObserver;
  /** Asked between two steps: whether the process is killed there. Left out: it is not. */
  readonly dies?: (process: 'S' | 'V', step: MigrationStep) => boolean;
  /** The repaired handover; left out: xl's own. */
  readonly log?: HandoverLog;
  /** For the log: which of all attempts this is. */
  readonly attempt?: number;
  /** The other host's name, for the log. */
  readonly host?: string;
}

/** How `xl migrate` ended (3.3). */
export type MigrateEnd =
  | 'success'
  | 'preparation'
  | 'failed_suspend'
  | 'failed_resume'
  | 'target reported'
  | 'failed_badly'
  | 'killed';

/** S: the source's side of a migration, from the look for the domain to its destruction. Source: migrate_domain in tools/xl/xl_migrate.c. */
export function* migrate(me: Thread, xl: Libxl, plan: MigratePlan): Actor<MigrateEnd> {
  const sender = new Sender(new Call(xl, me), plan);
  const end = yield* sender.run();
  plan.observer.note({ what: 'end', process: 'S', how: end });
  return end;
}

class Sender {
  readonly #call: Call;
  readonly #plan: MigratePlan;
  #transport: Transport | undefined;
  #entry: Handover | undefined;

  constructor(call: Call, plan: MigratePlan) {
    this.#call = call;
    this.#plan = plan;
  }

  *run(): Actor<MigrateEnd> {
    const call = this.#call;
    yield* call.enter();
    const end = yield* this.#migrate();
    if (this.#entry !== undefined) this.#entry.isLeft = true;
    if (end === 'killed')
      this.#transport?.channel.close(); // its descriptors go with it
    else call.leave();
    return end;
  }

  /** The process is about to do that. @returns whether it is killed before it does. */
  #at(step: MigrationStep): boolean {
    const { observer, domid, dies } = this.#plan;
    observer.note({ what: 'step', process: 'S', step, domid });
    if (dies?.('S', step) !== true) return false;
    observer.note({ what: 'killed', process: 'S', step });
    return true;
  }

  #says(text: string): void {
    this.#plan.observer.note({ what: 'says', process: 'S', text });
  }

  *#migrate(): Actor<MigrateEnd> {
    const call = this.#call;
    const plan = this.#plan;
    const { domid, observer } = plan;
    if (this.#at('SO1')) return 'killed';
    const name = yield* call.read(`/local/domain/${domid}/name`);
    if (this.#at('SO2')) return 'killed';
    const config = yield* retrieveConfig(call, domid, plan.hasQuotas ?? true);
    if (config === undefined || name === undefined) {
      this.#says('unable to retrieve domain configuration');
      return 'preparation';
    }
    if (plan.unnoticed !== undefined) {
      const reason = yield* mayGo(call, domid, plan.unnoticed);
      if (reason !== undefined) {
        this.#says(`the guest stays: ${reason}`);
        return 'preparation';
      }
    }
    const names = { here: name, away: `${name}--migratedaway`, uuid: config.uuid as string };
    if (this.#at('SO3')) return 'killed';
    const transport = plan.connect();
    this.#transport = transport;
    const { channel } = transport;
    const banner = yield* hear(channel, 'banner');
    if (banner !== 'ok') {
      this.#says(`migration receiver stream: ${banner} instead of banner`);
      channel.close();
      return 'preparation';
    }
    if (this.#at('SO4')) return 'killed';
    const json = configToJson(config, domid, plan.keepsDomid === true || plan.unnoticed !== undefined ? domid : 0);
    if ((yield* channel.write(encodeXlHeader(json))) === 'broken') {
      this.#says('migration stream: error writing header');
      channel.close();
      return 'preparation';
    }
    yield* domainType(call, domid);

    this.#entry = plan.log?.sends(
      domid,
      { attempt: plan.attempt ?? 0, uuid: names.uuid, here: names.here, passing: names.away },
      plan.host ?? '',
      plan.unnoticed,
    );
    const saved = yield* this.#save(channel);
    if (saved === 'killed') return 'killed';
    if (saved !== 'ok') {
      this.#says(`migration sender: libxl_domain_suspend failed (rc=${saved === 'timed out' ? -28 : -3})`);
      return saved === 'timed out' ? yield* this.#failedSuspend() : yield* this.#failedResume();
    }
    if (this.#at('SO13')) return 'killed';
    if ((yield* hear(channel, 'ready')) !== 'ok') return yield* this.#failedResume();
    this.#says('migration sender: Target has acknowledged transfer.');

    if (this.#at('SO14')) return 'killed';
    // A guest may watch its own name: of one that is not to notice it stays.
    const renamed =
      plan.unnoticed === undefined
        ? yield* domainRename(call, domid, { old: names.here, new: names.away, uuid: names.uuid })
        : 0;
    if (renamed !== 0) return yield* this.#failedResume();
    if (this.#at('SO15')) return 'killed';
    this.#says('migration sender: Giving target permission to start.');
    if (this.#entry !== undefined) this.#entry.state = 'go written';
    const went = yield* say(channel, 'go');
    observer.note({ what: 'go written', process: 'S', domid });
    if (went === 'broken') return yield* this.#failedBadly();
    if (this.#at('SO16')) return 'killed';
    if ((yield* hear(channel, 'report')) !== 'ok') return yield* this.#failedBadly();
    const [status] = yield* readExactly(channel, 1);
    if (status === undefined) return yield* this.#failedBadly();
    observer.note({ what: 'status read', process: 'S', domid, status });
    if (status !== 0) return yield* this.#takeBack(status, names);

    if (this.#at('SO17')) return 'killed';
    this.#says('migration sender: Target reports successful startup.');
    if (plan.destroysAfterNs !== undefined) yield plan.destroysAfterNs;
    observer.note({ what: 'destroys', process: 'S', domid });
    // What comes of it xl does not look at; the log does.
    if ((yield* domainDestroy(call, domid)) === 0) this.#forget();
    this.#says('Migration successful.');
    channel.close();
    return 'success';
  }

  /** SO5 to SO12. */
  *#save(channel: OctetChannel): Actor<'ok' | 'timed out' | 'failed' | 'killed'> {
    const call = this.#call;
    const { xl } = call;
    const { domid, transfer, observer, dies, isAskable = true, patienceNs, rememberChannel = false } = this.#plan;
    if (this.#at('SO5')) return 'killed';
    const { unnoticed } = this.#plan;
    const offered = isAskable && unnoticed === undefined ? yield* openSuspendChannel(call.xs, xl.os, domid) : undefined;
    let isAsked = false;
    let responded = true;
    let luggage: Luggage | undefined;
    const says = (words: string) => this.#says(words);
    const park = function* (): Actor<Parked> {
      isAsked = true;
      if (unnoticed !== undefined) {
        const went = yield* parkUnnoticed(call, domid, unnoticed);
        luggage = went.luggage;
        if (went.why !== undefined) says(`the guest stays: ${went.why}`);
        return went.parked;
      }
      if (isAskable && offered === undefined) yield* call.dompath(domid);
      const outcome = yield* suspendGuest(call.xs, xl.os, {
        domid,
        isAskable,
        channel: offered ?? 'none',
        ...(patienceNs === undefined ? {} : { patienceNs }),
      });
      const byWatch = offered === undefined || rememberChannel;
      switch (outcome.kind) {
        case 'suspended':
          responded = byWatch;
          return { kind: 'parked', responded };
        case 'shut down':
        case 'gone':
          responded = byWatch;
          return { kind: 'failed', responded };
        case 'no ack': // SRC-5: the helper is told of no error
          responded = false;
          return { kind: 'not parked', responded };
        case 'runs on': // SRC-7: whether it has parked all the same nobody looks (suspend_common_wait_guest_timeout)
          responded = false;
          return { kind: 'failed', responded };
      }
    };
    if (this.#at('SO6')) return 'killed';
    const saved = yield* transfer.save(call, {
      domid,
      to: channel,
      park,
      ...(unnoticed === undefined
        ? {}
        : { unnoticed: () => luggage ?? { image: new Uint8Array(0), platform: new Uint8Array(0) } }),
      observer,
      dies: dies ?? (() => false),
    });
    if (offered !== undefined && !isAsked) closeSuspendChannel(xl.os, domid, offered);
    if (saved === 'S killed') return 'killed';
    if (saved === 'ok') return 'ok';
    // A helper that ends with an error is taken for a guest that did not answer, if none is known to have (SRC-6).
    return saved === 'error' && isAsked && !responded ? 'timed out' : 'failed';
  }

  /** The transport is let go of, and waited for a little. */
  *#letGo(): Actor {
    const transport = this.#transport;
    transport?.channel.close();
    for (let waitedNs = 0; waitedNs < CHILD_NS && transport?.hasEnded() === false; waitedNs += CHILD_LOOK_NS)
      yield CHILD_LOOK_NS;
  }

  /** The guest is not resumed: it never parked, or it did and stays so (SRC-6, SRC-7). */
  *#failedSuspend(): Actor<MigrateEnd> {
    yield* this.#letGo();
    this.#says('Migration failed, failed to suspend at sender.');
    return 'failed_suspend';
  }

  *#failedResume(): Actor<MigrateEnd> {
    yield* this.#letGo();
    this.#says('Migration failed, resuming at sender.');
    yield* this.#resume();
    return 'failed_resume';
  }

  /** Nobody has to look after it. */
  #forget(): void {
    if (this.#entry !== undefined) this.#plan.log?.forgetSent(this.#entry);
    this.#entry = undefined;
  }

  /** SRC-2: of a domain that never stopped nothing happens. @returns whether it was resumed. */
  *#resume(): Actor<boolean> {
    const call = this.#call;
    const { domid, observer } = this.#plan;
    const { os } = call.xl;
    const isParked = os.machine.domain(domid)?.shutdown === 'suspend';
    observer.note({ what: 'resumes', process: 'S', domid });
    if (this.#plan.unnoticed !== undefined) {
      const without = yield* resumeUnnoticed(call, domid, this.#plan.unnoticed);
      if (without !== undefined) this.#says(`a backend has not come back: ${without}`);
      return isParked;
    }
    const { losesResume = false } = this.#plan;
    if (losesResume && isParked) observer.note({ what: 'store not told', process: 'S', domid });
    yield* resumeGuest(call.xs, os, { domid, how: 'fast', tellsStore: !losesResume });
    return isParked;
  }

  /** SO18: the target has not started it, and grants it back. */
  *#takeBack(
    status: number,
    names: { readonly here: string; readonly away: string; readonly uuid: string },
  ): Actor<MigrateEnd> {
    const call = this.#call;
    const { domid, observer } = this.#plan;
    this.#says(`migration sender: Target reports startup failure (status code ${status}).`);
    const channel = (this.#transport as Transport).channel;
    if ((yield* hear(channel, 'go')) !== 'ok') return yield* this.#failedBadly();
    observer.note({ what: 'go taken back', process: 'S', domid });
    if (this.#at('SO18')) return 'killed';
    this.#says('migration sender: Trying to resume at our end.');
    if (this.#plan.unnoticed === undefined)
      yield* domainRename(call, domid, { old: names.away, new: names.here, uuid: names.uuid }); // not looked at
    if (yield* this.#resume()) this.#says('migration sender: Resumed OK.');
    this.#forget();
    this.#says('Migration failed due to problems at target.');
    channel.close();
    return 'target reported';
  }

  *#failedBadly(): Actor<MigrateEnd> {
    this.#says(
      '** Migration failed during final handshake **\nDomain state is now undefined !\nPlease CHECK AT BOTH ENDS for running instances, before renaming and\n resuming at most one instance.',
    );
    yield* this.#letGo();
    return 'failed_badly';
  }
}
