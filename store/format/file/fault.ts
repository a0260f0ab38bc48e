import { DEFAULT_KNOBS } from '../schema/knobs.ts';

type Values = Readonly<Record<string, unknown>>;

/** Why a value of unknown origin is no format, in half a sentence; `undefined` = it is one. */
export function formatFault(value: unknown): string | undefined {
  if (!isObject(value)) return `it is ${kindOf(value)}, not an object`;
  for (const name of ['name', 'title', 'source', 'note'])
    if (typeof value[name] !== 'string') return `its ${name} is ${kindOf(value[name])}, not a string`;
  for (const name of ['versions', 'records', 'rules', 'order'])
    if (!Array.isArray(value[name])) return `its ${name} is ${kindOf(value[name])}, not a list`;
  const { versions, records, order, rules } = value as Readonly<Record<string, readonly unknown[]>>;
  if (versions?.some((one) => !Number.isInteger(one))) return 'a version is not a whole number';
  return recordsFault(records ?? [], value.end) ?? framingFault(value) ?? partsFault(order ?? [], rules ?? [], value);
}

function recordsFault(records: readonly unknown[], end: unknown): string | undefined {
  const seen = new Set<string>();
  for (const [i, one] of records.entries()) {
    const fault = recordFault(one);
    if (fault !== undefined) return `record ${i} of its records ${fault}`;
    for (const layout of layoutsOf(one)) seen.add(String(layout.name));
  }
  if (seen.size === 0) return 'it has no records';
  return end === undefined || seen.has(String(end)) ? undefined : `it ends with ${String(end)}, which it does not have`;
}

function recordFault(one: unknown): string | undefined {
  if (!isObject(one)) return `is ${kindOf(one)}, not made by record()`;
  if ('knob' in one && !(String(one.knob) in DEFAULT_KNOBS))
    return `is chosen by ${String(one.knob)}, which is no knob`;
  const layouts = layoutsOf(one);
  const isMade = ({ name, type, fields, decode, encode }: Values) =>
    typeof name === 'string' &&
    Number.isInteger(type) &&
    isObject(fields) &&
    [decode, encode].every((each) => typeof each === 'function');
  return layouts.length > 0 && layouts.every(isMade) ? undefined : 'is not made by record()';
}

/** The layouts that an entry of `records` stands for. */
function layoutsOf(one: unknown): readonly Values[] {
  if (!isObject(one)) return [];
  if (!('knob' in one)) return [one];
  return isObject(one.choices) ? Object.values(one.choices).filter(isObject) : [];
}

function framingFault({ framing, header, versions }: Values): string | undefined {
  if (!isObject(framing)) return `its framing is ${kindOf(framing)}`;
  const choices = 'knob' in framing && isObject(framing.choices) ? Object.values(framing.choices) : [framing];
  const known = ['typed', 'bare', 'wrapped'];
  if (!choices.every((one) => isObject(one) && known.includes(String(one.how))))
    return `its framing is none of ${known.join(', ')}`;
  if (header === undefined) return undefined;
  if (!isObject(header) || recordFault(header.layout) !== undefined) return 'its header is not made by headerRule()';
  const needsVersion = header.version !== undefined && (versions as readonly unknown[]).length === 0;
  return needsVersion ? 'its header tells a version, and it has none' : undefined;
}

function partsFault(
  order: readonly unknown[],
  rules: readonly unknown[],
  { knobs, meanings = [], reads }: Values,
): string | undefined {
  if (!Array.isArray(meanings) || !meanings.every(isMeaning)) return 'one of its meanings is not made by meaning()';
  if (!order.every((one) => isObject(one) && Array.isArray(one.of))) return 'its order is not made of stages';
  if (!rules.every((one) => isObject(one) && typeof one.rule === 'string' && Array.isArray(one.of)))
    return 'one of its rules is no rule';
  if (!isObject(knobs)) return `its knobs are ${kindOf(knobs)}, not an object`;
  const unknown = [knobs, reads].flatMap((one) => (isObject(one) ? Object.keys(one) : []));
  const odd = unknown.find((name) => !(name in DEFAULT_KNOBS));
  return odd === undefined ? undefined : `it has no knob ${odd} to set`;
}

function isMeaning(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { kind, carries, encode, decode } = value;
  return (
    typeof kind === 'string' && Array.isArray(carries) && [encode, decode].every((one) => typeof one === 'function')
  );
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
