import { LINUX_HABITS, octets, strings, text, XS, type XsLink } from '../../guests/index.ts';
import { LIFELIKE, STORE_BINARY } from '../../scenarios/engine/host.ts';
import { type Actor, PARK, Streams } from '../../sim/index.ts';
import { type Draws, decodeFile, encodeFile, type FormatRecord } from '../../store/format/index.ts';
import type { LabFormat } from '../../store/format/model/index.ts';
import { type DumpLine, decodeTextDump, encodeTextDump } from '../../store/format/model/text-dump.ts';
import { testHost } from './host.ts';

// A live update of a host under traffic whose image says something else than the daemon wrote: records that are sound as
// octets, and hostile in what their fields mean. Either the old store goes on and says where the image is at fault, or the
// new one goes on and survives whatever a host can do to it.

/** What became of one hostile image. */
export interface Hostile {
  readonly outcome: 'refused' | 'accepted';
  /** Why, if it was refused. */
  readonly reason: string;
  /** What was made of the image. */
  readonly changes: readonly string[];
}

type Fields = Record<string, unknown>;

const NUMBERS = [0, 1, 2, 3, 4, 7, 9, 0x7fef, 0x7ff0, 0x7ff4, 0xffff, 0x10000, 0x7fffffff, 0xffffffff, -1];
const TEXTS = [
  '',
  '/',
  '//',
  '/a/',
  '/a//b',
  'a',
  '@',
  '@x',
  '@releaseDomain',
  '@releaseDomain/x',
  '/no/such/parent',
  '/local',
  '/local/domain/1',
  '/local/domain/1/data',
  '/a b',
  'a\0b',
  '\xff',
  `/${'a'.repeat(3100)}`,
  'x'.repeat(4097),
  'x'.repeat(60_000),
  '__proto__',
];

/** A message header that promises so many octets, and what follows it. */
function message(promised: number, present: number, type: number = XS.READ): Uint8Array {
  const bytes = new Uint8Array(16 + present);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(12, promised, true);
  return bytes.fill(0x2f, 16, bytes.length - 1);
}

const BUFFERS = [
  message(5000, 5000),
  message(4097, 4096),
  message(0xffffffff, 100),
  message(0, 0),
  message(4096, 4096),
  message(100, 3),
  message(8, 8).subarray(0, 7),
  octets(message(3, 3), message(3, 3), message(9000, 2)),
  octets(...Array.from({ length: 60 }, () => message(2, 2, XS.MKDIR))),
  message(4, 4, XS.TRANSACTION_START),
];

function pick<T>(draws: Draws, from: readonly T[]): T {
  return from[draws.below(from.length)] as T;
}

/** A record: of each kind as often as of any other, however many there are. */
function ofAnyKind<T extends Fields>(draws: Draws, records: readonly T[]): T {
  const kind = pick(draws, [...new Set(records.map((one) => one.kind))]);
  return pick(
    draws,
    records.filter((one) => one.kind === kind),
  );
}

/** Another value of the same kind; `undefined`: there is none. */
function hostile(draws: Draws, value: unknown, others: readonly unknown[]): unknown {
  if (others.length > 0 && draws.below(3) === 0) return pick(draws, others);
  if (typeof value === 'number') return pick(draws, NUMBERS);
  if (typeof value === 'bigint') return pick(draws, [0n, 1n, 2n, 0xffffffffn, 0xffffffffffffffffn]);
  if (value instanceof Uint8Array) return draws.below(2) === 0 ? octets(pick(draws, TEXTS)) : pick(draws, BUFFERS);
  if (typeof value === 'string') return pick(draws, TEXTS);
  if (!Array.isArray(value)) return undefined;
  const first = value[0] as unknown;
  return pick(draws, [
    [],
    value.slice(1),
    [...value, ...value],
    Array.from({ length: first === undefined ? 0 : 300 }, () => first),
  ]);
}

/** Change one field of one record, however deep it lies. @returns what was done; `undefined`: nothing. */
function changeField(draws: Draws, records: readonly Fields[]): string | undefined {
  let at = ofAnyKind(draws, records);
  const kind = String(at.kind);
  let place = '';
  for (let depth = 0; depth < 4; depth++) {
    const names = Object.keys(at).filter((name) => name !== 'kind' && name !== 'text');
    if (names.length === 0) return undefined;
    const name = pick(draws, names);
    place += `.${name}`;
    const value = at[name];
    const isNested = typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
    const inner = Array.isArray(value) ? (value as readonly unknown[])[draws.below(Math.max(1, value.length))] : value;
    if (isNested && typeof inner === 'object' && inner !== null && (!Array.isArray(value) || draws.below(3) > 0)) {
      at[name] = Array.isArray(value)
        ? value.map((one: unknown) => (one === inner ? { ...inner } : one))
        : { ...inner };
      at = (Array.isArray(value) ? (at[name] as Fields[])[value.indexOf(inner)] : at[name]) as Fields;
      continue;
    }
    const others = records.filter((one) => one.kind === kind && name in one).map((one) => one[name]);
    const fresh = hostile(draws, value, depth === 0 ? others : []);
    if (fresh === undefined) return undefined;
    at[name] = fresh;
    const shown =
      fresh instanceof Uint8Array
        ? `${fresh.length} octets ${JSON.stringify(text(fresh.subarray(0, 24)))}`
        : JSON.stringify(fresh, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))?.slice(0, 60);
    return `${kind}${place} = ${shown}`;
  }
  return undefined;
}

/** The records with one to three things changed, and what they were. */
function changed<T extends Fields>(
  draws: Draws,
  sound: readonly T[],
): { readonly records: T[]; readonly changes: string[] } {
  const records = sound.map((one) => ({ ...one }));
  const changes: string[] = [];
  for (let times = 1 + draws.below(3); times > 0; times--) {
    const record = ofAnyKind(draws, records);
    const index = records.indexOf(record);
    switch (draws.below(8)) {
      case 0:
        records.splice(index, 1);
        changes.push(`${String(record.kind)} ${index} left out`);
        break;
      case 1:
        records.splice(draws.below(records.length), 0, { ...record });
        changes.push(`${String(record.kind)} ${index} twice`);
        break;
      default: {
        const change = changeField(draws, records);
        if (change !== undefined) changes.push(change);
      }
    }
    if (records.length === 0) break;
  }
  return { records, changes };
}

/** Another file of the same format; `undefined`: what was drawn does not fit its fields. */
function hostileFile(
  draws: Draws,
  lab: LabFormat,
  image: Uint8Array,
): { readonly octets: Uint8Array; readonly changes: string[] } | undefined {
  if (lab.text !== undefined) {
    const decoded = decodeTextDump(image, lab.text);
    if (!decoded.ok) throw new Error('assertion: what the daemon wrote can be read');
    const lines = decoded.value.dump.lines.map(({ text: _, ...line }) => line as Fields);
    const { records, changes } = changed(draws, lines);
    try {
      return { octets: encodeTextDump({ lines: records as unknown as DumpLine[] }), changes };
    } catch {
      return undefined; // a text has no place for it
    }
  }
  const { format } = lab;
  if (format === undefined) throw new Error(`assertion: ${lab.name} is made of a value`);
  const decoded = decodeFile(format, image, format.reads ?? {});
  const read = decoded.ok ? decoded : decodeFile(format, image);
  if (!read.ok) throw new Error(`assertion: what the daemon wrote can be read: ${read.failure.reason}`);
  const { records, changes } = changed(draws, read.file.records as unknown as Fields[]);
  try {
    const encoded = encodeFile(format, { ...read.file, records: records as unknown as FormatRecord[] });
    return encoded.ok ? { octets: encoded.octets, changes } : undefined;
  } catch {
    return undefined;
  }
}

const STEP_NS = 200_000_000;

/** Live-update a host under traffic through an image of this format that `seed` has made hostile. Errors: the store's. */
export function tryHostileImage(lab: LabFormat, seed: string): Hostile {
  const draws = new Streams(seed).for(`hostile-image/${lab.name}`);
  const changes: string[] = [];
  let isHostile = true;
  const own = lab.format?.name === 'G3.2' || lab.format?.name === 'G4.1';
  const version = lab.format?.name === 'G3.2' ? ['-v', '1'] : [];
  const policy = draws.below(3) === 0 ? 'daemon' : 'carry';
  const host = testHost({
    seed,
    policy,
    jitter: LIFELIKE,
    compat: lab.format?.name === 'C-4.16' ? '4.17' : '4.22',
    ...(own ? {} : { lab }),
    passImage: (image) => {
      if (!isHostile) return image;
      isHostile = false;
      for (let tries = 0; tries < 20; tries++) {
        const made = hostileFile(draws, lab, image);
        if (made === undefined || made.changes.length === 0) continue;
        changes.push(...made.changes);
        return made.octets;
      }
      return image;
    },
  });
  const { dom0, machine, store } = host;
  const { scheduler } = machine;
  let stopped = false;
  let isReady = false;
  const guest = function* (xs: XsLink, me: Parameters<XsLink['request']>[0], domid: number): Actor {
    for (let n = 0; !stopped; n++) {
      const flight = [
        xs.submit(me, XS.WRITE, octets(`data/n${n % 5}\0`, `value ${n}`)),
        xs.submit(me, XS.READ, strings(`/local/domain/${1 + (domid % 3)}/data/n1`)),
        xs.submit(me, XS.WATCH, strings(n % 2 === 0 ? 'data' : '@releaseDomain', `t${n}`)),
      ];
      for (const pending of flight) while (pending.reply === undefined) yield PARK;
      if (n % 3 === 0) {
        const begun = yield* xs.request(me, XS.TRANSACTION_START, strings(''));
        const tx = begun.error === undefined ? Number(text(begun.payload).replace(/\0.*/s, '')) : 0;
        yield* xs.request(me, XS.WRITE, octets(`data/tx${n}\0`, 'in a transaction'), tx);
        yield* xs.request(me, XS.READ, strings('data/n0'), tx);
        if (n % 6 === 0) yield* xs.request(me, XS.TRANSACTION_END, strings('T'), tx);
      }
      yield 50_000;
    }
  };
  dom0.os.start('toolstack', function* (me) {
    for (let domid = 1; domid <= 3; domid++) {
      const built = host.build(domid, `domU${domid}`);
      yield* dom0.client.request(me, XS.INTRODUCE, strings(String(domid), '1', String(built.port)));
      for (const name of ['', '/data', '/control'])
        yield* dom0.client.request(me, XS.MKDIR, strings(`/local/domain/${domid}${name}`));
      yield* dom0.client.request(me, XS.SET_PERMS, strings(`/local/domain/${domid}`, `n${domid}`, 'r0'));
      yield* dom0.client.request(
        me,
        XS.SET_PERMS,
        strings(`/local/domain/${domid}/data`, `n${domid}`, `b${1 + (domid % 3)}`),
      );
      const { os, client } = host.boot(built, LINUX_HABITS);
      machine.unpause(built.domain);
      os.start('load', (own) => guest(client, own, domid));
    }
    yield* dom0.client.request(me, XS.SET_TARGET, strings('1', '2'));
    isReady = true;
  });
  const run = (until: () => boolean, ns: number) => scheduler.runUntil(until, scheduler.nowNs + ns) === 'met';
  if (!run(() => isReady, STEP_NS * 5)) throw new Error('assertion: the host comes up');
  run(() => false, 2_000_000 + draws.below(3_000_000));

  const operator = host.socket('operator');
  const update = (name: string, link: XsLink) => {
    dom0.os.start(name, function* (me) {
      yield* link.request(me, XS.CONTROL, strings('live-update', '-f', STORE_BINARY));
      yield* link.request(me, XS.CONTROL, strings('live-update', '-s', '-F', ...version));
    });
    const before = store.updates.length;
    return run(() => store.updates.length > before || store.ended !== undefined, STEP_NS * 20);
  };
  if (!update('update', operator)) throw new Error('assertion: an update is attempted');
  const [first] = store.updates;
  const about = `${lab.name} seed ${seed} (${changes.join('; ')})`;
  if (store.ended !== undefined) throw new Error(`${about}: the store ended: ${store.ended}`);

  exercise();
  stopped = true;
  return { outcome: first?.outcome === 'ok' ? 'accepted' : 'refused', reason: first?.reason ?? '', changes };

  /** All that happens to a store in its life: whoever answers is asked. */
  function exercise(): void {
    let [asked, answered] = [0, 0];
    const ask = (round: string, body: (link: XsLink, me: Parameters<XsLink['request']>[0]) => Actor) => {
      const links: readonly XsLink[] = [operator, dom0.client, host.socket(`prober-${round}`)];
      for (const [i, link] of links.entries()) {
        asked++;
        let isDone = false;
        dom0.os.start(`${round}-${i}`, function* (me) {
          yield* body(link, me);
          isDone = true;
        });
        if (run(() => isDone, STEP_NS)) answered++;
        if (store.ended !== undefined) throw new Error(`${about}: the store ended in ${round}: ${store.ended}`);
      }
    };
    const walk = (round: string) =>
      ask(`${round}-walk`, function* (link, me) {
        const paths = ['/'];
        for (let n = 0; n < 300 && paths.length > 0; n++) {
          const path = paths.pop() as string;
          const list = yield* link.request(me, XS.DIRECTORY, strings(path));
          yield* link.request(me, XS.READ, strings(path));
          yield* link.request(me, XS.GET_PERMS, strings(path));
          if (list.error === undefined)
            for (const name of text(list.payload).split('\0'))
              if (name !== '') paths.push(path === '/' ? `/${name}` : `${path}/${name}`);
        }
      });
    const change = (round: string) =>
      ask(`${round}-change`, function* (link, me) {
        const begun = yield* link.request(me, XS.TRANSACTION_START, strings(''));
        const tx = Number(text(begun.payload).replace(/\0.*/s, '')) || 0;
        yield* link.request(me, XS.WRITE, octets(`/tool/${round}/x\0`, 'x'), tx);
        yield* link.request(me, XS.RM, strings('/local/domain/2/data/n1'), tx);
        yield* link.request(me, XS.TRANSACTION_END, strings('T'), tx);
        yield* link.request(me, XS.RM, strings(`/tool/${round}`));
      });
    walk('first');
    change('first');
    for (const { os } of [...host.guests]) {
      machine.destroy(os.domain);
      run(() => false, 5_000_000);
      if (store.ended !== undefined) throw new Error(`${about}: the store ended: ${store.ended}`);
      change(`after-${os.domain.domid}`);
    }
    // An image that was refused has changed nothing. Those that follow may well cut somebody off: not all formats have sockets.
    if (first?.outcome !== 'ok' && answered < asked) throw new Error(`${about}: refused, and the old store is silent`);
    update('again', operator);
    update('once-more', dom0.client);
    if (store.ended !== undefined) throw new Error(`${about}: the store ended: ${store.ended}`);
    walk('last');
    change('last');
  }
}
