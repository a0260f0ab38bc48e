import { describe, expect, it } from 'vitest';
import { Attacker, HOSTILE_KINDS, type HostileKind, type StoreVersion } from '../../../guests/hostile/index.ts';
import { GuestOs, strings, text, XS, Xs } from '../../../guests/index.ts';
import type { Actor } from '../../../sim/index.ts';
import { testHost } from '../../support/host.ts';

/* Each kind alone with a store, and then over a live update: it gets what the catalogue says, and dom0 is served all along. */

const HOME = '/local/domain/3';

interface Outcome {
  readonly attacker: Attacker | undefined;
  readonly introduced: string;
  readonly dom0: readonly string[];
  readonly done: boolean;
}

function alone(kind: HostileKind, version: StoreVersion, updates: boolean, movesInSteps: boolean): Outcome {
  const host = testHost({ seed: '7', compat: version, limitsWrites: false, movesInSteps });
  const built = host.build(3, 'bad');
  const os = new GuestOs(host.machine, built.domain);
  kind.before?.(os, built);
  let introduced = '';
  let attacker: Attacker | undefined;
  let over = false;
  const dom0: string[] = [];
  host.dom0.os.start('setup', function* (me): Actor {
    const xs = new Xs(host.dom0.client, me);
    const make = function* (path: string, value: string, perms: readonly string[]): Actor {
      yield* xs.write(path, value);
      yield* xs.setPerms(path, perms);
    };
    yield* make('/local/domain/0', '', ['n0']);
    yield* xs.write('/local/domain/0/name', 'Domain-0');
    yield* make(HOME, '', ['n0', 'r3']);
    yield* make(`${HOME}/name`, 'bad', ['n0', 'r3']);
    const reply = yield* xs.call(XS.INTRODUCE, strings('3', String(built.ring.gfn), String(built.port)));
    introduced = reply.error ?? text(reply.payload).slice(0, -1);
    yield* make(`${HOME}/data`, '', ['n3']);
    host.machine.unpause(built.domain);
    os.start('bad', function* (own): Actor {
      attacker = new Attacker(os, own, built, version, () => false);
      yield* kind.run(attacker);
      over = true;
    });
    for (let i = 0; !over; i++) {
      yield 5_000_000;
      if (attacker?.isToBeIntroduced === true) {
        const port = host.dom0.os.hyper.allocUnbound(3, host.storeDomid);
        if (!port.ok) throw new Error(port.errno);
        yield* xs.call(XS.INTRODUCE, strings('3', String(built.ring.gfn), String(port.value)));
        attacker.begunAnew(port.value);
      }
      const name = yield* xs.read('/local/domain/0/name');
      dom0.push(text(name.payload));
      if (!updates || i % 3 !== 0 || i > 30) continue;
      yield* xs.call(XS.CONTROL, strings('live-update', '-f', '/usr/sbin/xenstored'));
      const answer = yield* xs.call(XS.CONTROL, strings('live-update', '-s', '-t', '0'));
      dom0.push(text(answer.payload));
    }
  });
  host.machine.scheduler.runUntil(() => over, 100e9, 1e7);
  return { attacker, introduced, dom0, done: over };
}

describe.each(['4.22', '4.17'] as const)('hostile guests and a store of %s', (version) => {
  describe.each(HOSTILE_KINDS)('$name $ids', (kind) => {
    it.each([
      [false, false],
      [true, false],
      [false, true],
    ])(`gets: ${kind.gets} (live updates: %s, the store's accesses each a step: %s)`, (updates, steps) => {
      const { attacker, introduced, dom0, done } = alone(kind, version, updates, steps);
      expect(done).toBe(true);
      expect(introduced).toBe(kind.introduce?.(version) ?? 'OK');
      expect(attacker?.surprises).toEqual([]);
      expect(attacker?.expected).toBeGreaterThan(0);
      expect(new Set(dom0)).toEqual(new Set(updates && dom0.length > 1 ? ['Domain-0', 'OK\0'] : ['Domain-0']));
    });
  });
});
