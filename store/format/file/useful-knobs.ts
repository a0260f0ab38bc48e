import { KNOB_NAMES, type KnobName } from '../schema/knobs.ts';
import type { Field, Fields } from '../schema/schema.ts';
import { choicesOf, type Format } from './format.ts';

/** The choices that make a difference for files of a format, in the order of `KNOBS`. */
export function usefulKnobs(format: Format): readonly KnobName[] {
  const useful = new Set<KnobName>();
  const add = (is: boolean, ...names: readonly KnobName[]) => {
    if (is) for (const name of names) useful.add(name);
  };
  for (const one of [...format.records, format.framing]) if ('knob' in one) useful.add(one.knob);
  for (const { knob } of format.rules) if (knob !== undefined) useful.add(knob);
  const ways = choicesOf(format.framing).map(({ how }) => how);
  const layouts = format.records.flatMap((one) => choicesOf(one));
  const names = new Set(layouts.map(({ name }) => name));
  add(ways.includes('typed'), 'lenIncludesPad', 'zeroLengthRecord');
  add(
    ways.some((how) => how !== 'bare'),
    'advance',
    'unknownRecord',
  );
  add(ways.includes('typed') || layouts.some(({ fields }) => hasField(fields, isPadding)), 'nonZeroPad');
  add(format.end !== undefined, 'missingEnd');
  add(format.header?.byteOrder !== undefined, 'byteOrders');
  const isLate = layouts.some(
    (one) => one.since !== undefined || hasField(one.fields, ({ since }) => since !== undefined),
  );
  add(isLate && format.versions.length > 0, 'strictVersionGate');
  add(names.has('TRANSACTION_NODE_DATA'), 'g2TxReads');
  return KNOB_NAMES.filter((name) => useful.has(name));
}

function isPadding({ what }: Field): boolean {
  return what === 'reserved' || what === 'align';
}

/** Whether a field is so, or one inside it. */
function hasField(fields: Fields, is: (field: Field) => boolean): boolean {
  return Object.values(fields).some((field) => {
    if (is(field)) return true;
    if (field.what === 'list') return hasField(field.of, is);
    return field.what === 'variant' && Object.values(field.cases).some((one) => hasField(one.fields, is));
  });
}
