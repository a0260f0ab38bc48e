import type { Format } from '../file/format.ts';
import { binaryFormat } from '../model/binary-format.ts';
import { extentOf } from '../model/carriage.ts';
import { writeState } from '../model/convert.ts';
import { type Difference, diffStates } from '../model/diff.ts';
import type { LabFormat } from '../model/lab-format.ts';
import { reduceState } from '../model/reduce.ts';
import { type DaemonState, EMPTY_STATE, type NodeState } from '../model/state.ts';
import { TEXT_DUMP_HEADER } from '../model/text-dump.ts';
import { textFormat } from '../model/text-format.ts';
import type { TextLayout } from '../model/text-layout.ts';
import { formatFailure } from '../schema/cursor.ts';
import { octetsOf } from '../schema/text.ts';
import type { CompareFinding } from './finding.ts';
import type { Direction, Proof, Verdict } from './prove.ts';
import type { CompareRuleId } from './table.ts';

// Lines of text, each read or skipped as a whole: what differs between two dialects is told by their lines, and proven
// by states that are written by the one and read by the other.

/** What a comparison can be about. */
export type Comparable = Format | TextLayout;

export function isText(one: Comparable): one is TextLayout {
  return 'lines' in one;
}

/** A difference before it is proven. */
interface TextChange {
  readonly rule: CompareRuleId;
  /** Kind of line. */
  readonly record?: string;
  readonly path?: string;
  readonly detail: string;
  /** What is written; or a text that no writer writes. */
  readonly probe: DaemonState | string;
}

/** Everything in which two formats differ of which at least one is a text. */
export function textFindings(old: Comparable, fresh: Comparable): readonly CompareFinding[] {
  const [before, now] = [labOf(old), labOf(fresh)];
  const changes = isText(old) && isText(fresh) ? textChanges(old, fresh) : kindChanges(old, fresh);
  return changes.map(
    ({ probe, ...told }): CompareFinding => ({
      ...told,
      oldReadsNew: proveText('old reads new', now, before, probe),
      newReadsOld: proveText('new reads old', before, now, probe),
      among: [],
    }),
  );
}

function labOf(one: Comparable): LabFormat {
  return isText(one) ? textFormat(one) : binaryFormat(one);
}

function kindChanges(old: Comparable, fresh: Comparable): TextChange[] {
  const rule = isText(old) ? 'text-became-records' : 'records-became-text';
  return [{ rule, detail: `${fresh.name} is ${isText(fresh) ? 'text' : 'records'}, ${old.name} is not`, probe: TREE }];
}

function textChanges(old: TextLayout, fresh: TextLayout): TextChange[] {
  const found: TextChange[] = [];
  const kinds = [...new Set([...Object.keys(fresh.lines), ...Object.keys(old.lines)])];
  for (const record of kinds) {
    const [before, now] = [old.lines[record], fresh.lines[record]];
    const probe = PROBES[record] ?? TREE;
    if (before === undefined) found.push({ rule: 'line-added', record, detail: `${record} is new`, probe });
    else if (now === undefined) found.push({ rule: 'line-removed', record, detail: `${record} is gone`, probe });
    else {
      const has = ({ fields }: typeof before, path: string) => fields.some((name) => plain(name) === path);
      for (const name of now.fields.filter((one) => !has(before, plain(one))))
        found.push({ rule: 'line-field-added', record, path: plain(name), detail: `${plain(name)} is new`, probe });
      for (const name of before.fields.filter((one) => !has(now, plain(one))))
        found.push({ rule: 'line-field-removed', record, path: plain(name), detail: `${plain(name)} is gone`, probe });
      if (before.more !== now.more)
        found.push({
          rule: now.more ? 'further-fields-ignored' : 'further-fields-refused',
          record,
          detail: `a ${record} with more fields is ${now.more ? 'read' : 'skipped'}`,
          probe: `${TEXT_DUMP_HEADER}\n${LONG_LINES[record] ?? record}\n`,
        });
    }
  }
  const [kept, keeps] = [old, fresh].map(({ carriage }) => extentOf(carriage, 'siblingOrder') === 'full');
  if (kept !== keeps)
    found.push({
      rule: keeps ? 'sibling-order-kept' : 'sibling-order-lost',
      record: 'store',
      detail: `children come ${keeps ? 'in the order of the tree' : 'by name, the last first'}`,
      probe: SIBLINGS,
    });
  return found;
}

function plain(name: string): string {
  return name.replace('?', '');
}

const OWNER = [{ letter: 'n', domid: 0, stale: false }] as const;

function node(path: string): NodeState {
  return { path, value: octetsOf(''), acl: OWNER };
}

const NOTHING = octetsOf('');
const IDLE = {
  readOnly: false,
  watches: [{ path: 'device', token: octetsOf('tok') }],
  transactions: [],
  delayed: [],
  input: NOTHING,
  output: NOTHING,
  restBytes: 0,
} as const;
const TREE: DaemonState = { ...EMPTY_STATE, nodes: [node('/')] };
const SIBLINGS: DaemonState = { ...EMPTY_STATE, nodes: ['/', '/a', '/b'].map(node) };
const DOMAIN: DaemonState = {
  ...EMPTY_STATE,
  connections: [{ ...IDLE, link: { kind: 'ring', domid: 5, mfn: 1044476n, guestPort: 1, port: 42 } }],
};

/** A state that shows each kind of line. */
const PROBES: Readonly<Record<string, DaemonState>> = {
  global: { ...EMPTY_STATE, listeners: { rw: 4 } },
  'evtchn-dev': { ...EMPTY_STATE, evtchn: { fd: 7, excPort: 3 } },
  dom: DOMAIN,
  watch: DOMAIN,
  socket: { ...EMPTY_STATE, connections: [{ ...IDLE, link: { kind: 'socket', fd: 9 } }] },
  store: TREE,
};

/** Lines with more fields than any dialect has. */
const LONG_LINES: Readonly<Record<string, string>> = {
  global: 'global,4,5,6',
  'evtchn-dev': 'evtchn-dev,7,3,1',
  dom: 'dom,5,1044476,1,42,8,9',
  socket: 'socket,9,1',
  watch: 'watch,5,646576696365,746f6b,1',
  store: 'store,2f,6e30,,1',
};

/** One direction carried out: a state written by the one, and what its own reader and the other make of the octets. */
function proveText(direction: Direction, writer: LabFormat, reader: LabFormat, probe: DaemonState | string): Proof {
  const told = { direction, writer: writer.name, reader: reader.name, isBodyOnly: false } as const;
  const none: Proof['marks'] = [];
  const octets = typeof probe === 'string' ? octetsOf(probe) : written(writer, probe);
  if (octets === undefined)
    return { ...told, verdict: 'unproven', outcome: 'the writer cannot write it', octets: '', marks: none };
  const shown = {
    ...told,
    marks: none,
    octets: Array.from(octets, (one) => one.toString(16).padStart(2, '0')).join(''),
  };
  const read = reader.read(octets);
  if (!read.ok) return { ...shown, verdict: 'refused', outcome: `refused at ${formatFailure(read.failure)}` };
  const own = writer.read(octets);
  const meant = typeof probe !== 'string' && isOrder(probe) ? probe : own.ok ? own.value.state : EMPTY_STATE;
  // What the reader's daemon does not hold is gone for it, whatever stands in the file.
  const { state } = reduceState(read.value.state, reader.carriage);
  // A text that no writer writes means what the reader that takes more of it finds.
  const isTold = (one: Difference) => typeof probe !== 'string' || one.a !== undefined;
  const differences = diffStates(meant, state).filter(isTold);
  const skipped = read.value.warnings.map(({ name, reason }) => `${name} is skipped: ${reason}`);
  if (differences.length === 0) return { ...shown, verdict: 'same', outcome: 'same meaning' };
  const isLost = (one: Difference) => one.b === undefined || one.field === 'children';
  const verdict: Verdict = differences.every(isLost) ? 'lost' : 'misread';
  const texts = [...skipped, ...differences.map(differenceText)];
  const more = texts.length > SHOWN ? `; ${texts.length - SHOWN} more` : '';
  const marks = read.value.warnings.map(({ offset }) => [offset, lineEnd(octets, offset)] as const);
  return { ...shown, marks, verdict, outcome: `${verdict}: ${texts.slice(0, SHOWN).join('; ')}${more}` };
}

const SHOWN = 3;

/** The offset behind the last octet of the line. */
function lineEnd(octets: Uint8Array, from: number): number {
  const at = octets.indexOf(0x0a, from);
  return at < 0 ? octets.length : at;
}

function isOrder(probe: DaemonState): boolean {
  return probe === SIBLINGS;
}

function written(writer: LabFormat, state: DaemonState): Uint8Array | undefined {
  const done = writeState(state, writer, { onLoss: 'silent' });
  return done.ok ? done.files[0]?.octets : undefined;
}

function differenceText({ thing, field, a, b }: Difference): string {
  const what = field === '' ? thing : `${thing} ${field}`;
  return b === undefined ? `${what} is lost` : `${what} written ${a ?? 'not at all'}, read ${b}`;
}
