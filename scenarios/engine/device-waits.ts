import type { DeviceRecord } from '../judge/history.ts';
import type { Wait } from './wait.ts';

/** How far something on a device has come, oldest first. */
interface Open {
  readonly what: string;
  readonly sinceNs: number;
  stage: 'submitted' | 'taken' | 'executed';
}

interface Device {
  /** An end serves the ring no more. */
  stopped: Omit<Wait, 'who'> | undefined;
  readonly requests: Map<number, Open>;
  /** When packets were sent that are not taken; taken that are not answered; queued for the guest and not received. */
  readonly sent: number[];
  readonly unanswered: number[];
  readonly queued: number[];
}

/** What is under way on devices, and whose turn it is; what their drivers wait for they say themselves. `ownerOf`: the name of a
 *  domain that is alive. */
export function deviceWaits(
  records: readonly DeviceRecord[],
  ownerOf: (domid: number) => string | undefined,
): readonly Wait[] {
  const devices = new Map<string, Device>();
  for (const record of records) {
    let device = devices.get(record.dev);
    if (device === undefined) {
      device = { stopped: undefined, requests: new Map(), sent: [], unanswered: [], queued: [] };
      devices.set(record.dev, device);
    }
    note(device, record);
  }
  return [...devices].flatMap(([dev, device]) => {
    const owner = ownerOf(Number(dev.split('/')[1]));
    if (owner === undefined) return [];
    const who = `${dev} (${owner})`;
    return payload(device).map((wait) => ({ who, ...wait }));
  });
}

function note(device: Device, record: DeviceRecord): void {
  const { timeNs } = record;
  switch (record.what) {
    case 'published': // a new ring: what was on an older one is asked for again, or was never heard of
      for (const open of [device.sent, device.unanswered, device.queued]) open.length = 0;
      device.requests.clear();
      device.stopped = undefined;
      break;
    case 'stopped':
      device.stopped = { what: `its ${record.side}end, which serves the ring no more: ${record.why}`, sinceNs: timeNs };
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

const NEXT = {
  submitted: 'the backend has not taken it',
  taken: 'the backend has not done it',
  executed: 'the frontend has not seen the answer',
} as const;

function payload({ stopped, requests, sent, unanswered, queued }: Device): Omit<Wait, 'who'>[] {
  const waits: Omit<Wait, 'who'>[] = stopped === undefined ? [] : [stopped];
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
