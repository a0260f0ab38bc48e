import { type Me, text, Xs } from '../../guests/index.ts';
import { Host, type HostOptions } from '../../scenarios/engine/host.ts';
import { type Actor, NO_JITTER } from '../../sim/index.ts';

/** What the functions below work on: a test's bench is one, whatever else it has. */
export interface OnHost {
  readonly host: Host;
}

/** A host with dom0 and a store, even in time and not recorded, unless a test says otherwise. */
export function testHost(options: Partial<HostOptions> = {}): Host {
  return new Host({
    seed: '1',
    jitter: NO_JITTER,
    requestsMax: Number.MAX_SAFE_INTEGER,
    policy: 'carry',
    compat: '4.22',
    records: false,
    ...options,
  });
}

const HORIZON_NS = 300_000_000_000;

/** Run until it is so, asked after each instant, or each `sliceNs`; or throw. */
export function until({ host }: OnHost, isSo: () => boolean, { withinNs = HORIZON_NS, sliceNs = 0 } = {}): void {
  const { scheduler } = host.machine;
  const came = scheduler.runUntil(isSo, scheduler.nowNs + withinNs, sliceNs);
  if (came !== 'met') throw new Error(`it did not come to that: ${came} at ${scheduler.nowNs} ns`);
}

/** Let virtual time pass, also if nobody has anything to do. */
export function pass({ host }: OnHost, ns: number): void {
  host.machine.scheduler.advance(ns);
}

/** Run several actors side by side, in dom0 unless it is said where, to the end of all; what they return. */
export function together<T>(
  bench: OnHost,
  bodies: readonly (readonly [name: string, body: (me: Me) => Actor<T>])[],
  os = bench.host.dom0.os,
): T[] {
  const results: { value: T }[] = [];
  for (const [i, [name, body]] of bodies.entries())
    os.start(name, function* (me): Actor {
      results[i] = { value: yield* body(me) };
    });
  until(bench, () => bodies.every((_, i) => results[i] !== undefined));
  return results.map(({ value }) => value);
}

/** Run one actor to its end. */
export function run<T>(bench: OnHost, name: string, body: (me: Me) => Actor<T>, os = bench.host.dom0.os): T {
  const [result] = together(bench, [[name, body]], os);
  return result as T;
}

/** Say this to the store as dom0, to the end. */
export function ask<T>(bench: OnHost, name: string, body: (xs: Xs) => Actor<T>): T {
  return run(bench, name, (me) => body(new Xs(bench.host.dom0.client, me)));
}

/** A node's value as dom0 reads it; `undefined`: there is none. */
export function look(bench: OnHost, path: string): string | undefined {
  return ask(bench, 'look', function* (xs) {
    const reply = yield* xs.read(path);
    return reply.error === undefined ? text(reply.payload) : undefined;
  });
}

/** A node's permissions as dom0 reads them, with commas between. */
export function permsOf(bench: OnHost, path: string): string {
  return ask(bench, 'perms', function* (xs) {
    return text((yield* xs.getPerms(path)).payload)
      .replace(/\0$/, '')
      .split('\0')
      .join(',');
  });
}

export function write(bench: OnHost, path: string, value: string): void {
  ask(bench, 'write', function* (xs): Actor {
    yield* xs.write(path, value);
  });
}

export function remove(bench: OnHost, path: string): void {
  ask(bench, 'rm', function* (xs): Actor {
    yield* xs.rm(path);
  });
}
