import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Digest } from '../../../sim/index.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { fieldsOf, ticketOf } from '../../hunt/token.ts';
import { Unusable } from '../image/io.ts';
import { scenariosOf } from '../scenarios-of.ts';
import { reasonOf } from '../terminal/output.ts';
import { version } from '../version.ts';

/** A failure that was found once, in a file of its own. */
export interface KnownFailure {
  readonly record: 'xenarium-failure';
  readonly version: 1;
  /** Its signature. */
  readonly key: string;
  /** Of the run that found it. */
  readonly text: string;
  readonly token: string;
  /** Of the package that found it, and of the one that saw it gone; '' while it fails. */
  readonly foundIn: string;
  readonly fixedIn: string;
}

/** Failures in a folder, one file for each signature: replayed first by every later campaign. */
export class FailureBase {
  readonly #folder: string;
  readonly #known = new Map<string, KnownFailure>();

  /** The folder is made if it is not there. Errors: Unusable. */
  constructor(folder: string) {
    this.#folder = folder;
    try {
      mkdirSync(folder, { recursive: true });
      for (const name of readdirSync(folder)
        .filter((each) => each.endsWith('.json'))
        .sort(byName)) {
        const failure = JSON.parse(readFileSync(join(folder, name), 'utf8')) as KnownFailure;
        if (failure.record === 'xenarium-failure') this.#known.set(failure.key, failure);
      }
    } catch (error) {
      throw new Unusable(`--base ${folder}: ${reasonOf(error)}`);
    }
  }

  /** What fails, or has failed, with its run; tokens that this program cannot read are left out. */
  async runs(): Promise<readonly { readonly failure: KnownFailure; readonly spec: RunSpec }[]> {
    const all = await Promise.all(
      [...this.#known.values()].map(async (failure) => {
        const fields = fieldsOf(failure.token);
        if (!fields.ok) return [];
        const scenarios = await scenariosOf(fields.value.scenario).catch(() => []); // a module that is not there any more
        const parsed = ticketOf(fields.value, scenarios);
        return parsed.ok ? [{ failure, spec: parsed.value.spec }] : [];
      }),
    );
    return all.flat();
  }

  /** A failure of this campaign; one that is known stays as it is. */
  add({ key, text, token }: Pick<KnownFailure, 'key' | 'text' | 'token'>): void {
    if (token === '' || this.#known.get(key)?.fixedIn === '') return;
    this.#write({ record: 'xenarium-failure', version: 1, key, text, token, foundIn: version(), fixedIn: '' });
  }

  /** It was replayed. @returns whether that is news */
  seen(failure: KnownFailure, stillFails: boolean): boolean {
    const was = failure.fixedIn === '';
    if (was === stillFails) return false;
    this.#write({ ...failure, fixedIn: stillFails ? '' : version() });
    return true;
  }

  #write(failure: KnownFailure): void {
    this.#known.set(failure.key, failure);
    const digest = new Digest();
    digest.text(failure.key);
    try {
      writeFileSync(join(this.#folder, `${digest.hex()}.json`), `${JSON.stringify(failure, null, 2)}\n`);
    } catch (error) {
      throw new Unusable(`--base ${this.#folder}: ${reasonOf(error)}`);
    }
  }
}

function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
