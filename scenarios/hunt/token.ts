import { octets, text } from '../../guests/index.ts';
import { Digest } from '../../sim/index.ts';
import { parseAsk } from '../engine/asks.ts';
import { PACES, parseKept, parseRest, type RunCuts } from '../engine/cuts.ts';
import type { DaemonNamed, Scenario } from '../engine/scenario.ts';
import { completeSettings, parseSettings, type Settings } from '../engine/settings.ts';
import { fromBase32, toBase32 } from './base32.ts';
import type { RunSpec } from './spec.ts';

/** A run and what came of it: to run again, anywhere, and to see whether it is still the same. */
export interface Ticket {
  readonly spec: RunSpec;
  /** Of the package that ran it. */
  readonly version: string;
  /** Sixteen hex digits. */
  readonly digest: string;
  /** Events and steps that went into it. */
  readonly events: number;
}

const PREFIX = 'XS1-';

/**
 * A ticket as one word: `XS1-` and base32 of a checksum (4 octets) and of what makes the run, of its settings those that are not the
 * default. `xenarium replay` takes it. Errors: none.
 */
export function formatToken({ spec, version, digest, events }: Ticket, scenarios: readonly Scenario[]): string {
  const { scenario, module, seed, format, settings, cuts, daemon } = spec;
  const defaults = scenarios.find((each) => each.name === scenario)?.settings ?? {};
  const set = Object.entries(settings).filter(([key, value]) => defaults[key]?.default !== value);
  const more = lastsOf([cuts, daemon, module]);
  const fields = [scenario, version, seed, format, Object.fromEntries(set), digest, events, ...more];
  const body = octets(ascii(JSON.stringify(fields)));
  return PREFIX + toBase32(Uint8Array.of(...checksum(body), ...body));
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** Fields that may be absent, up to the last that is there. */
function lastsOf(fields: readonly unknown[]): readonly unknown[] {
  const last = fields.findLastIndex((each) => each !== undefined);
  return fields.slice(0, last + 1).map((each) => each ?? null);
}

/** What a token stands for. Errors: a reason, for a word that is none, is not whole, or names what there is not. */
export function parseToken(token: string, scenarios: readonly Scenario[]): Parsed<Ticket> {
  const fields = fieldsOf(token);
  return fields.ok ? ticketOf(fields.value, scenarios) : fields;
}

/** What a token says, not looked at yet. Errors: a reason, for a word that is none, or is not whole. */
export function fieldsOf(token: string): Parsed<Fields> {
  if (!isToken(token)) return refused(`a token begins with ${PREFIX}`);
  const bytes = fromBase32(token.slice(PREFIX.length));
  if (bytes === undefined || bytes.length < 5) return refused('the token has characters that no token has');
  const body = bytes.subarray(4);
  if (checksum(body).some((byte, i) => byte !== bytes[i]))
    return refused('the token is not whole: its checksum differs');
  let fields: unknown;
  try {
    fields = JSON.parse(text(body));
  } catch {
    return refused('the token is not whole');
  }
  if (!Array.isArray(fields)) return refused('the token is of another program');
  const [scenario, version, seed, format, set, digest, events, cuts, daemon, module] = fields as unknown[];
  if (![scenario, version, seed, format, digest].every((field) => typeof field === 'string'))
    return refused('the token is of another program');
  const may = { cuts: cuts ?? undefined, daemon: daemon ?? undefined, module: module ?? undefined };
  return { ok: true, value: { scenario, version, seed, format, set, digest, events, ...may } as Fields };
}

/** What a token or a file says of a run, not looked at yet. */
export interface Fields {
  readonly scenario: string;
  readonly module?: string;
  readonly version: string;
  readonly seed: string;
  readonly format: string;
  readonly set: Settings;
  readonly digest: string;
  readonly events: number;
  readonly cuts?: RunCuts;
  readonly daemon?: DaemonNamed;
}

/** The ticket of these fields: of settings, what the scenario may have; defaults for those that are not named. */
export function ticketOf(fields: Fields, scenarios: readonly Scenario[]): Parsed<Ticket> {
  const { scenario: name, version, seed, format, set, digest, events, cuts, daemon, module } = fields;
  const scenario = scenarios.find((each) => each.name === name);
  if (scenario === undefined) return refused(`there is no scenario '${name}' here`);
  if (!/^(0|[1-9][0-9]{0,17})$/.test(seed)) return refused(`a seed is decimal digits, not '${seed}'`);
  const pairs = Object.entries(set).map(([key, value]) => `${key}=${value}`);
  const parsed = parseSettings(name, scenario.settings, pairs);
  if (!parsed.ok) return refused(parsed.reason);
  const wrong = cuts === undefined ? undefined : wrongCut(cuts);
  if (wrong !== undefined) return refused(wrong);
  const settings = completeSettings(scenario.settings, parsed.settings);
  if (daemon !== undefined && !isDaemon(daemon)) return refused('the daemon that it names has no path or no digest');
  if (module !== undefined && !/^[0-9a-f]{16}$/.test(module)) return refused('the module that it names has no digest');
  const named = { scenario: name, ...(module && { module }) };
  const spec = { ...named, seed, format, settings, ...(cuts && { cuts }), ...(daemon && { daemon }) };
  return { ok: true, value: { spec, version, digest, events } };
}

/** Whether a word is meant as a token. */
export function isToken(word: string): boolean {
  return word.toUpperCase().startsWith(PREFIX);
}

function wrongCut({
  requests = {},
  updatesAtNs = [],
  pace = 'present',
  domains = 'bare',
  asks = [],
}: RunCuts): string | undefined {
  for (const [thread, kept] of Object.entries(requests))
    if (typeof kept !== 'string' || (parseRest(thread, kept) ?? parseKept(kept)) === undefined)
      return `requests of ${thread}: ${kept}`;
  if (!Array.isArray(updatesAtNs) || !updatesAtNs.every((ns) => Number.isSafeInteger(ns) && ns >= 0))
    return 'moments of updates are whole virtual ns';
  const strange = Array.isArray(asks) ? asks.find((word) => parseAsk(String(word)) === undefined) : asks;
  if (strange !== undefined) return `an ask is update@NS, break-ring@NS=DOMID or preempt@NS=NS, not ${strange}`;
  if (domains !== 'bare') return `domains are bare, or as libxl makes them, not ${domains}`;
  return PACES.includes(pace) ? undefined : `there is no pace ${pace}`;
}

function isDaemon({ binary, successor = '', all = false, digest }: Partial<DaemonNamed>): boolean {
  return [binary, successor, digest].every((each) => typeof each === 'string') && typeof all === 'boolean';
}

function checksum(bytes: Uint8Array): Uint8Array {
  const digest = new Digest();
  digest.octets(bytes, 0, bytes.length);
  const word = Number.parseInt(digest.hex().slice(0, 8), 16);
  return Uint8Array.of(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff);
}

/** JSON in which each character is one octet. */
function ascii(json: string): string {
  return json.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function refused(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
