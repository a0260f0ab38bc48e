import type { GuestOs, InFlight, XsClient, XsSocket } from '../../guests/index.ts';
import {
  type Domain,
  ERROR,
  type Machine,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  RSP_CONS,
  RSP_PROD,
  used,
} from '../../sim/index.ts';
import { opName, XS } from '../../store/protocol/wire.ts';
import type { DeviceRecord } from '../judge/history.ts';
import { deviceWaits } from './device-waits.ts';
import { showOctets } from './show.ts';
import type { Wait } from './wait.ts';
import type { Witness } from './witness.ts';

/** What is looked at. */
export interface WaitPlace {
  readonly machine: Machine;
  readonly witness: Witness;
  readonly store: { readonly ended: string | undefined; readonly waitsForCredit: boolean };
  readonly kernels: readonly Pick<GuestOs, 'domain' | 'waits'>[];
  readonly rings: readonly { readonly domain: Domain; readonly client: XsClient }[];
  readonly sockets: readonly XsSocket[];
  readonly devices: readonly DeviceRecord[];
}

/** Tasks without a word that are named; the rest is counted. */
const ASLEEP_MAX = 8;

/** Who waits for what since when: the store, requests, drivers, devices' payload, domains that do not go, and who sleeps; in each
 *  the oldest first. */
export function waitsOf(place: WaitPlace): Wait[] {
  const { store } = place;
  const waits: Wait[] = [];
  if (store.ended !== undefined)
    waits.push({ who: 'everybody', what: `the store: it has ended (${store.ended})`, sinceNs: undefined });
  const ownerOf = (domid: number) => {
    const domain = place.machine.domain(domid);
    return domain?.dying === 'alive' ? domain.name : undefined;
  };
  const asked = requests(place);
  waits.push(...byAge(asked), ...byAge(drivers(place)), ...byAge(deviceWaits(place.devices, ownerOf)));
  waits.push(...byAge(domains(place)), ...asleep(place, asked));
  return waits;
}

function byAge(waits: readonly Wait[]): Wait[] {
  return waits.toSorted((a, b) => (a.sinceNs ?? 0) - (b.sinceNs ?? 0));
}

// Requests --------------------------------------------------------------------------------------------------------------

function requests(place: WaitPlace): Wait[] {
  const { rings, sockets } = place;
  const all = [...rings.map(({ client }) => client), ...sockets].flatMap((each) => each.requestsInFlight());
  const update = all.find(({ type, payload }) => type === XS.CONTROL && showOctets(payload).startsWith('live-update'));
  const waits: Wait[] = [];
  for (const { domain, client } of rings) {
    if (!domain.isRunning) continue; // it is told with the domains
    for (const request of client.requestsInFlight())
      waits.push(waitOf(request, `${ringTurn(place, domain, client, request)}${aside(request, update)}`));
  }
  for (const socket of sockets)
    for (const request of socket.requestsInFlight())
      waits.push(waitOf(request, `${socketTurn(socket, request)}${aside(request, update)}`));
  return waits;
}

function waitOf({ actor, type, txId, payload, sinceNs }: InFlight, turn: string): Wait {
  const tx = txId === 0 ? '' : ` in transaction ${txId}`;
  return { who: actor, what: `the answer to ${opName(type)} ${showOctets(payload)}${tx}: ${turn}`, sinceNs };
}

/** 1. An update is pending. 2. START is put aside (store.md 9.3). */
function aside(request: InFlight, update: InFlight | undefined): string {
  if (update === undefined || request.type !== XS.TRANSACTION_START) return '';
  return `; put aside if it came behind the live update that ${update.actor} has asked for`;
}

/** Who has to do something with a request and its ring next. */
function ringTurn({ machine, store }: WaitPlace, domain: Domain, client: XsClient, request: InFlight): string {
  const { frame, port } = client.ring;
  const error = frame.load32(ERROR);
  if (error !== 0) return `the store ignores this ring, error word ${error}`;
  const channel = domain.ports.get(port);
  if (channel?.state !== 'interdomain')
    return `port ${port} is ${channel?.state ?? 'closed'}: the store has no ring here`;
  const answers = used(frame.load32(RSP_PROD), frame.load32(RSP_CONS));
  const unread = used(frame.load32(REQ_PROD), frame.load32(REQ_CONS));
  const bits = (of: Pick<Domain['ports'], 'isPending' | 'isMasked'>, which: number) =>
    `event ${of.isPending(which) ? 'pending' : 'not pending'}${of.isMasked(which) ? ' and masked' : ''}`;
  if (answers > 0)
    return `${domain.name} has ${answers} octets to read${client.held ? ', and is kept from it' : ''}, port ${port}: ${bits(domain.ports, port)}`;
  const peer = `${machine.domain(channel.remote.domain.domid)?.name} port ${channel.remotePort}: ${bits(channel.remote, channel.remotePort)}`;
  if (unread > 0) {
    const credit = store.waitsForCredit ? '; some wait for credit of the write rate limit' : '';
    const full = unread === RING_BYTES ? ' (the ring is full)' : '';
    return `the store has ${unread} octets to read${full}, ${peer}${credit}`;
  }
  return request.isBegun ? `the store has it, and nothing is on its way` : `${domain.name} has not begun to write it`;
}

function socketTurn(socket: XsSocket, request: InFlight): string {
  if (!request.isBegun) return 'behind another request of its handle';
  const { here, there } = socket.unread;
  if (here > 0) return `its handle has ${here} octets to read`;
  return there > 0 ? `the store has ${there} octets to read` : 'the store has it, and nothing is on its way';
}

// Domains ---------------------------------------------------------------------------------------------------------------

function whyNot(domain: Domain): string {
  if (domain.dying !== 'alive') return domain.dying;
  if (domain.isShuttingDown) return `shut down: ${domain.shutdown ?? 'not yet'}`;
  return domain.controllerPauses > 0 ? `paused ${domain.controllerPauses} times` : 'running';
}

/** Domains that do not run, and what keeps the dead. */
function domains({ machine, witness }: WaitPlace): Wait[] {
  return machine.domains().flatMap((domain): Wait[] => {
    if (domain.isRunning) return [];
    const who = `domain ${domain.domid} (${domain.name})`;
    if (domain.dying === 'alive') {
      const stalled = machine.scheduler.tasksOf(domain).filter(({ state }) => state === 'stalled').length;
      return [
        {
          who,
          what: `somebody who lets it go on: it is ${whyNot(domain)}, ${stalled} tasks stand still`,
          sinceNs: undefined,
        },
      ];
    }
    const holders = machine.domains().flatMap((mapper) => {
      const grefs = mapper.maptrack.handles().flatMap((handle) => {
        const mapping = mapper.maptrack.get(handle);
        return mapping?.granter === domain ? [mapping.gref] : [];
      });
      return grefs.length === 0 ? [] : [`${mapper.name} maps its gref ${grefs.join(', ')}`];
    });
    const what =
      holders.length > 0 ? `its last mapping to go: ${holders.join('; ')}` : `its end: it is ${domain.dying}`;
    return [{ who, what, sinceNs: witness.dyingSince(domain) }];
  });
}

/** Those who say what they wait for, in kernels that run. */
function drivers({ kernels }: WaitPlace): Wait[] {
  return kernels.flatMap(({ domain, waits }) => (domain.isRunning ? waits : []));
}

// Programs --------------------------------------------------------------------------------------------------------------

function livingTasks({ machine }: WaitPlace) {
  return machine
    .domains()
    .filter((domain) => domain.isRunning)
    .flatMap((domain) => machine.scheduler.tasksOf(domain).filter(({ state }) => state === 'parked'));
}

/** Those who sleep and say nothing: whoever fell asleep last is nearest to the cause. */
function asleep(place: WaitPlace, asked: readonly Wait[]): Wait[] {
  const waiting = new Set(asked.map(({ who }) => who));
  const tasks = livingTasks(place)
    .filter((task) => !waiting.has(task.name))
    .toSorted((a, b) => b.parkedNs - a.parkedNs || a.id - b.id);
  const waits = tasks.slice(0, ASLEEP_MAX).map((task): Wait => ({ who: task.name, what: '', sinceNs: task.parkedNs }));
  const left = tasks.length - waits.length;
  if (left > 0) waits.push({ who: `${left} more`, what: '', sinceNs: undefined });
  return waits;
}
