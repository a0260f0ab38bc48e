import { DOMID_FIRST_RESERVED } from '../../../sim/index.ts';
import { formatFailure } from '../../../store/format/index.ts';
import {
  assumptionText,
  convertFile,
  type Fills,
  type LossPolicy,
  lossText,
  type Renumbering,
} from '../../../store/format/model/index.ts';
import { readOctets, tell, writeOctets } from './io.ts';
import { knobsSet } from './knob.ts';
import { formatFor, formatTaken } from './named.ts';

export interface ConvertOptions {
  readonly to: string;
  readonly from?: string;
  readonly out: string;
  readonly onLoss: LossPolicy;
  readonly domid?: number;
  readonly fromDomid?: number;
  readonly imageVersion?: number;
  readonly fill: Fills;
  readonly knob: readonly string[];
  readonly fromKnob: readonly string[];
  readonly renumber?: Renumbering;
}

/**
 * One `--fill`: `5.mfn=1044476`, `5.port=42`, `5.guestPort=1`, `5.uniqueId=165` of the ring of domain 5, or
 * `features=6` of all domains. Undefined: it is none of these.
 */
export function addFill(text: string, before: Fills): Fills | undefined {
  const m = /^(?:features|(0|[1-9][0-9]{0,4})\.(port|guestPort|mfn|uniqueId))=([0-9]{1,20})$/.exec(text);
  if (m === null) return undefined;
  const [, domid, key, digits = ''] = m;
  if (domid === undefined || key === undefined) return { ...before, features: Number(digits) };
  const isBig = key === 'mfn' || key === 'uniqueId';
  const ring = { ...before.rings?.get(Number(domid)), [key]: isBig ? BigInt(digits) : Number(digits) };
  return { ...before, rings: new Map([...(before.rings ?? []), [Number(domid), ring]]) };
}

/** `5=7`: domain 5 becomes 7. Undefined: it is none. */
export function renumberingOf(text: string): Renumbering | undefined {
  const m = /^(0|[1-9][0-9]{0,4})=(0|[1-9][0-9]{0,4})$/.exec(text);
  const [from, to] = [Number(m?.[1]), Number(m?.[2])];
  return from < DOMID_FIRST_RESERVED && to < DOMID_FIRST_RESERVED ? { from, to } : undefined;
}

/**
 * Write an image in another format. Losses and what had to be made up go to stderr, unless it is to be silent.
 * Exit 1: broken, refused, or a value that does not fit; no file is written then. A format of one domain makes a file
 * for each, with the domid behind its name, unless there is only one or one was asked for.
 */
export async function convertCommand(file: string, options: ConvertOptions): Promise<number> {
  const { onLoss, domid, fromDomid, imageVersion: version, fill: fills } = options;
  const octets = readOctets(file);
  const from = await formatFor(file, octets, options.from, { knob: options.fromKnob });
  const { wishes, ofFormat } = knobsSet(options.knob);
  const to = await formatTaken(options.to, { knob: ofFormat });
  const renumber = options.renumber === undefined ? {} : { renumber: options.renumber };
  const converted = convertFile(octets, from, to, {
    onLoss,
    fills,
    wishes: { ...wishes, ...renumber },
    isOtherLayout: ofFormat.length + options.fromKnob.length > 0,
    ...(domid === undefined ? {} : { domid }),
    ...(fromDomid === undefined ? {} : { from: { domid: fromDomid } }),
    ...(version === undefined ? {} : { version }),
  });
  if (onLoss !== 'silent') {
    tell(converted.warnings.map((warning) => `${file}: ${formatFailure(warning)}`));
    tell(converted.losses.map((loss) => `lost: ${lossText(loss)}`));
  }
  if (!converted.ok) {
    const { failure, read, losses, warnings, reason } = converted;
    if (reason !== undefined) return tell([`${file}: refused: ${reason}`]);
    const faults = warnings.length === 0 ? '' : `${warnings.length} faults, `;
    if (failure === undefined) return tell([`refused: ${faults}${losses.length} losses; --on-loss warn accepts them`]);
    return tell([`${read === undefined ? options.out : file}: ${formatFailure(failure)}`]);
  }
  if (onLoss !== 'silent') tell((converted.asked ?? []).map((one) => `left out: ${lossText(one)}`));
  if (onLoss !== 'silent') tell(converted.assumptions.map((one) => `assumed: ${assumptionText(one)}`));
  const [only, ...others] = converted.files;
  for (const { octets: written, domid: of } of converted.files)
    writeOctets(others.length === 0 && only !== undefined ? options.out : `${options.out}.${of}`, written);
  return 0;
}
