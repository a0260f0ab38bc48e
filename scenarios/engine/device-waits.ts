import { type Side, XenbusState } from '../../guests/devices/index.ts';
import type { DeviceRecord } from '../judge/history.ts';
import type { Wait } from './wait.ts';

interface End {
  readonly state: XenbusState;
  readonly sinceNs: number;
}

/** How far something on a device has come, oldest first. */
interface Open {
  readonly what: string;
  readonly sinceNs: number;
  stage: 'submitted' | 'taken' | 'executed';
}

interface Device {
  readonly ends: Map<Side, End>;
  /** What an end could not do, or has given up. */
  trouble: string | undefined;
  readonly requests: Map<number, Open>;
  /** When packets were sent that are not taken; taken that are not answered; queued for the guest and not received. */
  readonly sent: number[];
  readonly unanswered: number[];
  readonly queued: number[];
}

/** Devices that are not at rest, and whose turn it is. `ownerOf`: the name of a domain that is alive. */
export function deviceWaits(
  records: readonly DeviceRecord[],
  ownerOf: (domid: number) => string | undefined,
): readonly Wait[] {
  const devices = new Map<string, Device>();
  for (const record of records) {
    let device = devices.get(record.dev);
    if (device === undefined) {
      device = { ends: new Map(), trouble: undefined, requests: new Map(), sent: [], unanswered: [], queued: [] };
      devices.set(record.dev, device);
    }
    note(device, record);
  }
  return [...devices].flatMap(([dev, device]) => {
    const owner = ownerOf(Number(dev.split('/')[1]));
    if (owner === undefined) return [];
    const who = `${dev} (${owner})`;
    return [...handshake(device), ...payload(device)].map((wait) => ({ who, ...wait }));
  });
}

function note(device: Device, record: DeviceRecord): void {
  const { timeNs } = record;
  switch (record.what) {
    case 'state':
      device.ends.set(record.side, { state: record.state, sinceNs: timeNs });
      break;
    case 'removed':
      device.ends.delete(record.side);
      break;
    case 'withdrawn':
    case 'attached':
      device.trouble = undefined;
      break;
    case 'published': // a new ring: what was on an older one is asked for again, or was never heard of
      for (const open of [device.sent, device.unanswered, device.queued]) open.length = 0;
      device.requests.clear();
      break;
    case 'refused':
      device.trouble = `backend: ${record.why}, at ${ms(timeNs)} ms`;
      break;
    case 'stopped':
      device.trouble = `${record.side}end serves the ring no more: ${record.why}, at ${ms(timeNs)} ms`;
      break;
    case 'submitted':
      device.requests.set(record.id, { what: `${record.op} ${record.id}`, sinceNs: timeNs, stage: 'submitted' });
      break;
    case 'taken':
    case 'executed': {
      const open = device.requests.get(record.id);
      if (open !== undefined) open.stage = record.what;
      break;
    }
    case 'completed':
      device.requests.delete(record.id);
      break;
    case 'sent':
      device.sent.push(timeNs);
      device.unanswered.push(timeNs);
      break;
    case 'carried':
      device.sent.shift();
      break;
    case 'acked':
      device.unanswered.shift();
      break;
    case 'queued':
      device.queued.push(timeNs);
      break;
    case 'received':
      device.queued.shift();
      break;
    default:
  }
}

const AT_REST: readonly XenbusState[] = [XenbusState.Connected, XenbusState.Closed];

function handshake({ ends, trouble }: Device): Omit<Wait, 'who'>[] {
  const front = ends.get('front');
  const back = ends.get('back');
  if (front === undefined && back === undefined) return [];
  const isAtRest = front?.state === back?.state && AT_REST.includes(front?.state ?? XenbusState.Unknown);
  if (isAtRest && trouble === undefined) return [];
  const said = (name: string, end: End | undefined) =>
    end === undefined ? `${name} not there` : `${name} ${nameOf(end.state)} since ${ms(end.sinceNs)} ms`;
  const turn = isAtRest ? '' : `; ${turnOf(front?.state ?? 0, back?.state ?? 0)}`;
  const what = `${said('frontend', front)}, ${said('backend', back)}${turn}${trouble === undefined ? '' : `; ${trouble}`}`;
  return [{ what, sinceNs: Math.max(front?.sinceNs ?? 0, back?.sinceNs ?? 0) }];
}

/** Who has to move next. Source: xen/include/public/io/xenbus.h, xen/include/public/io/blkif.h. */
function turnOf(front: XenbusState, back: XenbusState): string {
  const { InitWait, Initialised, Connected, Closing } = XenbusState;
  if (back >= Closing || front >= Closing)
    return front >= Closing && back < front ? 'the backend has to close' : 'the frontend has to close';
  if (back < InitWait) return 'the backend has to get to InitWait';
  if (front < Initialised) return 'the frontend has to publish its rings';
  if (back < Connected) return 'the backend has to attach to the rings';
  return 'the frontend has to connect';
}

const NEXT = {
  submitted: 'the backend has not taken it',
  taken: 'the backend has not done it',
  executed: 'the frontend has not seen the answer',
} as const;

function payload({ requests, sent, unanswered, queued }: Device): Omit<Wait, 'who'>[] {
  const waits: Omit<Wait, 'who'>[] = [];
  const [oldest] = requests.values();
  if (oldest !== undefined) {
    const more = requests.size > 1 ? `, and ${requests.size - 1} behind it` : '';
    waits.push({ what: `${oldest.what}: ${NEXT[oldest.stage]}${more}`, sinceNs: oldest.sinceNs });
  }
  const count = (times: readonly number[], what: string) => {
    if (times.length > 0) waits.push({ what: `${times.length} packets: ${what}`, sinceNs: times[0] });
  };
  if (sent.length > 0) count(sent, 'netback has not taken them off the tx ring');
  else count(unanswered, 'netfront has not seen the answers');
  count(queued, 'netfront has not received them');
  return waits;
}

function nameOf(state: XenbusState): string {
  return Object.entries(XenbusState).find(([, value]) => value === state)?.[0] ?? String(state);
}

function ms(ns: number): string {
  return (ns / 1_000_000).toFixed(3);
}
