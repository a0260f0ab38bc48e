import { closeSync, openSync, writeSync } from 'node:fs';
import { extname } from 'node:path';
import type { RunRequest, RunResult } from '../engine/scenario.ts';
import { MessageLines, pcapngOf, perfettoOf } from '../report/trace/index.ts';
import { Unusable } from './image/io.ts';
import { reasonOf } from './terminal/output.ts';
import { version } from './version.ts';

/** What is written when the run is over, by the end of the file's name. */
const AFTERWARDS: Readonly<Record<string, (result: RunResult) => Iterable<Uint8Array>>> = {
  '.pcapng': (result) => pcapngOf(result, `xenarium ${version()}`),
  '.perfetto-trace': perfettoOf,
};

const ENCODER = new TextEncoder();

/** How much is gathered before it is written, octets. */
const GATHERED = 1 << 16;

/**
 * Where a run is written down, by the end of the file's name: `.pcapng`, `.perfetto-trace`, `.jsonl` with messages, any other has every event as JSON
 * Lines. What cannot be written is told when the run is over: a full disk is no matter of the run.
 */
export class TraceFile {
  readonly #file: string;
  readonly #fd: number;
  readonly #kind: string;
  readonly #messages: MessageLines | undefined;
  #gathered: Uint8Array[] = [];
  #size = 0;
  #refused: unknown;

  /** Errors: Unusable. */
  constructor(file: string) {
    this.#file = file;
    this.#kind = extname(file);
    this.#messages = this.#kind === '.jsonl' ? new MessageLines((line) => this.#line(line)) : undefined;
    try {
      this.#fd = openSync(file, 'w');
    } catch (error) {
      throw new Unusable(`--trace ${file}: ${reasonOf(error)}`);
    }
  }

  /** What it takes of a run that goes on. */
  get extras(): Pick<RunRequest, 'traceLine' | 'opened'> {
    if (AFTERWARDS[this.#kind] !== undefined) return {};
    const messages = this.#messages;
    if (messages === undefined) return { traceLine: (line) => this.#line(line) };
    return {
      opened: (host) => messages.open(host),
      traceLine: (line) => {
        this.#line(line);
        messages.soFar();
      },
    };
  }

  /** The run is over. Errors: Unusable, if not everything could be written. */
  close(result: RunResult): void {
    this.#messages?.end(result);
    for (const octets of AFTERWARDS[this.#kind]?.(result) ?? []) {
      if (this.#refused !== undefined) break;
      this.#put(octets);
    }
    this.#flush();
    try {
      closeSync(this.#fd);
    } catch (error) {
      this.#refused ??= error;
    }
    if (this.#refused !== undefined) throw new Unusable(`--trace ${this.#file}: ${reasonOf(this.#refused)}`);
  }

  #line(line: string): void {
    this.#put(ENCODER.encode(`${line}\n`));
  }

  #put(octets: Uint8Array): void {
    if (this.#refused !== undefined) return;
    this.#gathered.push(octets);
    this.#size += octets.length;
    if (this.#size > GATHERED) this.#flush();
  }

  #flush(): void {
    let rest: Uint8Array = Buffer.concat(this.#gathered, this.#size);
    this.#gathered = [];
    this.#size = 0;
    try {
      while (rest.length > 0 && this.#refused === undefined) rest = rest.subarray(writeSync(this.#fd, rest));
    } catch (error) {
      this.#refused = error;
    }
  }
}
