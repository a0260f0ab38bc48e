import { type FormatRecord, pick, recordsOf } from '../file/format.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { Fields } from '../schema/schema.ts';
import { octetsOf } from '../schema/text.ts';
import type { Change, Probe } from './change.ts';
import { EMPTY } from './change.ts';
import type { Both } from './side.ts';
import type { CompareRuleId } from './table.ts';

interface ReaderKnob {
  readonly knob: keyof Knobs;
  readonly isStrict: (knobs: Knobs) => boolean;
  readonly strict: CompareRuleId;
  readonly loose: CompareRuleId;
  /** Files that only a loose reader takes; none = the knob has nothing to decide here. */
  readonly probes: (both: Both, side: 'old' | 'fresh') => readonly Probe[];
}

const READER_KNOBS: readonly ReaderKnob[] = [
  {
    knob: 'unknownRecord',
    isStrict: (knobs) => knobs.unknownRecord !== 'warn',
    strict: 'unknown-records-refused',
    loose: 'unknown-records-skipped',
    probes: (both) => unknown(both, 'a body.'),
  },
  {
    knob: 'zeroLengthRecord',
    isStrict: (knobs) => knobs.zeroLengthRecord === 'fatal',
    strict: 'empty-records-refused',
    loose: 'empty-records-skipped',
    probes: (both) => unknown(both, ''),
  },
  {
    knob: 'missingEnd',
    isStrict: (knobs) => knobs.missingEnd === 'fatal',
    strict: 'missing-end-refused',
    loose: 'missing-end-accepted',
    probes: ({ old, fresh }) =>
      old.format.end === undefined || fresh.format.end === undefined
        ? []
        : [{ ...EMPTY, knobs: { missingEnd: 'accept' } }],
  },
  {
    knob: 'nonZeroPad',
    isStrict: (knobs) => knobs.nonZeroPad === 'fatal',
    strict: 'padding-must-be-zero',
    loose: 'padding-may-be-anything',
    probes: dirty,
  },
  {
    knob: 'advance',
    isStrict: (knobs) => knobs.advance === 'exact',
    strict: 'advance-exact',
    loose: 'advance-padded',
    probes: (both) => unknown(both, 'five!'),
  },
  {
    knob: 'strictVersionGate',
    isStrict: (knobs) => knobs.strictVersionGate,
    strict: 'version-gate-closed',
    loose: 'version-gate-opened',
    probes: later,
  },
];

/** What became of the readers apart from what they read. */
export function readerChanges(both: Both): Change[] {
  const { old, fresh } = both;
  const found: Change[] = [];
  for (const { knob, isStrict, strict, loose, probes } of READER_KNOBS) {
    const [was, is] = [isStrict(old.reads), isStrict(fresh.reads)];
    // Only the looser side's files can hold what the stricter reader refuses.
    const edge = was === is ? [] : probes(both, is ? 'old' : 'fresh');
    if (edge.length === 0) continue;
    const detail = `${knob} is ${fresh.reads[knob]}, before ${old.reads[knob]}`;
    const judge = { by: 'knob', knob } as const;
    found.push({
      rule: is ? strict : loose,
      ...recordIn(both, edge),
      detail,
      judge,
      oldProbes: is ? edge : [EMPTY],
      newProbes: is ? [EMPTY] : edge,
    });
  }
  return [...found, ...byteOrders(both)];
}

function byteOrders({ old, fresh }: Both): Change[] {
  const takes = (knobs: Knobs, order: 'little' | 'big') => knobs.byteOrders === 'both' || knobs.byteOrders === order;
  if (old.format.header?.byteOrder === undefined || fresh.format.header?.byteOrder === undefined) return [];
  return (['little', 'big'] as const).flatMap((byteOrder): Change[] => {
    const [was, is] = [takes(old.reads, byteOrder), takes(fresh.reads, byteOrder)];
    if (was === is) return [];
    const edge: readonly Probe[] = [{ ...EMPTY, byteOrder }];
    const detail = `${byteOrder} endian files are ${is ? 'taken' : 'refused'}`;
    const judge = { by: 'knob', knob: 'byteOrders' } as const;
    return [
      {
        rule: is ? 'byte-order-gained' : 'byte-order-dropped',
        detail,
        judge,
        oldProbes: is ? [EMPTY] : edge,
        newProbes: is ? edge : [EMPTY],
      },
    ];
  });
}

/** A record of a type that neither side has; nothing where a record cannot be skipped. */
function unknown({ old, fresh }: Both, body: string): readonly Probe[] {
  for (const { format, writes } of [old, fresh]) if (pick(format.framing, writes)?.how !== 'typed') return [];
  const type = 1 + Math.max(...[old, fresh].flatMap(({ records }) => records.map((one) => one.type)));
  const ready: FormatRecord & { readonly type: number; readonly body: Uint8Array } = {
    kind: 'UNKNOWN',
    type,
    body: octetsOf(body),
  };
  // A second one, as the end would do for a reader that goes astray in zeroes.
  return [{ records: [{ ready }, { ready }] }];
}

/** Records with padding that is not zero; of those that are as before, if there are any. */
function dirty(both: Both, side: 'old' | 'fresh'): readonly Probe[] {
  const padded = both.pairs.filter((pair) => padPaths(pair[side].fields, '').length > 0);
  const steady = padded.filter(({ diff }) => diff.changes.length === 0);
  return [steady[0] ?? padded[0]].flatMap((pair) =>
    pair === undefined ? [] : padPaths(pair[side].fields, '').map((focus) => probeOf(pair[side].name, focus)),
  );
}

function probeOf(kind: string, focus: string): Probe {
  return { records: [{ kind, focus, value: 'dirty' }] };
}

/** The record that the probes are about, if it is one of the formats'. */
function recordIn({ pairs }: Both, [probe]: readonly Probe[]): Pick<Change, 'oldRecord' | 'newRecord'> {
  const [first] = probe?.records ?? [];
  const kind = first !== undefined && 'kind' in first ? first.kind : undefined;
  const pair = pairs.find(({ old, fresh }) => old.name === kind || fresh.name === kind);
  return pair === undefined ? {} : { oldRecord: pair.old.name, newRecord: pair.fresh.name };
}

function padPaths(fields: Fields, prefix: string): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    if (field.what === 'reserved') return [prefix + name];
    if (field.what === 'list') return padPaths(field.of, `${prefix}${name}[].`);
    if (field.what === 'variant')
      return Object.entries(field.cases).flatMap(([kind, one]) => padPaths(one.fields, `${prefix}${name}.${kind}.`));
    return [];
  });
}

/** Records of a later version in a file of an earlier one. */
function later(both: Both, side: 'old' | 'fresh'): readonly Probe[] {
  const { format, writes } = both[side];
  const version = Math.min(...format.versions);
  return recordsOf(format, writes)
    .filter((one) => (one.since ?? 0) > version)
    .map((one) => ({ version, records: [{ kind: one.name }] }));
}
