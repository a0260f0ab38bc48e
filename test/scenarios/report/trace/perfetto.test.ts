import { beforeAll, describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../../scenarios/catalogue/index.ts';
import type { RunResult } from '../../../../scenarios/engine/scenario.ts';
import { perfettoOf } from '../../../../scenarios/report/trace/index.ts';

/** Fields of a protobuf message by number, each as often as it is there: numbers, or octets. */
type Fields = Map<number, (bigint | Uint8Array)[]>;

/** Reads a message by the rules of protobuf alone; throws where it is none. */
function decoded(octets: Uint8Array): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const octet = octets[at++];
      if (octet === undefined || shift > 63n) throw new Error(`no varint at ${at}`);
      value |= BigInt(octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
  };
  const taken = (count: number) => {
    if (at + count > octets.length) throw new Error(`cut at ${at}`);
    at += count;
    return octets.subarray(at - count, at);
  };
  while (at < octets.length) {
    const key = varint();
    const wire = Number(key & 7n);
    if (![0, 1, 2].includes(wire)) throw new Error(`wire type ${wire} at ${at}`);
    const value =
      wire === 0 ? varint() : wire === 1 ? Buffer.from(taken(8)).readBigUInt64LE(0) : taken(Number(varint()));
    const field = Number(key >> 3n);
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const number = (fields: Fields, field: number) => fields.get(field)?.[0] as bigint | undefined;
const inside = (fields: Fields, field: number) => {
  const octets = fields.get(field)?.[0];
  return octets === undefined ? undefined : decoded(octets as Uint8Array);
};
const text = (fields: Fields | undefined, field: number) =>
  Buffer.from((fields?.get(field)?.[0] ?? '') as Uint8Array).toString('utf8');

interface Event {
  readonly type: number;
  readonly track: bigint;
  readonly ns: bigint;
  readonly name: string;
  readonly flows: readonly bigint[];
  readonly value: bigint | undefined;
}

interface Trace {
  /** By uuid. */
  readonly tracks: ReadonlyMap<bigint, { name: string; parent: bigint | undefined; process: string; counts: boolean }>;
  /** In order of time, and of the file at one time, as Perfetto sorts them. */
  readonly events: readonly Event[];
}

function traceOf(octets: Uint8Array): Trace {
  const tracks = new Map();
  const events: Event[] = [];
  const packets = decoded(octets);
  expect([...packets.keys()]).toEqual([1]);
  for (const packet of packets.get(1) ?? []) {
    const fields = decoded(packet as Uint8Array);
    expect(number(fields, 10)).toBe(1n);
    const track = inside(fields, 60);
    if (track !== undefined) {
      const uuid = number(track, 1) as bigint;
      expect(tracks.has(uuid)).toBe(false);
      const process = text(inside(track, 3), 6);
      tracks.set(uuid, { name: text(track, 2), parent: number(track, 5), process, counts: track.has(8) });
      continue;
    }
    const event = inside(fields, 11) as Fields;
    const uuid = number(event, 11) as bigint;
    expect(tracks.has(uuid), 'a track is described before it is used').toBe(true);
    events.push({
      type: Number(number(event, 9)),
      track: uuid,
      ns: number(fields, 8) as bigint,
      name: text(event, 23),
      flows: (event.get(47) ?? []) as bigint[],
      value: number(event, 30),
    });
  }
  events.sort((a, b) => (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0));
  return { tracks, events };
}

const [BEGIN, END, INSTANT, COUNTER] = [1, 2, 3, 4];

interface Slice {
  readonly name: string;
  readonly track: bigint;
  readonly fromNs: bigint;
  toNs: bigint | undefined;
  readonly within: Slice | undefined;
  readonly flows: readonly bigint[];
}

/** Slices, each in the one that it began in; what ends must have begun, and everything ends. */
function slicesOf({ events, tracks }: Trace): Slice[] {
  const open = new Map<bigint, Slice[]>();
  const all: Slice[] = [];
  for (const { type, track, ns, name, flows } of events) {
    const stack = open.get(track) ?? [];
    open.set(track, stack);
    if (type === BEGIN) {
      const slice = { name, track, fromNs: ns, toNs: undefined, within: stack.at(-1), flows };
      stack.push(slice);
      all.push(slice);
    } else if (type === END) {
      const slice = stack.pop();
      expect(slice, `an end on ${tracks.get(track)?.name} at ${ns}`).toBeDefined();
      (slice as Slice).toNs = ns;
    }
  }
  expect([...open].filter(([, stack]) => stack.length > 0).map(([track]) => tracks.get(track)?.name)).toEqual([]);
  return all;
}

function runOf(name: string, settings: Record<string, number | string>): RunResult {
  const scenario = SCENARIOS.find((each) => each.name === name) as (typeof SCENARIOS)[number];
  return scenario.run({ seed: '1', format: 'v2', settings, checks: true });
}

const octetsOf = (result: RunResult) => Buffer.concat([...perfettoOf(result)]);
const REQUEST = /^[A-Z_]+( |$)/;

describe('a Perfetto trace of a run', () => {
  let result: RunResult;
  let trace: Trace;
  let slices: readonly Slice[];

  beforeAll(() => {
    result = runOf('live-update-mid-traffic', { requests: 400, updates: 2, domains: 3 });
    trace = traceOf(octetsOf(result));
    slices = slicesOf(trace);
  });

  it('has a slice for each request, at most one in another, and those in a transaction in its slice', () => {
    const requests = slices.filter(({ name }) => REQUEST.test(name));
    expect(requests.length).toBe(result.requests);
    for (const { within } of requests) expect(within?.name ?? 'transaction').toBe('transaction');
    const begun = requests.filter(({ name }) => name.startsWith('TRANSACTION_'));
    expect(begun.length).toBeGreaterThan(20);
    expect(begun.every(({ within }) => within?.name === 'transaction')).toBe(true);
    const tracks = new Set(requests.map(({ track }) => trace.tracks.get(track)?.name));
    expect(tracks.has('dom0/operator')).toBe(true);
    expect([...tracks].some((name) => name?.startsWith('domU'))).toBe(true);
  });

  it('leads from each request to its reply, and to watch events', () => {
    const ofFlow = new Map<bigint, Event[]>();
    for (const event of trace.events)
      for (const flow of event.flows) ofFlow.set(flow, [...(ofFlow.get(flow) ?? []), event]);
    const nameOf = ({ track }: Event) => trace.tracks.get(track)?.name as string;
    let replies = 0;
    let events = 0;
    for (const flow of ofFlow.values()) {
      expect(flow[0]?.type).toBe(BEGIN);
      expect(flow.slice(1).every(({ type }) => type === INSTANT)).toBe(true);
      replies += flow.filter((event) => nameOf(event) === 'xenstored').length;
      events += flow.filter((event) => nameOf(event).endsWith('watch events')).length;
    }
    expect(replies).toBe(result.replies);
    expect(events).toBeGreaterThan(result.watchEvents * 0.8);
    expect(events).toBeLessThanOrEqual(result.watchEvents);
    const instants = trace.events.filter((event) => event.type === INSTANT && nameOf(event).endsWith('watch events'));
    expect(instants.length).toBe(result.watchEvents);
  });

  it('counts what is in each ring, from nothing to a ring full and back', () => {
    const counters = trace.events.filter(({ type }) => type === COUNTER);
    expect(counters.length).toBeGreaterThan(100);
    for (const { value, track } of counters) {
      expect(trace.tracks.get(track)).toMatchObject({ counts: true });
      expect(value).toBeLessThanOrEqual(1024n);
    }
    const last = new Map(counters.map(({ track, value }) => [track, value]));
    expect([...last.values()].every((value) => value === 0n)).toBe(true);
  });

  it('has the time in which nobody is served in the slice of its live update', () => {
    const waits = slices.filter(({ name }) => name === 'nobody is served');
    expect(waits.map(({ within }) => within?.name)).toEqual(result.updates.map(({ n }) => `live update #${n}`));
    expect(waits.every(({ fromNs, toNs }) => (toNs as bigint) > fromNs)).toBe(true);
  });

  it('has the same octets for the same run', () => {
    const again = runOf('live-update-mid-traffic', { requests: 400, updates: 2, domains: 3 });
    expect(octetsOf(again).equals(octetsOf(result))).toBe(true);
  });

  it('has a process for each host of a run on several, and its migrations', () => {
    const moved = runOf('migrate-mid-traffic', { domains: 2, migrations: 1, requests: 300, block: 20, net: 20 });
    const several = traceOf(octetsOf(moved));
    const names = [...several.tracks.values()].flatMap(({ process }) => (process === '' ? [] : process));
    expect(names).toEqual(moved.hosts?.map(({ name }) => name));
    const migrations = slicesOf(several).filter(({ track }) =>
      /^migration #/.test(several.tracks.get(track)?.name ?? ''),
    );
    expect(migrations.length).toBe(moved.migrations?.length);
  });

  it('nests the slices of guests that are killed, or keep no rule', () => {
    const slices = slicesOf(traceOf(octetsOf(runOf('hostile-guests', { requests: 300 }))));
    expect(slices.length).toBeGreaterThan(500);
  });
});
