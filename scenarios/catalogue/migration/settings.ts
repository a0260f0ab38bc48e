import { count, FAULTS_SETTING, word } from '../../engine/settings.ts';
import { type Doing, doings } from '../../faults/doings.ts';
import { TOOLSTACKS } from './world.ts';

/** How much is asked of stores and devices, and up to how much may be. */
export function trafficSettings(
  { requests, block, net }: { readonly requests: number; readonly block: number; readonly net: number },
  requestsMax = 200_000,
) {
  return {
    requests: count(
      requests,
      { min: 0, max: requestsMax },
      'requests to the stores of everybody, after which agents stop',
    ),
    block: count(block, { min: 0, max: 200_000 }, 'block requests after which no disk is used any more'),
    net: count(net, { min: 0, max: 200_000 }, 'packets, data and acknowledgements, after which no data is sent'),
  };
}

/** What else is settable in every scenario whose guests travel. */
export function travelSettings(updates: number) {
  return {
    updates: count(updates, { min: 0, max: 100 }, 'live updates of each store, spread over the traffic'),
    workers: count(1, { min: 0, max: 16 }, 'agents in each guest that use xenstore'),
    link: word('lan', ['lan', 'wan'], 'what lies between two hosts: 1 Gbit/s and 0.2 ms, or 100 Mbit/s and 20 ms'),
    toolstack: word('xl', TOOLSTACKS, 'the handover of xl as it is, or one that keeps a log on both hosts'),
    faults: FAULTS_SETTING,
  };
}

/** What such a scenario does. */
export function travels({
  domains,
  toolstack,
}: {
  readonly domains: number;
  readonly toolstack: string;
}): readonly Doing[] {
  return doings({
    migrates: true,
    channels: domains > 1,
    spares: domains > 4,
    looks: toolstack === 'handoverLog',
  });
}

const NAMES = ['alpha', 'beta', 'gamma', 'delta'] as const;
/** Hosts have names up to this number. */
export const HOSTS_MAX = NAMES.length;

/** So many hosts, all alike. */
export function hostsNamed(hosts: number): readonly { readonly name: string }[] {
  return NAMES.slice(0, hosts).map((name) => ({ name }));
}
