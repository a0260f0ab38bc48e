import { keyOf, predecessors } from '../copies.ts';
import type { Verdict } from '../history.ts';
import type { Copy, MigrationHistory } from '../migrations.ts';
import type { ConsoleHistory, ConsoleRecord } from './console.ts';
import { Findings } from './finding.ts';

const CLAIM =
  "What a guest's terminals show at one host after the other is what it has published, in order; at each move there is missing, or of a PV guest there twice, what was in its ring at most";
const SOURCE = 'tools/console/daemon/io.c; tools/libs/guest/xg_sr_restore_x86_pv.c; migration.md INV-M30';

/** What went through the console of one copy. */
class Output {
  readonly keepsRing: boolean;
  readonly name: string;
  published: number[] = [];
  taken: number[] = [];
  shown: number[] = [];
  /** Octets taken at each moment at which some were. */
  readonly takenAt: { readonly timeNs: number; readonly count: number }[] = [];
  last: Pick<ConsoleRecord, 'seq' | 'timeNs'> = { seq: 0, timeNs: 0 };

  constructor({ keepsRing, name }: ConsoleHistory['consoles'][number]) {
    this.keepsRing = keepsRing;
    this.name = name;
  }

  /** How many octets had been taken then. */
  takenBy(timeNs: number): number {
    return this.takenAt.findLast((at) => at.timeNs <= timeNs)?.count ?? 0;
  }
}

/** @param consoles of each host, in the order of hosts. */
export function migrationConsoles(history: MigrationHistory, consoles: readonly ConsoleHistory[]): Verdict {
  const findings = new Findings('migration-consoles');
  const outputs = collect(consoles);
  const before = predecessors(history);
  const byId = new Map(history.copies.map((copy) => [copy.uniqueId, copy]));
  const heirs = new Map([...before].map(([heir, source]) => [source, byId.get(heir)]));
  for (const first of history.copies) {
    if (before.has(first.uniqueId)) continue;
    const lives: Copy[] = [];
    for (let copy: Copy | undefined = first; copy !== undefined; copy = heirs.get(copy.uniqueId)) lives.push(copy);
    // A copy to which nobody has gone over has nothing of its own to tell.
    const hasLived = lives.length > 1 || history.asked.some(({ uniqueId }) => uniqueId === first.uniqueId);
    if (hasLived) new Guest(history, outputs, findings).follow(lives);
  }
  return findings.verdict(CLAIM, SOURCE);
}

function collect(consoles: readonly ConsoleHistory[]): ReadonlyMap<string, Output> {
  const outputs = new Map<string, Output>();
  for (const [host, { consoles: epochs, records }] of consoles.entries()) {
    const here = epochs.map((epoch) => new Output(epoch));
    for (const [i, { uniqueId }] of epochs.entries()) outputs.set(keyOf({ host, uniqueId }), here[i] as Output);
    for (const record of records) {
      if (!('dir' in record) || record.dir !== 'out') continue;
      const output = here[record.console] as Output;
      output.last = record;
      const { published, taken, shown } = output;
      const into = { publish: published, consume: taken, tty: shown }[record.kind];
      for (const octet of record.bytes) into.push(octet);
      if (record.kind === 'consume') output.takenAt.push({ timeNs: record.timeNs, count: taken.length });
    }
  }
  return outputs;
}

/** One guest over its copies. */
class Guest {
  readonly #history: MigrationHistory;
  readonly #outputs: ReadonlyMap<string, Output>;
  readonly #findings: Findings;
  /** All that it has published, at any host. */
  readonly #said: number[] = [];

  constructor(history: MigrationHistory, outputs: ReadonlyMap<string, Output>, findings: Findings) {
    this.#history = history;
    this.#outputs = outputs;
    this.#findings = findings;
  }

  follow(lives: readonly Copy[]): void {
    /** Where in `#said` the copy before had been read up to when it parked. */
    let readUpTo = 0;
    let isFirst = true;
    for (const copy of lives) {
      const output = this.#outputs.get(keyOf(copy));
      if (output === undefined) return; // nobody has served it, and what came behind is not to be had
      const begun = this.#said.length;
      for (const octet of output.published) this.#said.push(octet);
      const from = output.keepsRing && !isFirst ? readUpTo : begun;
      const start = this.#placeOf(output, from, begun);
      if (start === undefined) return;
      readUpTo = start + output.takenBy(this.#parkOf(copy));
      if (!isFirst) {
        this.#findings.count('consoles that moved');
        this.#findings.count('octets shown again, or late', begun - start);
      }
      this.#findings.count('octets shown', output.shown.length);
      isFirst = false;
    }
  }

  /** Where that which was taken begins, `from` to `to`; `undefined`: nowhere, and it is said. */
  #placeOf(output: Output, from: number, to: number): number | undefined {
    const { taken, shown } = output;
    const wrong = shown.findIndex((octet, i) => octet !== taken[i]);
    if (wrong >= 0)
      return this.#bad(output, `octet ${wrong} of what a terminal shows is not what came out of the ring`);
    // PV: 1. The guest parks with octets in its ring. 2. Its old daemon takes some. 3. The page is copied. 4. The old daemon may take the
    // rest, and the new one does.
    for (let start = from; start <= to; start++)
      if (taken.every((octet, i) => octet === this.#said[start + i])) return start;
    return this.#bad(
      output,
      `${taken.length} octets that came out of the ring are not what follows octet ${to} of its output`,
    );
  }

  /** The last time at which it parked. */
  #parkOf({ host, uniqueId }: Copy): number {
    const park = this.#history.records.findLast(
      (r) => r.kind === 'life' && r.host === host && r.uniqueId === uniqueId && r.what === 'shutdown',
    );
    return park?.timeNs ?? Number.POSITIVE_INFINITY;
  }

  #bad({ last, name }: Output, detail: string): undefined {
    this.#findings.add(last, `${name}/console`, '', `INV-M30: ${detail}`);
  }
}
