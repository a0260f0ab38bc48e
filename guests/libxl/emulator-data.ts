import type { Actor } from '../../sim/index.ts';
import { octetsOf } from '../../store/protocol/octets.ts';
import type { Call } from './call.ts';

/** Nodes of one entry, in the order of the stream. Source: PHYSMAP in libxl__save_emulator_xenstore_data, libxl_dom_save.c. */
const PHYSMAP = ['start_addr', 'size', 'name'] as const;

/** What the device model says of the guest's memory: keys below its own directory, with their values, each with its NUL (SO12). */
export function* physmapPairs(call: Call, domid: number): Actor<Uint8Array> {
  const home = yield* call.dompath(domid);
  const dm = (yield* call.read(`${home}/image/device-model-domid`)) ?? '0';
  const dir = `/local/domain/${dm}/device-model/${domid}/physmap`;
  const entries = (yield* call.directory(dir)) ?? [];
  let text = '';
  for (const entry of entries)
    for (const key of PHYSMAP) {
      const value = yield* call.read(`${dir}/${entry}/${key}`);
      if (value !== undefined) text += `physmap/${entry}/${key}\0${value}\0`;
    }
  return octetsOf(text);
}

/** A key that is none, or a value that is missing. */
export type BadPairs = { readonly reason: string };

/** The pairs of a record; keys are relative and not empty. Source: libxl__restore_emulator_xenstore_data. */
export function parsePairs(octets: Uint8Array): readonly (readonly [key: string, value: string])[] | BadPairs {
  if (octets.length === 0) return [];
  if (octets.at(-1) !== 0) return { reason: 'the last string does not end' };
  const texts = String.fromCharCode(...octets.subarray(0, -1)).split('\0');
  if (texts.length % 2 !== 0) return { reason: 'a key without a value' };
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i < texts.length; i += 2) {
    const key = texts[i] as string;
    if (key === '' || key.startsWith('/')) return { reason: `key '${key}' is not relative` };
    pairs.push([key, texts[i + 1] as string]);
  }
  return pairs;
}

/** Plain WRITEs below the device model's directory of the new domain (DE8). @returns false: one was refused. */
export function* writePairs(call: Call, domid: number, pairs: readonly (readonly [string, string])[]): Actor<boolean> {
  const home = yield* call.dompath(domid);
  const dm = (yield* call.read(`${home}/image/device-model-domid`)) ?? '0';
  for (const [key, value] of pairs)
    if ((yield* call.xs.write(`/local/domain/${dm}/device-model/${domid}/${key}`, value)).error !== undefined)
      return false;
  return true;
}
