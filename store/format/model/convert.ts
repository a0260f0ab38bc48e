import type { FormatFailure, FormatResult } from '../schema/cursor.ts';
import type { Carriage, StateRow } from './carriage.ts';
import { extentOf } from './carriage.ts';
import type { Assumption, Loss } from './losses.ts';
import { reduceState } from './reduce.ts';
import type { ReduceOptions } from './reduction.ts';
import { splitByDomain, takeDomain } from './split.ts';
import type { DaemonState, DomainState, RingLink } from './state.ts';
import { type Wishes, withWishes } from './wishes.ts';

/** A format whose files can be taken for states and back. */
export interface StateFormat {
  readonly name: string;
  readonly carriage: Carriage;
  /** How the format itself wants to be written; the caller's options go over it. */
  readonly choices?: ReduceOptions;
  /** Its daemon leaves out what it cannot follow, with a word in its log, and goes on. */
  readonly skipsFaults?: boolean;
  /** What a file says. Errors: what cannot be read. Warnings: what the format's reader logs and goes on from. */
  readonly read: (
    octets: Uint8Array,
    options?: ReadOptions,
  ) => FormatResult<{
    readonly state: DaemonState;
    readonly warnings: readonly FormatFailure[];
  }>;
  /** A file of a state that `carriage` covers, and what had to be made up. Errors: values that fit no field. */
  readonly write: (
    state: DaemonState,
    options: WriteOptions,
  ) => FormatResult<{ readonly octets: Uint8Array; readonly assumptions: readonly Assumption[] }>;
}

export interface ReadOptions {
  /** G1: whose file it is, which nothing in it says; 0 by default. */
  readonly domid?: number;
}

export interface WriteOptions extends ReduceOptions {
  /** Of the image; messages in its buffers stay as they are. */
  readonly bigEndian?: boolean;
  /** G1, R1: whose file it is. */
  readonly domid?: number;
}

/** What the other side of a conversion has to be told, since the first never knew it. */
export interface Fills {
  /** By domid. */
  readonly rings?: ReadonlyMap<number, Pick<RingLink, 'port' | 'guestPort' | 'mfn' | 'uniqueId'>>;
  /** What the old daemon offered to every domain: not what the new one offers. */
  readonly features?: number;
}

export const LOSS_POLICIES = ['refuse', 'warn', 'silent'] as const;
export type LossPolicy = (typeof LOSS_POLICIES)[number];

export interface ConvertOptions extends WriteOptions {
  /** `refuse` by default. The losses are told in any case: what differs between the others is for the caller to do. */
  readonly onLoss?: LossPolicy;
  /**
   * Asked first when requests or messages under way would be lost: gives the state after they have been finished, as
   * far as they can be. Only whoever has the daemon can do that.
   */
  readonly finishFirst?: (state: DaemonState) => DaemonState;
  readonly fills?: Fills;
  /** For the file that is read. */
  readonly from?: ReadOptions;
  /** Reader and writer lay out the same format in different ways: the octets have to be written anew. */
  readonly isOtherLayout?: boolean;
  /** What is to become of the state before it is written; nothing by default. */
  readonly wishes?: Wishes;
}

/** One file; formats of one domain make several, told apart by `domid`. */
export interface ConvertedFile {
  readonly domid?: number;
  readonly octets: Uint8Array;
}

export type Converted =
  | {
      readonly ok: true;
      readonly files: readonly ConvertedFile[];
      readonly losses: readonly Loss[];
      readonly assumptions: readonly Assumption[];
      /** What was left out because a wish said so: these are no losses. */
      readonly asked?: readonly Loss[];
    }
  /** Refused, by the losses or by the wishes (`reason`), or a value that the format has no room for. */
  | {
      readonly ok: false;
      readonly losses: readonly Loss[];
      readonly failure?: FormatFailure;
      readonly reason?: string;
    };

/** Rows that are work under way: gone once the daemon has finished it. */
export const IN_FLIGHT: readonly StateRow[] = ['input', 'delayed', 'output', 'outputBoundary'];

/** Files of `format` that say what a state says, as far as the format can. */
export function writeState(state: DaemonState, format: StateFormat, given: ConvertOptions = {}): Converted {
  const { carriage } = format;
  const options = { ...format.choices, ...given };
  let { state: reduced, losses } = reduceState(state, carriage, options);
  if (options.finishFirst !== undefined && losses.some(({ row }) => IN_FLIGHT.includes(row)))
    ({ state: reduced, losses } = reduceState(options.finishFirst(state), carriage, options));
  const parts = partsOf(reduced, carriage, options);
  const all = [...losses, ...parts.losses];
  if ((options.onLoss ?? 'refuse') === 'refuse' && all.length > 0) return { ok: false, losses: all };
  const files: ConvertedFile[] = [];
  const assumptions: Assumption[] = [];
  for (const { state: part, ...whose } of parts.parts) {
    const filled = reduceState(fillState(part, options.fills ?? {}, carriage), carriage, options).state;
    const written = format.write(filled, { ...options, ...whose });
    if (!written.ok) return { ok: false, losses: all, failure: written.failure };
    files.push({ ...whose, octets: written.value.octets });
    assumptions.push(...written.value.assumptions);
  }
  return { ok: true, files, losses: all, assumptions };
}

function partsOf(state: DaemonState, carriage: Carriage, { domid }: ConvertOptions) {
  if (!carriage.oneDomain) return { parts: [{ state }], losses: [] };
  if (domid === undefined) {
    const { shares, losses } = splitByDomain(state);
    return { parts: shares, losses };
  }
  const { share, losses } = takeDomain(state, domid);
  return { parts: [share], losses };
}

/** What is missing, from what the caller knows; what is there stays. */
function fillState(state: DaemonState, { rings, features }: Fills, carriage: Carriage): DaemonState {
  if (rings === undefined && features === undefined) return state;
  const connections = state.connections.map((conn) => {
    if (conn.link.kind !== 'ring') return conn;
    return { ...conn, link: { ...rings?.get(conn.link.domid), ...conn.link } };
  });
  if (features === undefined || extentOf(carriage, 'features') === 'none') return { ...state, connections };
  const domains = new Map<number, DomainState>(state.domains.map((domain) => [domain.domid, domain]));
  for (const { link } of connections)
    if (link.kind === 'ring' && !domains.has(link.domid))
      domains.set(link.domid, { domid: link.domid, features, quotas: [] });
  return { ...state, connections, domains: [...domains.values()] };
}

/**
 * A file of another format that says the same. To its own format without further wishes: the same octets.
 * Errors: what cannot be read (`read`), refused losses, values that the other format has no room for.
 */
export function convertFile(
  octets: Uint8Array,
  from: StateFormat,
  to: StateFormat,
  options: ConvertOptions = {},
): Converted & { readonly read?: FormatFailure; readonly warnings: readonly FormatFailure[] } {
  const read = from.read(octets, options.from);
  if (!read.ok) return { ok: false, losses: [], failure: read.failure, read: read.failure, warnings: [] };
  const { state: told, warnings } = read.value;
  const { wishes } = options;
  const isSame = from.name === to.name && options.version === undefined && options.bigEndian === undefined;
  const isPlain = isSame && !options.isOtherLayout && Object.keys(wishes ?? {}).length === 0;
  if (isPlain) return { ok: true, files: [{ octets }], losses: [], assumptions: [], warnings };
  const wished = withWishes(told, wishes ?? {});
  if (!wished.ok) return { ok: false, losses: [], reason: wished.reason, warnings };
  const { state, asked, losses } = wished;
  // What is wrong with a file is not in the state.
  if ((options.onLoss ?? 'refuse') === 'refuse' && warnings.length + losses.length > 0) {
    const reduced = reduceState(state, to.carriage, { ...to.choices, ...options }).losses;
    return { ok: false, losses: [...losses, ...reduced], warnings };
  }
  const written = writeState(state, to, options);
  const all = { losses: [...losses, ...written.losses], warnings };
  return written.ok ? { ...written, ...all, asked } : { ...written, ...all };
}
