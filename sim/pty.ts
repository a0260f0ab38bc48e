/** What each direction holds before its writer gets EAGAIN. Source: linux drivers/tty/n_tty.c, N_TTY_BUF_SIZE. */
export const PTY_BYTES = 4096;

/** One direction: octets in order, up to PTY_BYTES. */
class Direction {
  readonly #bytes = new Uint8Array(PTY_BYTES);
  #from = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Takes what there is room for. */
  write(bytes: Uint8Array): number {
    const n = Math.min(bytes.length, PTY_BYTES - this.#count);
    for (let i = 0; i < n; i++) this.#bytes[(this.#from + this.#count + i) & (PTY_BYTES - 1)] = bytes[i] as number;
    this.#count += n;
    return n;
  }

  read(max: number): Uint8Array {
    const copy = new Uint8Array(Math.min(max, this.#count));
    for (let i = 0; i < copy.length; i++) copy[i] = this.#bytes[(this.#from + i) & (PTY_BYTES - 1)] as number;
    this.#from = (this.#from + copy.length) & (PTY_BYTES - 1);
    this.#count -= copy.length;
    return copy;
  }
}

/** A pseudo-terminal in raw mode: octets go through as they are. Its two ends are two programs of one domain. */
export class Pty {
  readonly name: string;
  readonly #toSlave = new Direction();
  readonly #toMaster = new Direction();
  /** Called when octets or room came for that end. */
  onMaster: (() => void) | undefined = undefined;
  onSlave: (() => void) | undefined = undefined;
  /** Called with what a write took, before anybody is woken: how a checker sees both directions. */
  tap: ((by: 'master' | 'slave', bytes: Uint8Array) => void) | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** @param end whose writes or reads these are. Returns how many octets were taken: 0 is EAGAIN. */
  write(end: 'master' | 'slave', bytes: Uint8Array): number {
    const n = (end === 'master' ? this.#toSlave : this.#toMaster).write(bytes);
    if (n > 0) this.tap?.(end, bytes.slice(0, n));
    if (n > 0) this.#ready(end === 'master' ? 'slave' : 'master');
    return n;
  }

  read(end: 'master' | 'slave', max: number): Uint8Array {
    const bytes = (end === 'master' ? this.#toMaster : this.#toSlave).read(max);
    if (bytes.length > 0) this.#ready(end === 'master' ? 'slave' : 'master');
    return bytes;
  }

  /** Octets that the end could read. */
  readable(end: 'master' | 'slave'): number {
    return (end === 'master' ? this.#toMaster : this.#toSlave).count;
  }

  /** Octets that the end could write. */
  room(end: 'master' | 'slave'): number {
    return PTY_BYTES - (end === 'master' ? this.#toSlave : this.#toMaster).count;
  }

  #ready(end: 'master' | 'slave'): void {
    if (end === 'master') this.onMaster?.();
    else this.onSlave?.();
  }
}

/** /dev/pts of one domain: names of open terminals. The lowest free number is used first. */
export class Devpts {
  readonly #open: (Pty | undefined)[] = [];

  /** openpty(3). */
  open(): Pty {
    let n = 0;
    while (this.#open[n] !== undefined) n++;
    const pty = new Pty(`/dev/pts/${n}`);
    this.#open[n] = pty;
    return pty;
  }

  find(name: string): Pty | undefined {
    return this.#open.find((pty) => pty?.name === name);
  }

  /** Both ends are closed; the number is free. */
  close(pty: Pty): void {
    const n = this.#open.indexOf(pty);
    if (n >= 0) this.#open[n] = undefined;
  }
}
