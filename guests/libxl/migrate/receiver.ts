import type { Actor, OctetChannel } from '../../../sim/index.ts';
import type { Thread } from '../../kernel/index.ts';
import type { BuiltDomain } from '../build.ts';
import { Call } from '../call.ts';
import { domainCreate, domainUnpause, type Phase } from '../create.ts';
import { domainDestroy } from '../destroy.ts';
import { domainRename } from '../domain-tree.ts';
import type { Libxl } from '../process.ts';
import { configFromJson, type SentConfig } from './config-json.ts';
import { type Handover, HandoverLog } from './handover-log.ts';
import type { MigrationObserver, MigrationStep } from './news.ts';
import { hear, say } from './texts.ts';
import type { Transfer } from './transfer.ts';
import { putPlatform, serveAgain, takeIn, type Unnoticed } from './unnoticed.ts';
import { readXlHeader } from './xl-header.ts';

/** ERROR_FAIL as one octet of its negation, which is what R tells. Source: libxl_error in libxl_types.idl. */
const STATUS_FAIL = 3;

/** `xl migrate-receive`. */
export interface ReceivePlan {
  readonly channel: OctetChannel;
  readonly transfer: Transfer;
  /** domid_policy of xl.conf; left out: Xen's own choice. */
  readonly domidPolicy?: 'xen' | 'random';
  /** Whether this libxl knows quotas: 4.22. Left out: it does; one that does not looks at none in a configuration. */
  readonly hasQuotas?: boolean;
  /** Whether memory can be freed for the guest; left out: it can. */
  readonly hasMemory?: boolean;
  /** Called when the copy is about to be introduced (DE10). */
  readonly beforeIntroduce?: (built: BuiltDomain) => void;
  /** Whether a store that does not take the domain ends it (DE10); left out: nobody looks, as in life. */
  readonly checksIntroduce?: boolean;
  /** `-p`. */
  readonly staysPaused?: boolean;
  /** [sim] The guest does not help, and is not to notice; left out: it does. */
  readonly unnoticed?: Unnoticed;
  readonly observer: MigrationObserver;
  /** Asked between two steps: whether the process is killed there. Left out: it is not. */
  readonly dies?: (process: 'R' | 'W', step: MigrationStep) => boolean;
  /** Called when it is known who comes; what is returned is called by its number when the domain is there. */
  readonly expects?: (uuid: string) => void;
  readonly log?: HandoverLog;
  /** Which of all attempts this is, as the source has said. */
  readonly attempt?: number;
}

/** How `xl migrate-receive` ended. */
export type ReceiveEnd =
  /** It runs here. */
  | 'running'
  /** Nothing was created, or what was is destroyed. */
  | 'refused'
  /** It was destroyed, and the source may have it back. */
  | 'granted back'
  /** A paused copy stays (FP-13, FP-17). */
  | 'left paused'
  /** It runs, and nobody heard of it (FP-14). */
  | 'unreported'
  | 'killed';

/** What comes next in the protocol's table 1.4 when that part of the creation is done. */
const STEPS: Readonly<Partial<Record<Phase, MigrationStep>>> = {
  C1: 'DE4',
  C2: 'DE6',
  C9: 'DE11',
  C10: 'DE12',
  C14: 'DE14',
};

/** R: the destination's side of a migration. Source: migrate_receive in tools/xl/xl_migrate.c, create_domain in xl_vmcontrol.c. */
export function* migrateReceive(me: Thread, xl: Libxl, plan: ReceivePlan): Actor<ReceiveEnd> {
  const call = new Call(xl, me);
  yield* call.enter();
  const end = yield* new Receiver(call, plan).run();
  if (end !== 'killed') call.leave();
  plan.channel.close(); // its descriptors go with it, however it ended
  plan.observer.note({ what: 'end', process: 'R', how: end });
  return end;
}

class Receiver {
  readonly #call: Call;
  readonly #plan: ReceivePlan;
  #entry: Handover | undefined;
  /** Of its copy, once there is one. */
  #domid: number | undefined;

  constructor(call: Call, plan: ReceivePlan) {
    this.#call = call;
    this.#plan = plan;
  }

  #at(step: MigrationStep, domid = this.#domid): boolean {
    const { observer, dies } = this.#plan;
    observer.note({ what: 'step', process: 'R', step, ...(domid === undefined ? {} : { domid }) });
    if (dies?.('R', step) !== true) return false;
    observer.note({ what: 'killed', process: 'R', step });
    return true;
  }

  #says(text: string): void {
    this.#plan.observer.note({ what: 'says', process: 'R', text });
  }

  *run(): Actor<ReceiveEnd> {
    const end = yield* this.#run();
    if (this.#entry !== undefined) this.#entry.isLeft = true;
    return end;
  }

  *#run(): Actor<ReceiveEnd> {
    const { channel } = this.#plan;
    this.#says('migration target: Ready to receive domain.');
    if (this.#at('DE1')) return 'killed';
    if ((yield* say(channel, 'banner')) === 'broken') return 'refused';
    const header = yield* readXlHeader(channel);
    const sent = header.ok ? configFromJson(header.json) : undefined;
    if (sent === undefined) {
      this.#says(header.ok ? 'unable to parse configuration' : header.reason);
      return 'refused';
    }
    return yield* this.#receive(sent);
  }

  *#receive({ plan: config, domid: keptDomid }: SentConfig): Actor<ReceiveEnd> {
    const call = this.#call;
    const plan = this.#plan;
    const { channel, transfer, observer } = plan;
    const names = { here: config.name, incoming: `${config.name}--incoming`, uuid: config.uuid as string };
    plan.expects?.(names.uuid);
    if (this.#at('DE3')) return 'killed';
    if (plan.hasMemory === false) {
      this.#says('failed to free memory for the domain'); // create_domain in xl_vmcontrol.c, before anything is made
      return 'refused';
    }
    const keep = (domid: number) => {
      this.#domid = domid;
      this.#entry = plan.log?.incoming(
        domid,
        { attempt: plan.attempt ?? 0, uuid: names.uuid, here: names.here, passing: names.incoming },
        unnoticed,
      );
    };
    let image: Uint8Array | undefined;
    const { unnoticed } = plan;
    const says = (words: string) => this.#says(words);
    const wanted = keptDomid ?? (plan.domidPolicy === 'random' ? ('random' as const) : undefined);
    const created = yield* domainCreate(
      call,
      {
        ...config,
        ...(plan.hasQuotas === false ? { quota: [] } : {}),
        name: names.incoming,
        ...(wanted === undefined ? {} : { domid: wanted }),
      },
      {
        staysPaused: true,
        ...(plan.beforeIntroduce === undefined ? {} : { beforeIntroduce: plan.beforeIntroduce }),
        dies: (done) => {
          const step = STEPS[done];
          return step !== undefined && this.#at(step);
        },
        restore: {
          label: names.here,
          made: ({ domid }) => keep(domid),
          ...(plan.checksIntroduce === true ? { checksIntroduce: true } : {}),
          ...(unnoticed === undefined
            ? {}
            : {
                *takeIn(built): Actor<string | undefined> {
                  const refused = yield* takeIn(call, built, image, unnoticed);
                  if (refused !== undefined) says(`the store does not take it in: ${refused}`);
                  return refused;
                },
                *attach({ domain }): Actor<string | undefined> {
                  const why = yield* unnoticed.backends?.attach(call.me, domain.domid) ?? [];
                  if (why !== undefined) says(`its devices cannot be had here: ${why}`);
                  return why;
                },
              }),
          *memory(domain, ports, daemons) {
            observer.note({ what: 'step', process: 'R', step: 'DE7', domid: domain.domid });
            const loaded = yield* transfer.load(call, {
              domain,
              ports,
              daemons,
              from: channel,
              ...(unnoticed === undefined ? {} : { isUnnoticed: true }),
              observer,
              dies: (process, step) => plan.dies?.(process, step) === true,
            });
            if (loaded === 'R killed') {
              observer.note({ what: 'killed', process: 'R', step: 'DE7' });
              return 'died';
            }
            if ('failed' in loaded) {
              observer.note({ what: 'says', process: 'R', text: loaded.failed });
              return undefined;
            }
            observer.note({ what: 'received all', process: 'R', domid: domain.domid });
            if (unnoticed === undefined) return loaded.built;
            image = loaded.image;
            const put = putPlatform(call, loaded);
            if (typeof put !== 'string') return put;
            says(put);
            return undefined;
          },
        },
      },
    );
    if (created.rc === 'died') return 'killed';
    const domid = created.built?.domain.domid;
    if (created.rc !== 0 || domid === undefined) {
      this.#says(`migration target: Domain creation failed (code ${created.rc}).`);
      return 'refused';
    }
    return yield* this.#handOver(domid, names);
  }

  /** DE15 to DE20. */
  *#handOver(
    domid: number,
    names: { readonly here: string; readonly incoming: string; readonly uuid: string },
  ): Actor<ReceiveEnd> {
    const call = this.#call;
    const { channel, observer, staysPaused } = this.#plan;
    const entry = this.#entry;
    this.#says('migration target: Transfer complete, requesting permission to start domain.');
    if (this.#at('DE15', domid)) return 'killed';
    if ((yield* say(channel, 'ready')) === 'broken') return 'left paused';
    if (this.#at('DE16', domid)) return 'killed';
    if ((yield* hear(channel, 'go')) !== 'ok') return yield* this.#report(domid, STATUS_FAIL);
    observer.note({ what: 'go read', process: 'R', domid });
    if (entry !== undefined && !HandoverLog.accept(entry)) return yield* this.#report(domid, STATUS_FAIL);
    this.#says('migration target: Got permission, starting domain.');
    if (this.#at('DE17', domid)) return 'killed';
    const { unnoticed } = this.#plan;
    // Its own tree came with its name.
    const renamed =
      unnoticed === undefined
        ? yield* domainRename(call, domid, { old: names.incoming, new: names.here, uuid: names.uuid })
        : 0;
    if (unnoticed !== undefined) yield* call.xs.write(`/vm/${names.uuid}/name`, names.here);
    if (renamed !== 0) return yield* this.#report(domid, STATUS_FAIL);
    if (this.#at('DE18', domid)) return 'killed';
    if (staysPaused !== true) {
      if ((yield* domainUnpause(call, domid)) !== 0) return yield* this.#report(domid, STATUS_FAIL);
      observer.note({ what: 'unpaused', process: 'R', domid });
      if (unnoticed !== undefined) yield* serveAgain(call, domid, unnoticed); // behind the start: if that fails nothing was done for it
    }
    if (entry !== undefined) entry.state = 'running';
    this.#says('migration target: Domain started successsfully.');
    return yield* this.#report(domid, 0);
  }

  /** DE19, DE20: a write that fails ends it, whatever there still is to do. */
  *#report(domid: number, status: number): Actor<ReceiveEnd> {
    const call = this.#call;
    const { channel, observer } = this.#plan;
    const entry = this.#entry;
    const leaves = status === 0 ? 'unreported' : 'left paused';
    if (this.#at('DE19', domid)) return 'killed';
    if ((yield* say(channel, 'report')) === 'broken') return leaves;
    if ((yield* channel.write(Uint8Array.of(status))) === 'broken') return leaves;
    if (status === 0) return 'running';
    if (this.#at('DE20', domid)) return 'killed';
    if (entry !== undefined) entry.state = 'refused';
    this.#says('migration target: Failure, destroying our copy.');
    observer.note({ what: 'destroys', process: 'R', domid });
    const rc = yield* domainDestroy(call, domid);
    if (rc !== 0) {
      this.#says(`migration target: Failed to destroy our copy (code ${rc}).`);
      return 'left paused';
    }
    this.#says('migration target: Cleanup OK, granting sender permission to resume.');
    yield* say(channel, 'go');
    return 'granted back';
  }
}
