import { type AnyRecord, recordsOf, type Stage } from '../file/format.ts';
import { octetsOf } from '../schema/text.ts';
import type { Change, Judge, Probe, RecordProbe } from './change.ts';
import { EMPTY } from './change.ts';
import { compareFields, type FieldChange } from './fields.ts';
import type { Both, RecordPair, Side } from './side.ts';

const BODY: Judge = { by: 'body' };

/** What became of the records and their layouts. */
export function recordChanges(both: Both): Change[] {
  return [...comings(both), ...both.pairs.flatMap((pair) => pairChanges(both, pair)), ...orderChanges(both)];
}

/** Two of them: where one ends shows in the next. */
function only(kind: string): readonly Probe[] {
  return [{ records: [{ kind }, { kind }] }];
}

/** Records that one side only has. */
function comings({ old, fresh, pairs }: Both): Change[] {
  const gone = old.records.filter((one) => !pairs.some((pair) => pair.old === one) && one.name !== old.format.end);
  const come = fresh.records.filter(
    (one) => !pairs.some((pair) => pair.fresh === one) && one.name !== fresh.format.end,
  );
  const reused = come.flatMap((one): Change[] => {
    const before = old.records.find(({ type }) => type === one.type);
    if (before === undefined) return [];
    return [
      {
        rule: 'record-number-reused',
        ...(gone.includes(before) ? { oldRecord: before.name } : {}),
        newRecord: one.name,
        detail: `${one.type} means ${one.name}, before ${before.name}`,
        judge: BODY,
        oldProbes: only(before.name),
        newProbes: only(one.name),
      },
    ];
  });
  const isTold = (one: AnyRecord) =>
    reused.some((change) => change.oldRecord === one.name || change.newRecord === one.name);
  return [
    ...reused,
    ...come
      .filter((one) => !isTold(one))
      .map(
        (one): Change => ({
          rule: 'record-added',
          newRecord: one.name,
          detail: `${one.name} (${one.type}) is new`,
          judge: BODY,
          oldProbes: [EMPTY],
          newProbes: only(one.name),
        }),
      ),
    ...gone
      .filter((one) => !isTold(one))
      .map(
        (one): Change => ({
          rule: 'record-removed',
          oldRecord: one.name,
          detail: `${one.name} (${one.type}) is gone`,
          judge: BODY,
          oldProbes: only(one.name),
          newProbes: [EMPTY],
        }),
      ),
  ];
}

function pairChanges(both: Both, pair: RecordPair): Change[] {
  const { old, fresh, diff } = pair;
  const found: Change[] = [];
  const names = { oldRecord: old.name, newRecord: fresh.name };
  const tell = (rule: Change['rule'], detail: string) =>
    found.push({ rule, ...names, detail, judge: BODY, oldProbes: only(old.name), newProbes: only(fresh.name) });
  if (old.name !== fresh.name) tell('record-renamed', `${old.name} is ${fresh.name} now`);
  const isEnd = old.name === both.old.format.end && fresh.name === both.fresh.format.end;
  if (old.type !== fresh.type && !isEnd)
    tell('record-renumbered', `${fresh.name} is ${fresh.type}, before ${old.type}`);
  const [before, now] = [old.since ?? 0, fresh.since ?? 0];
  if (before !== now)
    tell(
      now > before ? 'record-gate-raised' : 'record-gate-lowered',
      `from version ${now} on, before from ${before} on`,
    );
  const [hidden, hides] = [old.unwritten ?? 0, fresh.unwritten ?? 0];
  if (hidden !== hides)
    tell(
      hides > 0 ? 'record-length-misdeclared' : 'record-length-declared',
      `${hides} octets are counted and not written, before ${hidden}`,
    );
  const [astray, straight] = [isReadOtherwise(both.old, old), isReadOtherwise(both.fresh, fresh)];
  if (astray !== straight)
    tell(
      straight ? 'record-misread-by-own-reader' : 'record-read-as-written',
      `the reader of ${straight ? both.fresh.format.name : both.old.format.name} takes another layout than its writer`,
    );
  return [...found, ...diff.changes.map((change) => fieldChange(pair, change))];
}

/** Whether the reader's knobs choose another layout of the record than the writer's. */
function isReadOtherwise({ format, reads }: Side, written: AnyRecord): boolean {
  const read = recordsOf(format, reads).find(({ name }) => name === written.name);
  return (
    read !== undefined &&
    read !== written &&
    (compareFields(written.fields, read.fields).changes.length > 0 || read.unwritten !== written.unwritten)
  );
}

function fieldChange({ old, fresh }: RecordPair, change: FieldChange): Change {
  const { rule, oldPath, newPath, detail, oldValue, newValue } = change;
  const probe = (kind: string, focus: string | undefined, value: unknown): RecordProbe => ({
    kind,
    ...(focus === undefined ? {} : { focus }),
    ...(value === undefined ? {} : { value }),
  });
  return {
    rule,
    oldRecord: old.name,
    newRecord: fresh.name,
    ...(oldPath === undefined ? {} : { oldPath }),
    ...(newPath === undefined ? {} : { newPath }),
    detail,
    judge: BODY,
    // A part of a union that only the new layout has is not what the old writer can be asked for.
    oldProbes: [
      { records: [probe(old.name, oldPath ?? (rule === 'union-case-added' ? undefined : newPath), oldValue)] },
    ],
    newProbes: [
      { records: [probe(fresh.name, newPath ?? (rule === 'union-case-removed' ? undefined : oldPath), newValue)] },
    ],
  };
}

interface Place {
  readonly kind: string;
  readonly nodes: Stage['nodes'];
  readonly stage: number;
}

function placesOf({ format: { order, end } }: Side): Place[] {
  return order.flatMap(({ of, nodes }, stage) =>
    of.filter((kind) => kind !== end).map((kind) => ({ kind, nodes, stage })),
  );
}

/** Where records are written among each other. */
function orderChanges({ old, fresh, pairs }: Both): Change[] {
  const found: Change[] = [];
  const named = (place: Place) => (place.nodes === undefined ? place.kind : `${place.kind} (${place.nodes})`);
  const common = new Map(pairs.map((pair) => [pair.old.name, pair.fresh.name]));
  const before = placesOf(old).flatMap((place) => {
    const kind = common.get(place.kind);
    return kind === undefined ? [] : [{ ...place, kind, oldKind: place.kind }];
  });
  const now = placesOf(fresh).filter(({ kind }) => [...common.values()].includes(kind));
  // Stages that tell nodes apart can be compared with such stages only.
  const isDivided = (places: readonly Place[]) => places.some(({ nodes }) => nodes !== undefined);
  if (before.length === 0 || now.length === 0 || isDivided(before) !== isDivided(now)) return found;
  const has = (places: readonly Place[], place: Place) => places.some((one) => named(one) === named(place));
  const probe = (kind: string, nodes: Stage['nodes']): RecordProbe => ({
    kind,
    ...(nodes === undefined ? {} : { set: NODES[nodes] }),
  });
  for (const place of before)
    if (!has(now, place))
      found.push({
        rule: 'record-not-written',
        oldRecord: place.oldKind,
        newRecord: place.kind,
        detail: `${named(place)} has no place in what is written`,
        judge: BODY,
        oldProbes: [{ records: [probe(place.oldKind, place.nodes)] }],
        newProbes: [EMPTY],
      });
  for (const place of now)
    if (!has(before, place))
      found.push({
        rule: 'record-written',
        newRecord: place.kind,
        detail: `${named(place)} has a place in what is written`,
        judge: BODY,
        oldProbes: [EMPTY],
        newProbes: [{ records: [probe(place.kind, place.nodes)] }],
      });
  const oldCommon = before.filter((place) => has(now, place));
  const newCommon = now.filter((place) => has(before, place));
  const told = new Set<string>();
  for (const [i, a] of oldCommon.entries())
    for (const b of oldCommon.slice(i + 1)) {
      const [x, y] = [
        newCommon.find((one) => named(one) === named(a)),
        newCommon.find((one) => named(one) === named(b)),
      ];
      if (x === undefined || y === undefined || told.has(named(a)) || told.has(named(b))) continue;
      // In one stage they come as they come: that is no order which another one could contradict.
      if ((a.stage - b.stage) * (x.stage - y.stage) >= 0) continue;
      told.add(named(a));
      const sorted = x.stage <= y.stage ? [x, y] : [y, x];
      found.push({
        rule: 'record-moved',
        oldRecord: a.oldKind,
        newRecord: a.kind,
        detail: `${named(a)} comes ${order(x.stage - y.stage)} ${named(b)}, which was ${order(a.stage - b.stage)}`,
        judge: BODY,
        oldProbes: [{ records: [probe(a.oldKind, a.nodes), probe(b.oldKind, b.nodes)] }],
        newProbes: [{ records: sorted.map(({ kind, nodes }) => probe(kind, nodes)) }],
      });
    }
  return found;
}

function order(difference: number): string {
  return difference < 0 ? 'before' : 'behind';
}

/** What makes a node one of these. */
const NODES = {
  special: { connId: 0, path: octetsOf('@releaseDomain') },
  tree: { connId: 0, path: octetsOf('/') },
  pending: { connId: 21 },
} as const;
