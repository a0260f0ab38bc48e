import { annotateFile } from '../file/annotate.ts';
import { choicesOf, type Format, type FormatFile, pick, recordsOf } from '../file/format.ts';
import { decodeFile } from '../file/reader.ts';
import { validateFile } from '../file/validate.ts';
import { encodeFile } from '../file/writer.ts';
import type { FormatFailure } from '../schema/cursor.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { Change, Judge, Probe } from './change.ts';
import { endOf } from './envelope.ts';
import { compareFields } from './fields.ts';
import { type Difference, differencesOf, isAt } from './meaning.ts';
import type { Both, Side } from './side.ts';
import { COMPARE_RULES } from './table.ts';
import { fileOf, isInside } from './witness.ts';

/** Who reads whose files. */
export const DIRECTIONS = ['old reads new', 'new reads old'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** What a reading came to, worst first; `unproven`: the writer cannot write what would show it. */
export const VERDICTS = ['refused', 'misread', 'lost', 'same', 'unproven'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** One reading that was carried out. */
export interface Proof {
  readonly direction: Direction;
  readonly writer: string;
  readonly reader: string;
  readonly verdict: Verdict;
  /** `refused at offset 24 ...`, `misread: ...`, `lost: ...`, `same meaning`. */
  readonly outcome: string;
  /** The file, as hexadecimal digits. */
  readonly octets: string;
  /** The octets concerned: first, and behind the last. */
  readonly marks: readonly (readonly [number, number])[];
  /** The reader was given header, framing and end marker of the writer: what became of those is told by itself. */
  readonly isBodyOnly: boolean;
}

/** So many lengths of strings: one of them leaves no padding behind it. */
const VARIANTS = 8;

/** What around the bodies would get into the way of showing what a body means. */
const LENIENT: Partial<Knobs> = {
  advance: 'padded',
  byteOrders: 'both',
  missingEnd: 'accept',
  strictVersionGate: false,
  nonZeroPad: 'ignore',
};
const LENIENT_ALL: Partial<Knobs> = { ...LENIENT, unknownRecord: 'warn', zeroLengthRecord: 'skip' };

interface Reading {
  readonly verdict: Verdict;
  readonly outcome: string;
  readonly octets: Uint8Array;
  readonly failure?: FormatFailure;
  readonly shows: readonly Difference[];
  readonly isBodyOnly: boolean;
}

/** Carries out one direction of a change: the worst of what its probes come to. */
export function prove(both: Both, changes: readonly Change[], change: Change, direction: Direction): Proof {
  const isForward = direction === 'old reads new';
  const [writer, reader] = isForward ? [both.fresh, both.old] : [both.old, both.fresh];
  const trial = new Trial(both, changes, change, direction);
  let worst: Reading | undefined;
  for (const probe of isForward ? change.newProbes : change.oldProbes)
    for (
      let variant = 0;
      variant < (change.judge.by === 'body' || change.judge.by === 'file' ? VARIANTS : 1);
      variant++
    ) {
      const reading = trial.run(probe, variant);
      if (worst === undefined || VERDICTS.indexOf(reading.verdict) < VERDICTS.indexOf(worst.verdict)) worst = reading;
    }
  const names = { direction, writer: writer.format.name, reader: reader.format.name };
  if (worst === undefined)
    return {
      ...names,
      verdict: 'unproven',
      outcome: 'no record that both have',
      octets: '',
      marks: [],
      isBodyOnly: false,
    };
  const { verdict, outcome, octets, isBodyOnly } = worst;
  return { ...names, verdict, outcome, octets: hexOf(octets), marks: trial.marks(worst), isBodyOnly };
}

class Trial {
  readonly #changes: readonly Change[];
  readonly #change: Change;
  readonly #direction: Direction;
  readonly #writer: Side;
  readonly #reader: Side;
  /** Names of records: the writer's to the reader's. */
  readonly #names: ReadonlyMap<string, string>;

  constructor(both: Both, changes: readonly Change[], change: Change, direction: Direction) {
    const isForward = direction === 'old reads new';
    this.#changes = changes;
    this.#change = change;
    this.#direction = direction;
    [this.#writer, this.#reader] = isForward ? [both.fresh, both.old] : [both.old, both.fresh];
    this.#names = new Map(
      both.pairs.map(({ old, fresh }) => (isForward ? [fresh.name, old.name] : [old.name, fresh.name])),
    );
  }

  run(probe: Probe, variant: number): Reading {
    const version = this.#version(probe);
    const file = fileOf(this.#writer, probe, version, variant);
    if (file === undefined) return unproven('the writer has no such record');
    const encoded = encodeFile(this.#writer.format, file, { ...this.#writer.writes, ...probe.knobs });
    if (!encoded.ok) return unproven(`the writer refuses: ${encoded.failure.path} ${encoded.failure.reason}`);
    const { octets } = encoded;
    const { judge } = this.#change;
    const isBodyOnly = judge.by !== 'file' && !this.#sharesEnvelope(version);
    const format = judge.by === 'file' ? this.#reader.format : this.#behind();
    const knobs = knobsFor(judge, this.#reader.reads);
    // A reader whose files tell no byte order takes its own, unless nothing of the writer's tells it either.
    const isTold = this.#writer.format.header?.byteOrder !== undefined && format.header?.byteOrder === undefined;
    const byteOrder = isTold ? 'little' : file.byteOrder;
    const faults = faultsOf(format, octets, knobs, judge, byteOrder);
    if (faults !== undefined) {
      const { offset, reason, path, name } = faults;
      const place = [name, path].filter((part) => part !== '').join(' ');
      return {
        verdict: 'refused',
        outcome: `refused at offset ${offset}: ${place} ${reason}`,
        octets,
        failure: faults,
        shows: [],
        isBodyOnly,
      };
    }
    const read = decodeFile(format, octets, knobs, byteOrder);
    // What cannot be read was found out above.
    const shows = read.ok ? this.#mine(this.#differences(file, read.file, knobs)) : [];
    const verdict = shows.length === 0 ? 'same' : shows.every(({ how }) => how === 'lost') ? 'lost' : 'misread';
    return { verdict, outcome: outcomeOf(verdict, shows), octets, shows, isBodyOnly };
  }

  /** A version that both sides take, if there is one and the records belong to it. */
  #version(probe: Probe): number {
    const [first = 0, ...others] = this.#writer.format.versions;
    if (probe.version !== undefined || this.#change.judge.by === 'file') return probe.version ?? first;
    const common = [first, ...others].find((one) => this.#reader.format.versions.includes(one)) ?? first;
    const kinds = probe.records.map((one) => ('ready' in one ? one.ready.kind : one.kind));
    const needed = Math.max(
      0,
      ...this.#writer.records.filter(({ name }) => kinds.includes(name)).map((one) => one.since ?? 0),
    );
    return common >= needed ? common : ([first, ...others].find((one) => one >= needed) ?? common);
  }

  #sharesEnvelope(version: number): boolean {
    const [writes, reads] = [this.#writer, this.#reader];
    const framings = [pick(writes.format.framing, writes.writes), pick(reads.format.framing, reads.reads)];
    return (
      writes.format.header === reads.format.header &&
      (version === 0 || reads.format.versions.includes(version)) &&
      JSON.stringify(framings[0]) === JSON.stringify(framings[1]) &&
      endOf(writes)?.type === endOf(reads)?.type
    );
  }

  /** The reader's format behind the writer's header, in its framing and with its end. */
  #behind(): Format {
    const { header: _, end: __, ...kept } = this.#reader.format;
    const { format, writes } = this.#writer;
    const end = endOf(this.#writer);
    const records = kept.records.filter((one) => choicesOf(one)[0]?.name !== this.#reader.format.end);
    return {
      ...kept,
      ...(format.header === undefined ? {} : { header: format.header }),
      ...(end === undefined ? {} : { end: end.name }),
      versions: format.versions,
      framing: pick(format.framing, writes) ?? { how: 'bare' },
      records: end === undefined ? records : [...records, end],
    };
  }

  #differences(written: FormatFile, read: FormatFile, knobs: Knobs): Difference[] {
    const found: Difference[] = [];
    for (const [name, value] of Object.entries(written.header)) {
      const other = read.header[name];
      if (other !== undefined && String(other) !== String(value))
        found.push({ how: 'misread', text: `${name} written ${String(value)}, read ${String(other)}` });
    }
    for (const [i, record] of written.records.entries()) {
      const other = read.records[i];
      const wanted = this.#names.get(record.kind) ?? record.kind;
      if (other === undefined) found.push({ how: 'lost', text: `${record.kind} is not read` });
      else if (other.kind === 'UNKNOWN' && record.kind !== 'UNKNOWN')
        found.push({ how: 'lost', text: `${record.kind} is skipped, as its type is not known` });
      else if (other.kind !== wanted) found.push({ how: 'misread', text: `${record.kind} is read as ${other.kind}` });
      else {
        const from = this.#writer.records.find(({ name }) => name === record.kind);
        const to = recordsOf(this.#reader.format, knobs).find(({ name }) => name === other.kind);
        if (from === undefined || to === undefined) continue;
        const { same } = compareFields(from.fields, to.fields);
        found.push(...differencesOf({ fields: from.fields, record }, { fields: to.fields, record: other }, same));
      }
    }
    for (const record of read.records.slice(written.records.length))
      found.push({ how: 'made up', text: `a record more: ${record.kind}` });
    return found;
  }

  /** Those that this change makes, as far as it can be told from the others of the record. */
  #mine(all: readonly Difference[]): readonly Difference[] {
    const [written, read] = this.#paths(this.#change);
    const isOfRecord = (one: Difference) => one.written === undefined && one.read === undefined;
    const here = all.filter((one) => isOfRecord(one) || isAt(one, written, read));
    const isWhole = written === undefined && read === undefined;
    if (!isWhole && !this.#canShift(this.#change)) return here;
    const others = this.#changes.filter((one) => one !== this.#change && one.judge.by === 'body');
    const isOthers = (one: Difference) => others.some((other) => isAt(one, ...this.#paths(other)));
    return all.filter((one) => here.includes(one) || !isOthers(one));
  }

  #paths(change: Change): readonly [written: string | undefined, read: string | undefined] {
    const { oldPath, newPath } = change;
    return this.#direction === 'old reads new' ? [newPath, oldPath] : [oldPath, newPath];
  }

  #canShift({ rule }: Change): boolean {
    const told = COMPARE_RULES[rule];
    const categories: readonly string[] = this.#direction === 'old reads new' ? told.oldReadsNew : told.newReadsOld;
    return categories.includes('wire');
  }

  /** The octets of what is compared and of what goes wrong; of the first record where that has no octets. */
  marks({ octets, failure, shows }: Reading): readonly (readonly [number, number])[] {
    const { rows } = annotateFile(this.#writer.format, octets, { ...this.#writer.writes, ...LENIENT_ALL });
    const [written] = this.#paths(this.#change);
    const wanted = [written, ...shows.map((one) => one.written)];
    const isTold = (path: string) =>
      wanted.some((place) => place !== undefined && isInside(path.replaceAll(/\[\d+\]/g, '[]'), place));
    const found = rows.filter(
      ({ path, offset, bytes, record }) =>
        (record >= 0 && isTold(path)) ||
        (failure !== undefined && offset <= failure.offset && failure.offset < offset + bytes.length),
    );
    const shown =
      found.length > 0 || this.#change.newRecord === undefined ? found : rows.filter(({ record }) => record === 0);
    const marks: [number, number][] = [];
    for (const { offset, bytes } of shown) {
      const last = marks.at(-1);
      if (last?.[1] === offset) last[1] = offset + bytes.length;
      else marks.push([offset, offset + bytes.length]);
    }
    return marks;
  }
}

function unproven(outcome: string): Reading {
  return { verdict: 'unproven', outcome, octets: new Uint8Array(0), shows: [], isBodyOnly: false };
}

function knobsFor(judge: Judge, reads: Knobs): Knobs {
  switch (judge.by) {
    case 'file':
      return reads;
    case 'body':
    case 'rule':
      return { ...reads, ...LENIENT };
    case 'knob':
      return { ...reads, ...LENIENT_ALL, [judge.knob]: reads[judge.knob] };
  }
}

/** Rules that stand for a knob which no codec looks at. */
const KNOB_RULES: Partial<Readonly<Record<keyof Knobs, string>>> = {
  nonZeroPad: 'non-zero-pad',
  strictVersionGate: 'version-gate',
};

/** Why the reader refuses the file. */
function faultsOf(
  format: Format,
  octets: Uint8Array,
  knobs: Knobs,
  judge: Judge,
  byteOrder: 'little' | 'big',
): FormatFailure | undefined {
  const read = decodeFile(format, octets, knobs, byteOrder);
  if (!read.ok) return read.failure;
  const rules = judge.by === 'rule' ? judge.rules : judge.by === 'knob' ? [KNOB_RULES[judge.knob] ?? ''] : [];
  if (rules.length === 0) return undefined;
  return validateFile(format, octets, knobs).find(({ rule, severity }) => severity === 'error' && rules.includes(rule));
}

function outcomeOf(verdict: Verdict, shows: readonly Difference[]): string {
  if (verdict === 'same') return 'same meaning';
  const sorted = (['misread', 'made up', 'lost'] as const).flatMap((how) =>
    joined(shows).filter((one) => one.how === how),
  );
  const texts = [...new Set(sorted.map(({ text }) => text))];
  const more = texts.length > 3 ? `; ${texts.length - 3} more` : '';
  return `${verdict}: ${texts.slice(0, 3).join('; ')}${more}`;
}

/** What is lost in one place and made up in another, of the same value: one thing that became another. */
function joined(shows: readonly Difference[]): readonly Difference[] {
  const [lost, made] = [shows.filter(({ how }) => how === 'lost'), shows.filter(({ how }) => how === 'made up')];
  const taken = new Set<Difference>();
  for (const one of lost) {
    const other = made.find((it) => !taken.has(it) && it.value !== undefined && it.value === one.value);
    if (other === undefined) continue;
    taken.add(one).add(other);
    shows = [...shows, { how: 'misread', text: `${one.place} ${one.value} is read as ${other.place}` }];
  }
  return shows.filter((one) => !taken.has(one));
}

function hexOf(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');
}
