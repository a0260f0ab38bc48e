import { describe, expect, it } from 'vitest';
import { type ControlHooks, GuestControl, text, type Xs } from '../../../guests/index.ts';
import { takeCommand } from '../../../guests/power/index.ts';
import { LIFELIKE } from '../../../scenarios/engine/host.ts';
import { type ControlRecord, controlOnce } from '../../../scenarios/judge/invariants/control.ts';
import { type Actor, PARK, SHUTDOWN_REASONS } from '../../../sim/index.ts';
import { octetsOf } from '../../../store/protocol/octets.ts';
import { HandHost } from '../../support/hand-host.ts';

const SHUTDOWN = '/local/domain/1/control/shutdown';
const NODES = [
  ['control', '', false],
  ['control/shutdown', '', true],
  ['control/sysrq', '', true],
  ['control/feature-poweroff', '', true],
  ['control/feature-reboot', '', true],
  ['control/feature-suspend', '', true],
  ['memory/target', '100000', false],
  ['cpu/0/availability', 'online', false],
  ['cpu/1/availability', 'offline', false],
] as const;

function guest(hooks: ControlHooks = {}, options: ConstructorParameters<typeof HandHost>[0] = {}) {
  const bench = new HandHost(options);
  const { built, os, client } = bench.boot(1, NODES);
  const acted: string[] = [];
  const control = new GuestControl(os, client, { acts: (command) => acted.push(command), ...hooks });
  control.start();
  bench.run(1);
  return { bench, domain: built.domain, control, acted, os };
}

describe('the kernel listens to control/*', () => {
  it('says what it can do: not halt, and suspend only if it can', () => {
    const { bench } = guest();
    const told = (name: string) => bench.read(`/local/domain/1/control/feature-${name}`);
    expect([told('poweroff'), told('reboot'), told('suspend'), told('halt')]).toEqual(['1', '1', '', undefined]);
    const able = guest({ suspend: function* () {} });
    expect(able.bench.read('/local/domain/1/control/feature-suspend')).toBe('1');
  });

  it.each([
    ['poweroff', 'poweroff'],
    ['halt', 'poweroff'],
    ['reboot', 'reboot'],
  ] as const)('takes %s away and shuts down for the reason %s', (command, reason) => {
    const { bench, domain, acted } = guest();
    bench.write(SHUTDOWN, command);
    bench.until(() => domain.shutdown !== undefined);
    expect(domain.shutdown).toBe(reason);
    expect(acted).toEqual([command]);
    expect(bench.read(SHUTDOWN)).toBe('');
    expect(SHUTDOWN_REASONS.indexOf(reason)).toBe(domain.shutdownCode);
  });

  it.each([
    ['ENOENT', 'poweroff', 1],
    ['EAGAIN', undefined, 2],
  ] as const)('is answered %s at its commit by a store where it then finds nothing: %s', (error, expected, rounds) => {
    const node = ['poweroff', ''];
    const answering = (result: unknown) =>
      function* () {
        return result;
      };
    const xs = {
      begin: answering({ txId: 1 }),
      read: function* () {
        return { payload: octetsOf(node.shift()!), error: undefined };
      },
      write: answering({}),
      end: function* (_txId: number, isCommit: boolean) {
        return isCommit ? error : undefined;
      },
    } as unknown as Xs;
    const step = takeCommand(xs, (said): said is string => said === 'poweroff').next();
    expect(step).toEqual({ done: true, value: expected });
    expect(2 - node.length).toBe(rounds);
  });

  it.each(['s5', 'suspend', 'POWEROFF', ' '])('leaves %j, which it does not know, where it is', (command) => {
    const { bench, domain, acted } = guest();
    bench.write(SHUTDOWN, command);
    bench.run(20);
    expect(bench.read(SHUTDOWN)).toBe(command);
    expect(acted).toEqual([]);
    expect(domain.isRunning).toBe(true);
  });

  it('suspends as often as it is asked to, and hears nothing meanwhile', () => {
    let isBack = false;
    let wake: () => void = () => {};
    const { bench, acted } = guest({
      suspend: function* (me): Actor {
        isBack = false;
        wake = () => {
          isBack = true;
          me.wake();
        };
        while (!isBack) yield PARK; // events wake the thread, too
      },
    });
    for (let n = 1; n <= 3; n++) {
      bench.write(SHUTDOWN, 'suspend');
      bench.run(2);
      expect(acted).toHaveLength(n);
      bench.write(SHUTDOWN, 'suspend');
      bench.run(2);
      expect(acted).toHaveLength(n);
      wake();
      bench.run(2);
      expect(acted).toHaveLength(n + 1); // the event was queued, and the node says so still
      wake();
      bench.run(2);
      acted.length = n;
    }
  });

  it('takes one key of control/sysrq at a time', () => {
    const keys: string[] = [];
    const { bench } = guest({ sysrq: (key) => keys.push(key) });
    for (const key of ['h', '', 's']) {
      bench.write('/local/domain/1/control/sysrq', key);
      bench.run(2);
      expect(bench.read('/local/domain/1/control/sysrq')).toBe('');
    }
    expect(keys).toEqual(['h', 's']);
  });

  it('moves its balloon towards memory/target, a piece at a time, and ignores what is no number', () => {
    const { bench, control } = guest();
    expect([control.targetKb, control.memoryKb]).toEqual([100_000, 100_000]);
    bench.write('/local/domain/1/memory/target', '80000');
    bench.run(0.3);
    expect(control.targetKb).toBe(80_000);
    expect(control.memoryKb).toBeGreaterThan(80_000);
    bench.write('/local/domain/1/memory/target', 'much');
    bench.run(5);
    expect([control.targetKb, control.memoryKb]).toEqual([80_000, 80_000]);
  });

  it('brings vCPUs online and offline, but for the first', () => {
    const { bench, control } = guest();
    const cpu = (n: number, state: string) => {
      bench.write(`/local/domain/1/cpu/${n}/availability`, state);
      bench.run(1);
      return control.cpus;
    };
    expect(control.cpus).toEqual([0]);
    expect(cpu(1, 'online')).toEqual([0, 1]);
    expect(cpu(1, 'sleeping')).toEqual([0, 1]);
    expect(cpu(1, 'offline')).toEqual([0]);
    expect(cpu(0, 'offline')).toEqual([0]);
  });
});

/** A toolstack that asks for a suspend, gives the guest so long, and then takes it back; what each side says of it. */
function race(seed: number, patienceNs: number) {
  const records: ControlRecord[] = [];
  const note = (what: ControlRecord['what']) =>
    records.push({ seq: records.length, timeNs: 0, domid: 1, name: 'domU1', what, command: 'suspend' });
  const { bench, os } = guest(
    { acts: () => note('acted'), suspend: function* () {} },
    { seed: String(seed), jitter: LIFELIKE },
  );
  // Somebody keeps the guest's kernel busy, so that it comes late now and then.
  os.start('noise', function* (me): Actor {
    for (let n = 0; n < 40; n++) yield me.draws.below(2_000);
  });
  let takenBack = false;
  bench.xs(function* (xs): Actor {
    note('asked');
    yield* xs.write(SHUTDOWN, 'suspend');
    yield patienceNs;
    const done = yield* xs.transaction(function* (tx) {
      const state = yield* xs.read(SHUTDOWN, tx);
      if (text(state.payload) !== 'suspend') return 'acked';
      yield* xs.write(SHUTDOWN, '', tx);
      return 'taken back';
    }, 1_000);
    takenBack = 'value' in done && done.value === 'taken back';
    if (takenBack) note('taken back');
  });
  bench.run(5);
  const history = { records, known: new Set(['suspend']), listening: new Set([1]) };
  return { takenBack, acted: records.some((r) => r.what === 'acted'), verdict: controlOnce(history) };
}

describe('two transactions on one node', () => {
  it('HS-9: exactly one of the acknowledgement and the time-out commits, whichever was first', () => {
    const ends = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const { takenBack, acted, verdict } = race(seed, 3_000 + 500 * seed);
      expect(acted, `seed ${seed}`).toBe(!takenBack);
      expect(verdict.violations).toEqual([]);
      ends.add(takenBack ? 'time-out' : 'acknowledgement');
    }
    expect([...ends].sort()).toEqual(['acknowledgement', 'time-out']);
  });

  it('HS-10: each write fires the watches of both sides, the writer among them, and both ignore the echo', () => {
    const { bench, acted, os, domain } = guest({ suspend: function* () {} });
    const seen: Record<'toolstack' | 'guest', string[]> = { toolstack: [], guest: [] };
    const listen = (who: 'toolstack' | 'guest', path: string) =>
      function* (me: Parameters<Parameters<typeof os.start>[1]>[0]): Actor {
        const { client } = who === 'guest' ? (bench.host.guests[0] as (typeof bench.host.guests)[0]) : bench.host.dom0;
        const queue = { events: [] as { path: string; token: string }[], me };
        yield* client.watch(queue, path, `${who}-listens`);
        for (;;) {
          const event = queue.events.shift();
          if (event === undefined) yield PARK;
          else {
            const reply = yield* client.request(me, 2, new Uint8Array([...`${path}\0`].map((c) => c.charCodeAt(0))));
            seen[who].push(text(reply.payload));
          }
        }
      };
    os.start('listener', listen('guest', 'control/shutdown'));
    bench.host.dom0.os.start('listener', listen('toolstack', SHUTDOWN));
    bench.run(1);
    seen.guest.length = 0;
    seen.toolstack.length = 0;
    bench.write(SHUTDOWN, 'suspend');
    bench.run(2);
    // Two writes, two events for each side; what is read at the first may be either value.
    expect(seen.toolstack).toHaveLength(2);
    expect(seen.guest).toHaveLength(2);
    expect([seen.toolstack[1], seen.guest[1]]).toEqual(['', '']);
    expect(acted).toEqual(['suspend']);
    expect(domain.isRunning).toBe(true);
  });
});

describe('INV-H5: a command is acted on once', () => {
  const asked = (command: string, domid = 1) => ({ what: 'asked', command, domid }) as const;
  const acted = (command: string, domid = 1) => ({ what: 'acted', command, domid }) as const;
  const back = (command: string) => ({ what: 'taken back', command, domid: 1 }) as const;

  it.each<[why: string, steps: readonly Pick<ControlRecord, 'what' | 'command' | 'domid'>[], violations: number]>([
    ['done', [asked('suspend'), acted('suspend')], 0],
    ['done twice, asked twice', [asked('suspend'), acted('suspend'), asked('suspend'), acted('suspend')], 0],
    ['taken back in time', [asked('suspend'), back('suspend')], 0],
    ['unknown, and left alone', [asked('s5')], 0],
    ['asked of one who does not listen', [asked('suspend', 2)], 0],
    ['done twice', [asked('suspend'), acted('suspend'), acted('suspend')], 1],
    ['done although it was taken back', [asked('suspend'), back('suspend'), acted('suspend')], 1],
    ['taken back although it was done', [asked('suspend'), acted('suspend'), back('suspend')], 1],
    ['never done', [asked('suspend')], 1],
    ['done unasked', [acted('poweroff')], 1],
    ['another command is done', [asked('suspend'), acted('poweroff')], 2],
    ['unknown, and done', [asked('s5'), acted('s5')], 1],
  ])('INV-H5: %s', (_, steps, violations) => {
    const records = steps.map((step, seq): ControlRecord => ({ ...step, seq, timeNs: 0, name: `domU${step.domid}` }));
    const known = new Set(['suspend', 'poweroff']);
    expect(controlOnce({ records, known, listening: new Set([1]) }).violations).toHaveLength(violations);
  });

  it('a guest that acts without taking the command away is caught', () => {
    let verdict = race(1, 2_000).verdict;
    expect(verdict.violations).toEqual([]);
    // The same race, with a guest whose acknowledgement is a plain write before it looks again.
    const records: ControlRecord[] = [];
    const bench = new HandHost();
    const { os, client } = bench.boot(1, NODES);
    os.start('careless', function* (me): Actor {
      const queue = { events: [] as { path: string; token: string }[], me };
      yield* client.watch(queue, 'control/shutdown', 'careless');
      for (;;) {
        if (queue.events.shift() === undefined) yield PARK;
        else {
          const reply = yield* client.request(me, 2, new TextEncoder().encode('control/shutdown\0'));
          if (text(reply.payload) !== 'suspend') continue;
          yield 20_000;
          records.push({ seq: 0, timeNs: 0, domid: 1, name: 'domU1', what: 'acted', command: 'suspend' });
          yield* client.request(me, 11, new TextEncoder().encode('control/shutdown\0'));
        }
      }
    });
    bench.run(1);
    records.push({ seq: 0, timeNs: 0, domid: 1, name: 'domU1', what: 'asked', command: 'suspend' });
    bench.write(SHUTDOWN, 'suspend');
    bench.write(SHUTDOWN, '');
    records.push({ seq: 0, timeNs: 0, domid: 1, name: 'domU1', what: 'taken back', command: 'suspend' });
    bench.run(5);
    verdict = controlOnce({ records, known: new Set(['suspend']), listening: new Set([1]) });
    expect(verdict.violations).toHaveLength(1);
  });
});
