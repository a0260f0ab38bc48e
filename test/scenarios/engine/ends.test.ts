import { afterEach, describe, expect, it, vi } from 'vitest';
import { XenbusDevice } from '../../../guests/devices/index.ts';
import { CONTROL_TIMEOUT_NS } from '../../../guests/libxl/power.ts';
import { DESTROY_TIMEOUT_NS, HOTPLUG_TIMEOUT_NS, INIT_TIMEOUT_NS } from '../../../guests/libxl/process.ts';
import { PATIENCE_NS } from '../../../guests/libxl/suspend.ts';
import { deviceIo } from '../../../scenarios/catalogue/device-io.ts';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import { PATIENCE, QUIET_NS } from '../../../scenarios/engine/patience.ts';
import type { RunRequest, RunResult } from '../../../scenarios/engine/scenario.ts';
import { causeOf } from '../../../scenarios/report/cause.ts';
import { jsonReport } from '../../../scenarios/report/json.ts';
import { textReport } from '../../../scenarios/report/text.ts';
import type { Machine } from '../../../sim/index.ts';
import { FrontRing } from '../../../sim/io-ring.ts';
import { SimPlatform } from '../../../store/daemon/sim-platform.ts';
import { type StoreProcess, startXenstored } from '../../../store/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { textOf } from '../../../store/protocol/octets.ts';
import { XS } from '../../../store/protocol/wire.ts';
import { broken } from '../../support/headline.ts';

/** Slots of either ring of an interface. */
const NET_SLOTS = 256;

afterEach(() => vi.restoreAllMocks());

/** The headline scenario; `at` is called once, about when so much virtual time is over. */
function headline(
  request: Partial<RunRequest> = {},
  afterNs = 0,
  at: (host: { readonly machine: Machine; readonly store: StoreProcess }) => void = () => {},
): RunResult {
  let host: Parameters<typeof at>[0] | undefined;
  return liveUpdateMidTraffic.run({
    seed: '1',
    format: 'v2',
    settings: { requests: 2_500, updates: 2 },
    checks: true,
    startStore: (machine, domain, setup) => {
      const store = startXenstored(machine, domain, setup);
      host = { machine, store };
      return store;
    },
    looked: ({ virtualNs }) => {
      if (host === undefined || virtualNs < afterNs) return;
      at(host);
      host = undefined;
    },
    ...request,
  });
}

describe('what is thrown under the scheduler is the outcome of the run', () => {
  it('says what, where, when and after what', () => {
    const result = headline({
      passImage: () => {
        throw new Error('assertion: planted');
      },
    });
    expect(result).toMatchObject({
      outcome: 'error',
      failure: { what: 'assertion: planted', actor: 'dom0/xenstored' },
      verdicts: [],
    });
    expect(result.failure?.timeNs).toBe(result.virtualNs);
    expect(result.failure?.step).toBe(result.steps);
    expect(result.failure?.events).toHaveLength(30);
    expect(result.failure?.events.map(({ timeNs }) => timeNs)).toEqual(
      result.failure?.events.map(({ timeNs }) => timeNs).toSorted((a, b) => a - b),
    );
    const text = textReport(result, { colour: false, command: 'npm start --' });
    expect(text).toMatch(
      /error in a step of dom0\/xenstored, step [\d,]+, at [\d.,]+ virtual ms\n {4}assertion: planted/,
    );
    expect(text).toContain('replay: npm start -- run live-update-mid-traffic --seed 1 ');
    expect(text).not.toContain('ends.test.ts');
    expect(textReport(result, { colour: false, stack: true })).toContain('ends.test.ts');
    expect(JSON.parse(jsonReport(result))).toMatchObject({ outcome: 'error', failure: { actor: 'dom0/xenstored' } });
    expect(jsonReport(result)).not.toContain('"stack"');
  });

  it('a pin that leaks in the grant code', () => {
    const result = headline({}, 5_000_000, ({ machine }) => {
      for (const domain of machine.domains())
        for (const [, entry] of domain.grants.pinned().slice(0, 1)) entry.pin += 0x100;
    });
    expect(result.outcome).toBe('error');
    expect(result.failure?.what).toMatch(/^assertion: .*pins 0x/);
    expect(causeOf(result)?.key).not.toMatch(/d[0-9]|0x[0-9]/);
  });

  it('a reply of more octets than a message has, which the last reading believes', () => {
    const shift = MessageReader.prototype.shift;
    vi.spyOn(MessageReader.prototype, 'shift').mockImplementation(function (this: MessageReader) {
      const message = shift.call(this);
      if (message?.type !== XS.DIRECTORY || !/(?:^|\0)local\0/.test(textOf(message.payload))) return message;
      return { ...message, payload: new Uint8Array(5_000).fill(0x61).fill(0, 4_999) };
    });
    const result = headline();
    expect(result).toMatchObject({ outcome: 'error', failure: { what: 'assertion: payload of 5001 octets' } });
    expect(result.failure?.actor).toMatch(/^dom\d*U?\d*\//);
  });

  it('what is thrown before there is a host, too', () => {
    const result = headline({
      startStore: () => {
        throw new RangeError('no store');
      },
    });
    expect(result).toMatchObject({ outcome: 'error', failure: { what: 'RangeError: no store', events: [] } });
    expect(textReport(result, { colour: false })).toContain('no store');
  });
});

describe('a run that does not come to rest is stuck', () => {
  const isForgotten = (result: RunResult) => {
    expect(result.verdicts.map(({ invariant }) => invariant)).not.toContain('final-tree');
    return textReport(result, { colour: false });
  };

  it('when its store has ended, at once', () => {
    const result = headline({}, 5_000_000, ({ store }) => store.end());
    expect(result.virtualNs).toBeLessThan(20_000_000);
    const text = isForgotten(result);
    expect(text).toMatch(/everybody: the store: it has ended/);
    expect(text).toMatch(/dom\S+ since [\d.,]+ ms: the answer to [A-Z_]+ /);
    expect(result.reason).toMatch(/does not come to rest, and nothing has moved since \d+ ns/);
  });

  it('when events are lost, and tells who has what to read, and that no event is on its way', () => {
    const notify = SimPlatform.prototype.notify;
    let notified = 0;
    let deaf = 0;
    vi.spyOn(SimPlatform.prototype, 'notify').mockImplementation(function (this: SimPlatform, port) {
      if (++notified === 3_000) deaf = port; // from here on nobody tells this guest
      if (port !== deaf) notify.call(this, port);
    });
    const result = headline();
    expect(result.outcome).not.toBe('pass');
    expect(result.virtualNs).toBeLessThan(QUIET_NS);
    expect(isForgotten(result)).toMatch(
      /dom\S+ since [\d.,]+ ms: the answer to .* octets to read, .*event not pending/,
    );
  });

  it('when devices are, though guests go on asking the store; and names the device, and what its drivers say', () => {
    const tells = FrontRing.prototype.shouldNotify;
    let told = 0;
    vi.spyOn(FrontRing.prototype, 'shouldNotify').mockImplementation(function (this: FrontRing, before) {
      const isMute = this.slots === NET_SLOTS && ++told > 100; // from here on netback hears nothing
      return !isMute && tells.call(this, before);
    });
    const settings = { block: 800, net: 800, reconnects: 0, churn: 0, hotplug: 0 };
    const result = deviceIo.run({ seed: '1', format: 'v2', settings, checks: true });
    expect(result.outcome).toBe('stuck');
    expect(broken(result)).toEqual([]);
    expect(result.reason).toMatch(/domU\d uses vif\/\d\/0/);
    const [silent] = result.waits?.filter(({ what }) => /packets: netback has not taken them/.test(what)) ?? [];
    expect(silent?.who).toMatch(/^vif\/\d\/0 \(domU\d\)$/);
    expect(isForgotten(result)).toContain(`${silent?.who} since `);
  });

  it('when a driver waits for another end, which says so itself', () => {
    const reads = XenbusDevice.prototype.read;
    vi.spyOn(XenbusDevice.prototype, 'read').mockImplementation(function* (this: XenbusDevice, key) {
      return key === 'hotplug-status' ? undefined : yield* reads.call(this, key);
    });
    const settings = { block: 100, net: 100 };
    const result = deviceIo.run({ seed: '1', format: 'v2', settings, checks: true });
    expect(result.outcome).toBe('stuck');
    expect(isForgotten(result)).toMatch(
      /vif\/1\/0 backend since [\d.,]+ ms: hotplug-status connected, of the hotplug script.*; in state 2; saw its frontend in state 4/,
    );
  });

  it('but not when it waits for as long as its programs may', () => {
    const longest = Math.max(...PATIENCE.map(({ ns }) => ns));
    const known = [INIT_TIMEOUT_NS, DESTROY_TIMEOUT_NS, HOTPLUG_TIMEOUT_NS, CONTROL_TIMEOUT_NS, PATIENCE_NS];
    expect(known.every((ns) => PATIENCE.some((row) => row.ns === ns))).toBe(true);
    expect(QUIET_NS).toBeGreaterThan(longest);
  });
});
