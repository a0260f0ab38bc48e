import { type EventQueue, text, XS, Xs } from '../../../guests/index.ts';
import { initDom0, Libxl, type LibxlOptions, SharedFiles } from '../../../guests/libxl/index.ts';
import { type Actor, PARK } from '../../../sim/index.ts';
import { type OnHost, run, testHost } from '../../support/host.ts';

/** A host with a store, dom0 set up, and one process that uses libxl. */
export interface LibxlBench extends OnHost {
  readonly xl: Libxl;
  /** Another process on the same connection. */
  readonly process: (options?: Partial<LibxlOptions>) => Libxl;
}

export function libxlBench(options: Partial<LibxlOptions> = {}, policy: 'carry' | 'daemon' = 'carry'): LibxlBench {
  const host = testHost({ policy, records: true, limitsWrites: false });
  let processes = 0;
  const shared = options.shared ?? new SharedFiles();
  const process = (own: Partial<LibxlOptions> = options) =>
    new Libxl(host.dom0.os, host.dom0.client, { tokenPrefix: `p${processes++}:`, shared, ...own });
  const made = { host, xl: process(), process };
  run(made, 'init', (me) => initDom0(me, host.dom0.client));
  return made;
}

/** One request of the history, as text: `WRITE /path value`, `tx` set in a transaction. */
export interface Asked {
  readonly line: string;
  readonly tx: number;
  readonly actor: string;
}

const NAMES = new Map<number, string>(Object.entries(XS).map(([name, type]) => [type, name]));

/** Requests of dom0 from record `from` on, of actors whose names begin so. */
export function asked({ host }: LibxlBench, actor: string, from = 0): Asked[] {
  const records = host.recorder?.history().records.slice(from) ?? [];
  return records.flatMap((r) => {
    if (r.kind !== 'sent' || !(r.actor === `dom0/${actor}` || r.actor.startsWith(`dom0/${actor}/`))) return [];
    const words = text(r.payload).replace(/\0$/, '').split('\0').join(' ').trimEnd();
    return [{ line: `${NAMES.get(r.type)} ${words}`.trimEnd(), tx: r.txId, actor: r.actor }];
  });
}

export function length({ host }: LibxlBench): number {
  return host.recorder?.history().records.length ?? 0;
}

/** The requests of the n-th transaction that begins among these, from START to END. */
export function transaction(requests: readonly Asked[], n: number): string[] {
  const starts = requests.flatMap((r, i) => (r.line === 'TRANSACTION_START' ? [i] : []));
  const from = starts[n];
  if (from === undefined) throw new Error(`there is no transaction ${n}`);
  const tx = requests.slice(from).find((r) => r.tx !== 0)?.tx;
  const inside = requests.slice(from + 1).filter((r) => r.tx === tx);
  const end = inside.findIndex((r) => r.line.startsWith('TRANSACTION_END'));
  return inside.slice(0, end + 1).map((r) => r.line);
}

/** Drivers that do what they are asked: 1 becomes 2, 5 becomes 6. Without `closes` they never close. */
export function startBackends({ host }: LibxlBench, closes = true): void {
  host.dom0.os.start('backends', function* (me): Actor {
    const xs = new Xs(host.dom0.client, me);
    const queue: EventQueue = { events: [], me };
    yield* xs.client.watch(queue, '/local/domain/0/backend', 'backends');
    for (;;) {
      const event = queue.events.shift();
      if (event === undefined) {
        yield PARK;
        continue;
      }
      if (!event.path.endsWith('/state') && !/backend\/v(if|bd)\/\d+\/\d+$/.test(event.path)) continue;
      const path = event.path.endsWith('/state') ? event.path : `${event.path}/state`;
      const state = text((yield* xs.read(path)).payload);
      if (state === '1') yield* xs.write(path, '2');
      if (state === '5' && closes) yield* xs.write(path, '6');
    }
  });
}

/** xenconsoled: gives each new console its tty. */
export function startConsoleDaemon({ host }: LibxlBench): void {
  host.dom0.os.start('xenconsoled', function* (me): Actor {
    const xs = new Xs(host.dom0.client, me);
    const queue: EventQueue = { events: [], me };
    yield* xs.client.watch(queue, '/local/domain', 'consoles');
    for (;;) {
      const event = queue.events.shift();
      const found = /^\/local\/domain\/\d+\/console(?=\/ring-ref$|$)/.exec(event?.path ?? '');
      if (event === undefined) yield PARK;
      else if (found !== null && (yield* xs.read(`${found[0]}/ring-ref`)).error === undefined)
        yield* xs.write(`${found[0]}/tty`, '/dev/pts/1');
    }
  });
}
