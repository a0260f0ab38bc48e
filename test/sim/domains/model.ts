/** A small model of lives of domains, written from the rules DOM-1 to DOM-36 alone: it shares no code with the simulator. */

interface Life {
  readonly id: number;
  readonly serial: number;
  pauses: number;
  end: 'none' | 'dying' | 'dead';
  /** Latched reason. */
  code: number | undefined;
  down: boolean;
  /** Mappings that it holds, by the serial of their granter. */
  readonly holds: number[];
}

const LIMIT = 0x7ff0;

export class LifeModel {
  readonly #lives: Life[] = [];
  #serial = 0;
  #cursor = 0;
  /** Changed ids while VIRQ_DOM_EXC is bound. */
  #bits: number[] | undefined = undefined;

  #at(id: number): Life | undefined {
    return this.#lives.find((life) => life.id === id);
  }

  /** Serial of the domain that has the id now. */
  serial(id: number): number | undefined {
    return this.#at(id)?.serial;
  }

  create(caller: number, id: number | 'any'): string | number {
    if (caller !== 0 && this.#lives.length >= 1) return 'EPERM';
    let got = id;
    if (got === 'any') {
      got = this.#cursor + 1;
      while (this.#at(got) !== undefined && got < LIMIT) got++;
      this.#cursor = got;
    } else if (got < 0 || got >= LIMIT) return 'EINVAL';
    else if (this.#at(got) !== undefined) return 'EEXIST';
    this.#lives.push({
      id: got,
      serial: ++this.#serial,
      pauses: 1,
      end: 'none',
      code: undefined,
      down: false,
      holds: [],
    });
    this.#mark(got);
    return got;
  }

  /** Why a domctl is refused, or the domain it is for. */
  #target(caller: number, id: number, selfToo = false): Life | string {
    const life = this.#at(id);
    if (caller !== 0) return 'EPERM';
    if (life === undefined) return 'ESRCH';
    return caller === id && !selfToo ? 'EINVAL' : life;
  }

  pause(caller: number, id: number): string | number {
    const life = this.#target(caller, id);
    if (typeof life === 'string') return life;
    if (life.pauses === 255) return 'EOVERFLOW';
    life.pauses++;
    return 0;
  }

  unpause(caller: number, id: number): string | number {
    const life = this.#target(caller, id, true);
    if (typeof life === 'string') return life;
    if (life.pauses === 0) return 'EINVAL';
    life.pauses--;
    return 0;
  }

  shutdown(caller: number, id: number, code: number): string | number {
    const life = this.#at(id);
    if (life === undefined) return 'ESRCH';
    if (caller !== 0) return 'EPERM';
    life.code ??= code;
    if (!life.down) this.#mark(id);
    life.down = true;
    return 0;
  }

  latch(id: number, code: number): number {
    const life = this.#at(id);
    if (life !== undefined) life.code ??= code;
    return 0;
  }

  resume(caller: number, id: number): string | number {
    const life = this.#target(caller, id);
    if (typeof life === 'string') return life;
    life.code = undefined;
    life.down = false;
    return 0;
  }

  destroy(caller: number, id: number): string | number {
    const life = this.#target(caller, id);
    if (typeof life === 'string') return life;
    if (life.end === 'none') life.end = 'dying';
    return 0;
  }

  /** Time passes: every dying domain is dead, and freed unless somebody maps its pages. */
  settle(): void {
    const dying = this.#lives.filter((life) => life.end === 'dying');
    for (const life of dying) {
      life.end = 'dead';
      life.holds.length = 0;
      this.#mark(life.id);
    }
    this.#sweep();
  }

  mapped(mapper: number, granter: number): void {
    const serial = this.serial(granter);
    if (serial !== undefined) this.#at(mapper)?.holds.push(serial);
  }

  unmapped(mapper: number, serial: number): void {
    const holds = this.#at(mapper)?.holds ?? [];
    const at = holds.indexOf(serial);
    if (at >= 0) holds.splice(at, 1);
    this.#sweep();
  }

  #sweep(): void {
    const held = new Set(this.#lives.flatMap((life) => life.holds));
    for (const life of [...this.#lives]) {
      if (life.end !== 'dead' || held.has(life.serial)) continue;
      this.#lives.splice(this.#lives.indexOf(life), 1);
      this.#mark(life.id);
    }
  }

  bind(isBound: boolean): void {
    this.#bits = isBound ? this.#lives.map((life) => life.id) : undefined;
  }

  /** [id, state bits] of the next changed domain. */
  pop(): string | readonly [number, number] {
    if (this.#bits === undefined || this.#bits.length === 0) return 'ENOENT';
    const id = Math.min(...this.#bits);
    this.#bits = this.#bits.filter((other) => other !== id);
    const state = this.state(0, id);
    return [id, typeof state === 'number' ? state : 0];
  }

  /** State bits: exist 1, shutdown 2, dying 4, dead 8. */
  state(caller: number, id: number): string | number {
    const life = this.#at(id);
    if (caller !== 0) return 'EPERM';
    if (life === undefined) return 'ESRCH';
    return 1 + (life.down ? 2 : 0) + (life.end === 'dying' ? 4 : 0) + (life.end === 'dead' ? 8 : 0);
  }

  /** getdomaininfo's dying, shutdown and paused bits, and the code. */
  info(id: number): string | readonly [number, number] {
    const life = this.#at(id);
    if (life === undefined) return 'ESRCH';
    const flags = (life.end === 'dead' ? 1 : 0) + (life.down ? 4 : 0) + (life.pauses > 0 ? 8 : 0);
    return [flags, life.code ?? 255];
  }

  #mark(id: number): void {
    if (this.#bits !== undefined && !this.#bits.includes(id)) this.#bits.push(id);
  }
}
