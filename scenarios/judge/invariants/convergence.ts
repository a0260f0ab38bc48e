import type { History, SnapshotNode, Verdict, Violation } from '../history.ts';
import { logOf } from '../recorded-history.ts';
import { DeviceEvidence } from './devices-evidence.ts';

/** A device that the toolstack holds to be there, by the domid of its guest. */
export interface ExpectedDevice {
  readonly domid: number;
  readonly kind: string;
  readonly devid: number;
}

const CONNECTED = '4';

/**
 * What the store says of all devices when everything is at rest: those that are there are connected at both ends, of those that
 * are not there is nothing left. Only the tree that dom0 read at the end is looked at, and who was there.
 * @param expected all devices of guests that run, as the toolstack counts them.
 */
export function convergence(history: History, expected: readonly ExpectedDevice[]): Verdict {
  const log = logOf(history);
  const last = log.at(-1);
  const violations: Violation[] = [];
  const note = (actor: string, detail: string) =>
    violations.push({
      invariant: 'devices-converge',
      seq: last?.seq ?? 0,
      timeNs: last?.timeNs ?? 0,
      actor,
      request: '',
      detail,
    });
  const snapshot = log.kept.findLast((r) => r.kind === 'snapshot');
  const nodes = new Map((snapshot?.nodes ?? []).map((node) => [node.path, node]));
  if (snapshot === undefined) note('', 'nobody read the tree at the end');
  const known = new Set<string>();
  const evidence = new DeviceEvidence(history, log);
  evidence.advance(log.length);
  let unasked = 0;
  const refused = refusedDevices(history);
  for (const device of expected) {
    const { frontend, backend, libxl } = placesOf(device);
    for (const place of [frontend, backend, libxl]) known.add(place);
    const name = nameOf(device);
    if (evidence.isRefused(name)) {
      unasked++;
      continue;
    }
    const isDue = refused.has(name) ? isClosing : (state: string | undefined) => state === CONNECTED;
    for (const [end, place] of [
      ['frontend', frontend],
      ['backend', backend],
    ] as const) {
      const state = textOf(nodes.get(`${place}/state`));
      if (!isDue(state)) note(name, `its ${end} is in state ${state ?? '(no node)'} at rest, not ${CONNECTED}`);
    }
    const online = textOf(nodes.get(`${backend}/online`));
    if (online !== '1') note(name, `online is ${online ?? '(no node)'}`);
    if (!nodes.has(libxl)) note(name, `${libxl} is not there`);
  }
  const alive = new Set(expected.map(({ domid }) => domid));
  for (const path of nodes.keys()) {
    const found = DEVICE_DIRECTORIES.map((pattern) => pattern.exec(path)).find((match) => match !== null);
    if (found === undefined || known.has(path) || !alive.has(Number(found[1]))) continue;
    note('', `${path} is left of a device that was removed`);
  }
  return {
    invariant: 'devices-converge',
    claim: 'Each device that is there is connected at both ends, and nothing is left of one that was removed',
    source: 'guests.md INV-P6, 2.8',
    checked: [
      ['devices', expected.length],
      ['devices refused what they asked for', unasked],
      ['nodes', nodes.size],
    ],
    violations,
  };
}

/**
 * Devices whose backend refused the frontend's rings last, and that stay closed until somebody takes them away.
 * 1. The frontend publishes its rings. 2. The backend cannot map them: INJ-G5. 3. It writes its error and closes, the frontend
 * closes, and nobody in a guest or in libxl tries again (xenbus_dev_fatal in linux drivers/xen/xenbus/xenbus_client.c).
 * Whether the backend was right is the question of INV-H2.
 */
function refusedDevices(history: History): ReadonlySet<string> {
  const refused = new Set<string>();
  for (const { dev, what } of history.devices ?? [])
    if (what === 'refused') refused.add(dev);
    else if (what === 'attached') refused.delete(dev);
  return refused;
}

function isClosing(state: string | undefined): boolean {
  return state === '5' || state === '6';
}

/** Directories of one device: of its frontend, its backend, and libxl's own. */
const DEVICE_DIRECTORIES = [
  /^\/local\/domain\/(\d+)\/device\/(?:vif|vbd)\/\d+$/,
  /^\/local\/domain\/\d+\/backend\/(?:vif|vbd)\/(\d+)\/\d+$/,
  /^\/libxl\/(\d+)\/device\/(?:vif|vbd)\/\d+$/,
];

function placesOf({ domid, kind, devid }: ExpectedDevice) {
  return {
    frontend: `/local/domain/${domid}/device/${kind}/${devid}`,
    backend: `/local/domain/0/backend/${kind}/${domid}/${devid}`,
    libxl: `/libxl/${domid}/device/${kind}/${devid}`,
  };
}

function nameOf({ domid, kind, devid }: ExpectedDevice): string {
  return `${kind}/${domid}/${devid}`;
}

function textOf(node: SnapshotNode | undefined): string | undefined {
  return node === undefined ? undefined : String.fromCharCode(...node.value);
}
