import { existsSync } from 'node:fs';
import { Digest } from '../../../sim/index.ts';
import type { Bug } from '../../bugs/index.ts';
import { readOctets, Unusable, writeOctets } from '../image/io.ts';
import type { Hunted } from './protocol.ts';

const RECORD = 'xenarium-bugs';
const VERSION = 2;

/** What is kept of hunts: of each bug the last, and what the bug was then. */
type Kept = Hunted & { readonly changes: string };

/** Results of hunts in a file, so that only bugs are hunted that are new, or not what they were. */
export class HuntResults {
  readonly #file: string | undefined;
  readonly #kept = new Map<string, Kept>();

  /** @param file left out: nothing is kept. Errors: Unusable, for a file that is none of these. */
  constructor(file?: string) {
    this.#file = file;
    if (file === undefined || !existsSync(file)) return;
    try {
      const { record, version, hunted } = JSON.parse(new TextDecoder().decode(readOctets(file)));
      if (record !== RECORD || version !== VERSION) throw new Error();
      for (const each of hunted as Kept[]) this.#kept.set(each.id, each);
    } catch {
      throw new Unusable(`${file}: not results of bugs hunt`);
    }
  }

  /** What became of a bug as it is now; `undefined`: that is not known. */
  of(bug: Bug): Hunted | undefined {
    const kept = this.#kept.get(bug.id);
    return kept?.changes === digestOf(bug) ? kept : undefined;
  }

  /** Errors: Unusable. */
  add(bug: Bug, hunted: Hunted): void {
    this.#kept.set(bug.id, { ...hunted, changes: digestOf(bug) });
    if (this.#file === undefined) return;
    const all = [...this.#kept.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const lines = all.map((each) => `  ${JSON.stringify(each)}`).join(',\n');
    const text = `{"record":"${RECORD}","version":${VERSION},"hunted":[\n${lines}\n]}\n`;
    writeOctets(this.#file, new TextEncoder().encode(text));
  }
}

/** Tells a bug from what it was. */
function digestOf({ changes }: Bug): string {
  const digest = new Digest();
  digest.text(JSON.stringify(changes));
  return digest.hex();
}
