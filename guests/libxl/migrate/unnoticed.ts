import { type Actor, decodePlatform, encodePlatform, SHUTDOWN_REASONS, XenError } from '../../../sim/index.ts';
import { textOf as text } from '../../../store/protocol/octets.ts';
import { XS } from '../../../store/protocol/wire.ts';
import type { Thread } from '../../kernel/index.ts';
import { strings } from '../../xenstore/index.ts';
import type { BuiltDomain } from '../build.ts';
import type { Call } from '../call.ts';
import type { LoadedDomain, Parked } from './transfer.ts';

/** The file system of a dom0, as far as images go through it. */
export interface ImageFiles {
  read(path: string): Uint8Array | undefined;
  write(path: string, octets: Uint8Array): boolean;
}

/** What the backends of a host do for a guest that moves; BackendMoves in guests/devices. */
export interface MovingBackends {
  /** @returns why the guest has to stay. */
  check(me: Thread, domid: number): Actor<string | undefined>;
  /** NF4: they take no more, answer what they have taken, and let go of everything. */
  drain(me: Thread, domid: number): Actor;
  /** NC-31: they have its rings again, and do nothing. @returns why they cannot. */
  attach(me: Thread, domid: number): Actor<string | undefined>;
  serve(me: Thread, domid: number): Actor;
}

/** [sim] Migration without the guest's help (NC-1), at one of its ends. */
export interface Unnoticed {
  /** Words for the store: the format, what is put up with. */
  readonly choices: readonly string[];
  readonly files: ImageFiles;
  /** What cannot be held is finished first, within this time; left out: it is a reason to stay. ns. */
  readonly finishNs?: number;
  /** The drivers of the host's devices; left out: guests have none. */
  readonly backends?: MovingBackends;
  /** Told of images: as it left (`out`), and as the other store would write it down again (`again`; empty: it could not). */
  readonly seen?: (what: 'out' | 'again', domid: number, image: Uint8Array, platform: Uint8Array) => void;
}

const SUSPEND = SHUTDOWN_REASONS.indexOf('suspend');
const LOOK_NS = 100_000;
/** How often is asked whether the guest is quiet. */
const QUIET_NS = 1_000_000;

const imageOf = (domid: number) => `/tmp/xenstore-image.${domid}`;

/** One of the words of CONTROL `migrate`. @returns the answer, `OK` and what was put up with, or why not. */
function* order(call: Call, ...words: readonly string[]): Actor<string> {
  const { error, payload } = yield* call.xs.call(XS.CONTROL, strings('migrate', ...words));
  return error ?? text(payload).replace(/\0$/, '');
}

function isOk(answer: string): boolean {
  return answer === 'OK' || answer.startsWith('OK\n');
}

/** NF1: whether the store could write the guest down. @returns why it cannot, in the end. */
export function* mayGo(call: Call, domid: number, unnoticed: Unnoticed): Actor<string | undefined> {
  const { choices, finishNs = 0, backends } = unnoticed;
  const unready = yield* backends?.check(call.me, domid) ?? [];
  if (unready !== undefined) return unready;
  const answer = yield* order(call, 'check', String(domid), ...choices);
  if (isOk(answer)) return undefined;
  if (finishNs === 0) return answer;
  for (const endNs = call.nowNs + finishNs; call.nowNs < endNs; ) {
    if ((yield* order(call, 'quiesce', String(domid))) === 'OK') return undefined;
    yield QUIET_NS;
  }
  yield* order(call, 'thaw', String(domid));
  return answer;
}

/** What is sent of a guest beside its memory. */
export interface Luggage {
  readonly image: Uint8Array;
  readonly platform: Uint8Array;
}

/**
 * NF5, NF2, NF4, NF6 to NF8, in this order: the store is frozen before the guest is stopped, so that it is not told of that. It
 * stops where it is, and finds no value in a register.
 */
export function* parkUnnoticed(
  call: Call,
  domid: number,
  { choices, files, backends, seen }: Unnoticed,
): Actor<{ readonly parked: Parked; readonly luggage?: Luggage; readonly why?: string }> {
  const failed = (why: string) => ({ parked: { kind: 'failed', responded: true } as const, why });
  const { hyper, machine } = call.xl.os;
  const frozen = yield* order(call, 'freeze', String(domid));
  if (!isOk(frozen)) return failed(frozen);
  const asked = hyper.domctl.remoteShutdown(domid, SUSPEND);
  if (!asked.ok) return failed(asked.errno);
  while (machine.domain(domid)?.isShutDown === false) yield LOOK_NS;
  if (machine.domain(domid)?.shutdown !== 'suspend') return failed('it has shut down for another reason');
  yield* backends?.drain(call.me, domid) ?? [];
  const file = imageOf(domid);
  const dumped = yield* order(call, 'dump', String(domid), file, ...choices);
  if (!isOk(dumped)) return failed(dumped);
  const image = files.read(file);
  const [ports, grants] = [hyper.domctl.getPorts(domid), hyper.domctl.getGrants(domid)];
  if (image === undefined || !ports.ok || !grants.ok) return failed('its platform cannot be told');
  const { storePort = 0, console } = machine.domain(domid)?.startInfo ?? {};
  const platform = encodePlatform({
    ports: ports.value,
    grants: grants.value,
    storePort,
    consolePort: console?.port ?? 0,
  });
  seen?.('out', domid, image, platform);
  return { parked: { kind: 'parked', responded: true }, luggage: { image, platform } };
}

/** NF10: it goes on where it is, with everything that has waited for it. No register is touched (SRC-10).
 *  @returns why it has to do without its devices. */
export function* resumeUnnoticed(call: Call, domid: number, { backends }: Unnoticed): Actor<string | undefined> {
  const { hyper, machine } = call.xl.os;
  yield* order(call, 'thaw', String(domid));
  if (machine.domain(domid)?.shutdown !== 'suspend') return undefined;
  const why = yield* backends?.attach(call.me, domid) ?? [];
  hyper.domctl.resume(domid);
  yield* backends?.serve(call.me, domid) ?? [];
  yield* call.xs.call(XS.RESUME, strings(String(domid)));
  return why;
}

/** Ports and grants of a domain whose memory has come (NC-9 to NC-11). @returns why not. */
export function putPlatform(call: Call, { built, platform }: LoadedDomain): BuiltDomain | string {
  const { domain } = built;
  const { domctl } = call.xl.os.hyper;
  if (platform === undefined) return 'no ports and grants in the stream';
  try {
    const { ports, grants, storePort, consolePort } = decodePlatform(platform);
    const put = [domctl.setGrants(domain.domid, grants), domctl.setPorts(domain.domid, ports)];
    for (const one of put) if (!one.ok) return `its ports and grants are not taken: ${one.errno}`;
    const { console } = built;
    return {
      ...built,
      port: storePort,
      ...(console === undefined ? {} : { console: { ...console, port: consolePort } }),
    };
  } catch (error) {
    if (error instanceof XenError) return error.message;
    throw error;
  }
}

/** NC-15: the store takes the domain in. @returns why it does not. */
export function* takeIn(
  call: Call,
  { domain: { domid }, port }: BuiltDomain,
  image: Uint8Array | undefined,
  { choices, files, seen }: Unnoticed,
): Actor<string | undefined> {
  if (image === undefined) return 'no image of the store in the stream';
  const file = imageOf(domid);
  if (!files.write(file, image)) return `${file} cannot be written`;
  const answer = yield* order(call, 'restore', file, `${domid}=${port}`, ...choices);
  if (!isOk(answer)) return answer;
  if (seen === undefined) return undefined;
  // Looked at once more, for whoever compares: it is frozen still, and stays so.
  const again = yield* order(call, 'dump', String(domid), file, ...choices);
  seen('again', domid, (isOk(again) ? files.read(file) : undefined) ?? new Uint8Array(0), new Uint8Array(0));
  return undefined;
}

/** Nobody can go back: the store serves it from here on, and so do backends. */
export function* serveAgain(call: Call, domid: number, { backends }: Unnoticed): Actor<boolean> {
  yield* backends?.serve(call.me, domid) ?? [];
  return (yield* order(call, 'thaw', String(domid))) === 'OK';
}
