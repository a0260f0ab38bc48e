import { afterEach, describe, expect, it, vi } from 'vitest';
import { Bridge, Xenbus } from '../../../guests/devices/index.ts';
import { type Reply, XsSocket } from '../../../guests/index.ts';
import { ProcessWatch } from '../../../guests/libxl/process-watch.ts';
import { Xs } from '../../../guests/xenstore/index.ts';
import { hotplugStorm } from '../../../scenarios/catalogue/hotplug-storm.ts';
import type { Actor } from '../../../sim/index.ts';

/*
 * What a toolstack forgets. Each row takes one thing out of what libxl, a kernel's bus or the console daemon does at the end of
 * a domain or a device, or lets somebody in: the run's own checks must say what is left, where, and whose it was.
 */

const SMALL = { domains: 2, administrators: 2, devices: 5, restarts: 1, checkpoints: 0, updates: 1, io: 1 };
const SEEDS_MAX = 20;

/** What the check says of the first seed that it does not pass; '': of none. */
function said(set: Record<string, number | string> = {}): string {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const result = hotplugStorm.run({ seed: String(seed), format: 'v2', settings: { ...SMALL, ...set }, checks: true });
    const found = result.verdicts.find((v) => v.invariant === 'toolstack')?.violations ?? [];
    if (found.length > 0) return found.map((v) => v.detail).join('\n');
  }
  return '';
}

/** RMs of these paths are said to have been done. */
function forgetting(path: RegExp): void {
  const rm = Xs.prototype.rm;
  vi.spyOn(Xs.prototype, 'rm').mockImplementation(function* (this: Xs, asked: string, tx = 0): Actor<Reply> {
    if (!path.test(asked)) return yield* rm.call(this, asked, tx);
    return { type: 13, payload: new Uint8Array(0), error: undefined };
  });
}

/** SET_PERMS of these paths lets in somebody else, too. */
function lettingIn(path: RegExp, entries: (perms: readonly string[]) => readonly string[]): void {
  const setPerms = Xs.prototype.setPerms;
  vi.spyOn(Xs.prototype, 'setPerms').mockImplementation(function (this: Xs, asked, perms, tx = 0): Actor<Reply> {
    return setPerms.call(this, asked, path.test(asked) ? entries(perms) : perms, tx);
  });
}

afterEach(() => vi.restoreAllMocks());

describe('a toolstack that forgets nothing', () => {
  it('has nothing said of it', () => {
    const result = hotplugStorm.run({ seed: '1', format: 'v2', settings: { ...SMALL }, checks: true });
    const verdict = result.verdicts.find((v) => v.invariant === 'toolstack');
    expect(verdict?.violations).toEqual([]);
    for (const [what, count] of verdict?.checked ?? [])
      if (what !== 'places written after that') expect([what, count > 0]).toEqual([what, true]);
  });
});

describe('INV-L1: what is left in the tree', () => {
  it.each([
    ["libxl's own tree", /^\/libxl\/\d+$/, /INV-L1: \/libxl\/\d+ is left of domain \d+, which was destroyed/],
    ['the home', /^\/local\/domain\/\d+$/, /INV-L1: \/local\/domain\/\d+ is left of domain \d+, which was destroyed/],
    [
      '/vm/<uuid>',
      /^\/vm\//,
      /INV-L1: \/vm\/[0-9a-f-]+ is left of domU\d-\d \(domain \d+\), which was destroyed .*last written by dom0\/init/,
    ],
    [
      "a vif's backend",
      /\/backend\/vif\/\d+\/\d+$/,
      /INV-L1: \/local\/domain\/0\/backend\/vif\/\d+(?:\/\d+)? is left of (?:domain|vif\/)/,
    ],
    ["a disk's backend", /\/backend\/vbd\/\d+\/\d+$/, /INV-L1: \/local\/domain\/0\/backend\/vbd\/\d+/],
    [
      'the empty parent of backends',
      /\/backend\/vif\/\d+$/,
      /INV-L1: \/local\/domain\/0\/backend\/vif\/\d+ is left of/,
    ],
    [
      "a device's place in libxl's tree",
      /^\/libxl\/\d+\/device\/vif\/\d+$/,
      /INV-L1: \/libxl\/\d+\/device\/vif\/\d+ is left of vif/,
    ],
  ])('%s', (_, path, detail) => {
    forgetting(path);
    expect(said()).toMatch(detail);
  });
});

describe('INV-L2: watches of what is no more', () => {
  it("a kernel's, of a device", () => {
    vi.spyOn(Xenbus.prototype, 'unwatch').mockImplementation(function* (): Actor {});
    expect(said()).toMatch(
      /INV-L2: the watch on \/local\/domain\/\d+\/(?:backend|device)\/\S+ \(token \S+\) of \S+, since [0-9.]+ ms, still stands, though (?:vif|vbd|domain)/,
    );
  });

  it("libxl's, of a backend's state", () => {
    vi.spyOn(ProcessWatch.prototype, 'deregister').mockImplementation(function* (): Actor {});
    expect(said()).toMatch(
      /INV-L2: the watch on \/local\/domain\/0\/backend\/\S+\/state \(token \d+\/[0-9a-f]+\) of dom0\/xl-/,
    );
  });

  it("the console daemon's, of a dead domain", () => {
    const unwatch = XsSocket.prototype.unwatch;
    vi.spyOn(XsSocket.prototype, 'unwatch').mockImplementation(function* (
      this: XsSocket,
      me,
      path,
      token,
    ): Actor<Reply> {
      if (!path.endsWith('/console')) return yield* unwatch.call(this, me, path, token);
      return { type: 5, payload: new Uint8Array(0), error: undefined };
    });
    expect(said()).toMatch(/INV-L2: the watch on \/local\/domain\/\d+\/console \(token dom\d+\) of dom0\/xenconsoled/);
  });
});

describe('INV-L3: who is let in', () => {
  it.each([
    [
      '/vm/<uuid> may be read by another domain',
      /^\/vm\//,
      ['r9'],
      /permissions of \/vm\/\S+ of domU\S+ \(domain \d+\): expected n0 r\d+, came n0 r\d+ r9/,
    ],
    [
      "libxl's own tree may be read",
      /^\/libxl\/\d+$/,
      ['r9'],
      /permissions of \/libxl\/\d+\S*, .*expected n0, came n0 r9/,
    ],
    [
      'a backend may be read by another domain',
      /\/backend\/vbd\/\d+\/\d+$/,
      ['r9'],
      /permissions of \/local\/domain\/0\/backend\/vbd\//,
    ],
    ["the guest's home", /^\/local\/domain\/\d+$/, ['w9'], /permissions of \/local\/domain\/\d+, of /],
    [
      'memory, which the guest may only read',
      /\/memory$/,
      'owner',
      /permissions of \/local\/domain\/(\d+)\/memory\S*, .*expected n0 r\d+, came n\d+/,
    ],
    [
      'control/shutdown, which is the guest’s',
      /\/control\/shutdown$/,
      'taken',
      /permissions of \S+\/control\/shutdown, .*expected domain \d+ as owner, came n0/,
    ],
  ] as const)('%s', (_, path, what, detail) => {
    lettingIn(path, (perms) => {
      if (what === 'owner') return [`n${perms[1]?.slice(1)}`];
      if (what === 'taken') return ['n0', ...perms.map((entry) => `b${entry.slice(1)}`)];
      return [...perms, ...what];
    });
    expect(said()).toMatch(detail);
  });
});

describe('HS-14: a vif that no script has put on its bridge', () => {
  it('is named, and the run comes to its end', () => {
    vi.spyOn(Bridge.prototype, 'addInterface').mockImplementation(() => {});
    const result = hotplugStorm.run({ seed: '1', format: 'v2', settings: { ...SMALL }, checks: true });
    const found = result.verdicts.find((v) => v.invariant === 'devices')?.violations ?? [];
    expect([result.reason, found[0]?.actor]).toEqual(['', expect.stringMatching(/^vif\/\d+\/0$/)]);
    expect(found[0]?.detail).toBe('HS-14: it is connected, and no script has put it on its bridge');
    expect(result.history?.devices?.some(({ what }) => what === 'received')).toBe(false);
  });
});
