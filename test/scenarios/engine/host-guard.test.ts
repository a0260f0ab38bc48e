import { describe, expect, it } from 'vitest';
import { withoutHost } from '../../../scenarios/engine/host-guard.ts';
import { headline } from '../../support/headline.ts';

const ASKED: readonly (readonly [name: string, ask: () => unknown])[] = [
  ['Date', () => new Date()],
  ['Date', () => Date.now()],
  ['performance.now', () => performance.now()],
  ['process.hrtime', () => process.hrtime()],
  ['process.uptime', () => process.uptime()],
  ['Math.random', () => Math.random()],
  ['crypto.randomUUID', () => crypto.randomUUID()],
  ['crypto.getRandomValues', () => crypto.getRandomValues(new Uint8Array(1))],
  ['setTimeout', () => setTimeout(() => {}, 0)],
  ['setInterval', () => setInterval(() => {}, 1_000)],
  ['setImmediate', () => setImmediate(() => {})],
  ['queueMicrotask', () => queueMicrotask(() => {})],
];

describe('while a simulation runs, the host', () => {
  it.each(ASKED)('has no %s', (name, ask) => {
    if (name === 'Date' && ask.toString().includes('now'))
      expect(() => withoutHost(ask)).toThrow(); // there is nothing that has a now
    else expect(() => withoutHost(ask)).toThrow(`a simulation asks the host for ${name}: `);
  });

  it('is as it was afterwards, also when something was thrown', () => {
    const before = [Date, Math.random, setTimeout, queueMicrotask, performance.now, process.hrtime];
    withoutHost(() => {});
    expect(() =>
      withoutHost(() => {
        throw new Error('for a reason');
      }),
    ).toThrow('for a reason');
    expect([Date, Math.random, setTimeout, queueMicrotask, performance.now, process.hrtime]).toEqual(before);
    expect(Object.hasOwn(performance, 'now')).toBe(false);
  });

  it('that is asked for its time in the middle of an update is an error of that run, with what to ask instead', () => {
    const passImage = (image: Uint8Array) => (Date.now() > 0 ? image : image.subarray(1));
    const { outcome, failure } = headline({ set: { domains: 2, requests: 400 }, passImage });
    expect(outcome).toBe('error');
    expect(failure?.what).toMatch(/Date/);
  });
});
