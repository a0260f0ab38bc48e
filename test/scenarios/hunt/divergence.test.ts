import { describe, expect, it } from 'vitest';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';
import { Comparison, divergenceText } from '../../../scenarios/hunt/divergence.ts';
import {
  CHECKPOINT_EVERY,
  Checkpoints,
  EventLog,
  firstDifference,
  type LoggedEvent,
} from '../../../scenarios/hunt/event-log.ts';
import { type RunExtras, runnerOf } from '../../../scenarios/hunt/spec.ts';

const settings = completeSettings(liveUpdateMidTraffic.settings, { domains: 1, requests: 200, updates: 1, churn: 0 });
const spec = { scenario: liveUpdateMidTraffic.name, seed: '1', format: 'v2', settings };
const run = (extras: RunExtras = {}) => runnerOf([liveUpdateMidTraffic])(spec, extras);

function logged(
  from: number,
  to: number,
  more: RunExtras = {},
): { readonly events: LoggedEvent[]; readonly digest: string } {
  const events: LoggedEvent[] = [];
  const log = new EventLog({ from, to }, (event) => events.push(event));
  const { digest } = run({ ...log.extras, ...more });
  log.end(digest);
  return { events, digest };
}

describe('the events of a run', () => {
  it('are all there, with the digest of the run at the end; being looked at changes nothing', () => {
    const { events, digest } = logged(0, Number.POSITIVE_INFINITY);
    const plain = run();
    expect([digest, events.at(-1)?.n, events.at(-1)?.digest]).toEqual([
      plain.digest,
      plain.traceEvents - 1,
      plain.digest,
    ]);
    const [first] = events;
    expect(first!.n).toBeLessThan(40); // what made the host
    expect(events.map(({ n }) => n)).toEqual(events.map((_, i) => first!.n + i));
  });

  it('have checkpoints that are digests of the same events', () => {
    const checkpoints = new Checkpoints();
    run(checkpoints.extras);
    const { events } = logged(0, 2 * CHECKPOINT_EVERY + 1);
    const digestAfter = (count: number) => events.find(({ n }) => n === count - 1)?.digest;
    expect(checkpoints.digests.slice(1, 3)).toEqual([digestAfter(CHECKPOINT_EVERY), digestAfter(2 * CHECKPOINT_EVERY)]);
  });
});

describe('where two runs part', () => {
  const events = Array.from({ length: 20 }, (_, n): LoggedEvent => ({ n, digest: `d${n}`, text: `event ${n}` }));
  const compared = (left: readonly LoggedEvent[], right: readonly LoggedEvent[]) => {
    const comparison = new Comparison(left);
    for (const event of right) comparison.add(event);
    return comparison.result();
  };

  it('is nowhere if they are the same', () => {
    expect(compared(events, events)).toBeUndefined();
    expect(compared([], [])).toBeUndefined();
  });

  it('is the first event that differs, with what is around it on both sides', () => {
    const right = events.map((event) => (event.n < 12 ? event : { ...event, digest: 'x', text: `other ${event.n}` }));
    const parted = compared(events, right);
    expect(parted).toMatchObject({ n: 12 });
    const text = divergenceText(parted!, ['then', 'now']);
    expect(text).toMatch(
      /number 12\n.*both\n.* 7 {2}event 7\n[\s\S]*then\n {4}> +12 {2}event 12\n[\s\S]*now\n {4}> +12 {2}other 12\n/,
    );
  });

  it('is where one of them ends', () => {
    expect(compared(events, events.slice(0, 8))).toMatchObject({ n: 8, right: [] });
    expect(compared(events.slice(0, 8), events)).toMatchObject({ n: 8, left: [] });
  });

  it('is found between checkpoints', () => {
    expect([firstDifference(['a', 'b'], ['a', 'b']), firstDifference(['a', 'b'], ['a', 'c', 'd'])]).toEqual([
      undefined,
      1,
    ]);
    expect(firstDifference(['a'], ['a', 'b'])).toBe(1);
  });

  it('of two real runs is at the update that one of them does otherwise', () => {
    const other = logged(0, Number.POSITIVE_INFINITY, { passImage: (image) => image.subarray(0, 24) });
    const parted = compared(logged(0, Number.POSITIVE_INFINITY).events, other.events);
    expect(parted?.before.length).toBe(5);
    expect([...parted!.left, ...parted!.right].map(({ text }) => text).join('\n')).toMatch(/live update #1|xenstored/);
  });
});
