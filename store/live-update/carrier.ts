import type { UpdateRecord } from '../contract/update-record.ts';
import type { StoreOptions } from '../daemon/options.ts';
import type { Platform, Stream } from '../daemon/platform.ts';
import type { DaemonState } from '../daemon/state.ts';
import { type Dialect, type FormatFailure, formatFailure, v1, v2 } from '../format/index.ts';
import { STATE_ROWS } from '../format/model/carriage.ts';
import { type StateFormat, writeState } from '../format/model/convert.ts';
import { lossText } from '../format/model/losses.ts';
import { mergeShares } from '../format/model/split.ts';
import type { DaemonState as NeutralState } from '../format/model/state.ts';
import { dumpState, type ProcessNumbers, type Requester } from './dump.ts';
import { neutralStateOf, restoreNeutralState } from './neutral-state.ts';
import { restoreState } from './restore.ts';

/** Execute the program of a live update on this image instead of going on in this process; why it could not. */
export type Execute = (image: Uint8Array) => string;

/** What a daemon's state goes through in a live update. */
export type Carrier =
  /** An image, from one of the daemon's own instances to the next. */
  | { readonly kind: 'image'; readonly dialect: Dialect }
  /** The files of a format of the laboratory, and so the neutral state. */
  | { readonly kind: 'files'; readonly format: StateFormat }
  /** An image for a program of somebody else, which reads it for itself. */
  | { readonly kind: 'program'; readonly dialect: Dialect; readonly execute: Execute };

/** Carriers of which this daemon is the reader, too. */
export type Readable = Exclude<Carrier, { readonly kind: 'program' }>;

/** The image's dialect by the version that the requester asked for. */
const DIALECTS: Readonly<Record<number, Dialect>> = { 1: v1, 2: v2 };

/** The dialect of an image of this version. Errors: none; another version was refused when it was asked for. */
export function dialectOf(version: number): Dialect {
  const dialect = DIALECTS[version];
  if (dialect === undefined) throw new Error(`assertion: version ${version} was refused`);
  return dialect;
}

/** What a report calls it. */
export function carrierName(carrier: Carrier): string {
  return carrier.kind === 'files' ? carrier.format.name : `v${carrier.dialect.version}`;
}

/** One file on its way. */
export interface CargoFile {
  readonly octets: Uint8Array;
  /** Whose it is, in formats of one domain. */
  readonly domid: number | undefined;
}

/** A state that was written down. */
export interface Cargo extends Pick<UpdateRecord, 'losses' | 'lossCounts'> {
  readonly files: readonly CargoFile[];
}

/** Octets of all files together. */
export function sizeOf({ files }: Cargo): number {
  return files.reduce((sum, { octets }) => sum + octets.length, 0);
}

type Failure = { readonly ok: false; readonly reason: string };

/** Write a state down; its requester's answer goes with it. Errors: what the format cannot say. */
export function writeCargo(
  carrier: Carrier,
  state: DaemonState,
  numbers: ProcessNumbers,
  requester: Requester | undefined,
): { readonly ok: true; readonly cargo: Cargo } | Failure {
  if (carrier.kind === 'files') return writeFiles(carrier.format, state, numbers, requester);
  const dumped = dumpState(state, carrier.dialect, numbers, requester);
  if (!dumped.ok) return dumped;
  return { ok: true, cargo: { files: [{ octets: dumped.image, domid: undefined }], losses: [], lossCounts: [] } };
}

function writeFiles(
  format: StateFormat,
  state: DaemonState,
  numbers: ProcessNumbers,
  requester: Requester | undefined,
): { readonly ok: true; readonly cargo: Cargo } | Failure {
  const written = writeState(neutralStateOf(state, numbers, requester), format, { onLoss: 'silent' });
  if (!written.ok)
    return { ok: false, reason: written.failure === undefined ? 'not written' : formatFailure(written.failure) };
  const counts = new Map<string, number>();
  for (const { row } of written.losses) counts.set(STATE_ROWS[row], (counts.get(STATE_ROWS[row]) ?? 0) + 1);
  const files = written.files.map(({ octets, domid }) => ({ octets, domid }));
  return { ok: true, cargo: { files, losses: written.losses.map(lossText), lossCounts: [...counts] } };
}

/** For whom a state is made from what was written. */
export interface Recipient {
  readonly platform: Platform;
  readonly options: StoreOptions;
  /** By file descriptor; a connection whose descriptor is unknown is left out. */
  readonly sockets: ReadonlyMap<number, Stream>;
}

/** What was found in a cargo that is good. */
export type Reading =
  /** The state with which the successor begins. */
  | { readonly kind: 'image'; readonly state: DaemonState }
  /** What the files say together. The successor makes its state of it when it has started: domains may be others by then. */
  | { readonly kind: 'files'; readonly neutral: NeutralState };

/** See whether a successor could begin with what was written, touching nothing of the machine. Errors: why it could not. */
export function readCargo(
  carrier: Readable,
  { files }: Cargo,
  recipient: Recipient,
): { readonly ok: true; readonly reading: Reading } | Failure {
  const { platform, options, sockets } = recipient;
  if (carrier.kind === 'image') {
    const restored = restoreState(imageOf(files), platform, options, sockets);
    return restored.ok ? { ok: true, reading: { kind: 'image', state: restored.state } } : restored;
  }
  const said = readFiles(carrier.format, files);
  if (!said.ok) return said;
  const trial = restoreNeutralState(said.neutral, platform, options, sockets);
  return trial.ok ? { ok: true, reading: { kind: 'files', neutral: said.neutral } } : trial;
}

/** The one image of a cargo. */
export function imageOf([file]: Cargo['files']): Uint8Array {
  if (file === undefined) throw new Error('assertion: an image is one file');
  return file.octets;
}

function readFiles(
  format: StateFormat,
  files: readonly CargoFile[],
): { readonly ok: true; readonly neutral: NeutralState } | Failure {
  const shares: { readonly state: NeutralState }[] = [];
  for (const { octets, domid } of files) {
    const read = format.read(octets, domid === undefined ? {} : { domid });
    if (!read.ok) return { ok: false, reason: formatFailure(read.failure) };
    // Quotas of a domain that nothing else tells of do no harm, here as in an image.
    const harms = (one: FormatFailure) => !('rule' in one && one.rule === 'domain-known');
    const fault = format.skipsFaults ? undefined : read.value.warnings.find(harms);
    if (fault !== undefined) return { ok: false, reason: formatFailure(fault) };
    shares.push({ state: read.value.state });
  }
  const [first, ...others] = shares;
  return { ok: true, neutral: first !== undefined && others.length === 0 ? first.state : mergeShares(shares) };
}
