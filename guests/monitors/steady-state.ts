import type { Stream } from '../../sim/index.ts';
import type { GuestOs, Me } from '../kernel/index.ts';
import { monitor, type Traffic } from '../load/index.ts';
import type { XsLink } from '../xenstore/index.ts';
import type { MonitorHost } from './domain-watcher.ts';
import { type CountersPlan, counters, meminfoWriter, thirdPartyTool } from './guest-agents.ts';
import { Qmemmand, rrddMemory, squeezed } from './memory.ts';
import type { Pace } from './pace.ts';
import { type PollPlan, pollMonitor } from './poll.ts';
import { type XeDaemonPlan, xeDaemon } from './xe-daemon.ts';
import { Xenopsd } from './xenopsd.ts';

/** The agents of one guest; what is left out does not run. */
export interface GuestMix {
  readonly kind: 'guest';
  readonly xeDaemon?: Omit<XeDaemonPlan, 'pace'>;
  readonly meminfoWriter?: true;
  readonly counters?: Omit<CountersPlan, 'pace'>;
  readonly thirdParty?: { readonly seconds: number };
}

/** The monitors of dom0. */
export interface HostMix {
  readonly kind: 'host';
  readonly xenopsd?: true;
  readonly squeezed?: true;
  readonly rrdd?: true;
  readonly qmemmand?: true;
  readonly polls?: readonly PollPlan[];
  /** A program that watches all of `/local/domain` and takes up to so long for each event, ns. */
  readonly watchAll?: { readonly perEventNsMax: number };
}

export interface GuestPlace {
  readonly os: GuestOs;
  readonly link: XsLink;
  readonly traffic: Traffic;
  readonly pace: Pace;
}

/**
 * Switch steady-state traffic on: the agents of a guest, or the monitors of dom0, at the rates of guests.md 4.3 and 4.5.
 * @returns who writes or polls: they end when the traffic stops, those that wait for events do not.
 */
export function steadyState(place: GuestPlace, mix: GuestMix): Me[];
export function steadyState(place: MonitorHost, mix: HostMix): Me[];
export function steadyState(place: GuestPlace | MonitorHost, mix: GuestMix | HostMix): Me[] {
  return mix.kind === 'guest' ? guestAgents(place as GuestPlace, mix) : hostMonitors(place as MonitorHost, mix);
}

function guestAgents({ os, link, traffic, pace }: GuestPlace, mix: GuestMix): Me[] {
  const started: Me[] = [];
  const { xeDaemon: xe, counters: count, thirdParty } = mix;
  if (xe !== undefined) started.push(os.start('xe-daemon', (me) => xeDaemon(me, os, link, traffic, { ...xe, pace })));
  if (mix.meminfoWriter) started.push(os.start('meminfo-writer', (me) => meminfoWriter(me, os, link, traffic, pace)));
  if (count !== undefined)
    started.push(os.start('counters', (me) => counters(me, os, link, traffic, { ...count, pace })));
  if (thirdParty !== undefined)
    started.push(os.start('tool', (me) => thirdPartyTool(me, os, link, traffic, { ...thirdParty, pace })));
  return started;
}

function hostMonitors(host: MonitorHost, mix: HostMix): Me[] {
  const { os, traffic } = host;
  const started: Me[] = [];
  if (mix.xenopsd) new Xenopsd(host).start();
  if (mix.squeezed) started.push(squeezed(host).balancing);
  if (mix.rrdd) rrddMemory(host);
  if (mix.qmemmand) new Qmemmand(host).start();
  for (const [i, plan] of (mix.polls ?? []).entries())
    started.push(os.start(`poll${i}`, (me) => pollMonitor(me, host, plan)));
  const { watchAll } = mix;
  if (watchAll !== undefined)
    os.start('watch-all', (me) =>
      monitor(me, host.connect('watch-all').link, traffic, {
        watches: [{ path: '/local/domain' }],
        readsEvents: false,
        ...watchAll,
      }),
    );
  return started;
}

/** A guest's agents as they are found: XenServer's or Qubes', with what third parties add. */
export function drawGuestMix(
  draws: Stream,
  devices: { readonly vifs: readonly number[]; readonly vbds: readonly number[] },
): GuestMix {
  const { vifs } = devices;
  return {
    kind: 'guest',
    ...(draws.chance(3, 4)
      ? { xeDaemon: { vifs, disks: devices.vbds.map((device) => ({ device, partitions: draws.between(1, 3) })) } }
      : {}),
    ...(draws.oneIn(2) ? { meminfoWriter: true } : {}),
    ...(draws.oneIn(2) ? { counters: { vifs, seconds: draws.between(5, 60), keys: draws.between(2, 4) } } : {}),
    ...(draws.oneIn(2) ? { thirdParty: { seconds: draws.between(1, 20) } } : {}),
  };
}
