import { copyOctets } from '../../sim/index.ts';
import { HEADER_BYTES, type Message, messageOf, PAYLOAD_MAX, payloadLength } from './wire.ts';

/**
 * What becomes of a header that announces more than PAYLOAD_MAX octets: it is believed, and all of them are waited for; it is
 * dropped, and what follows is taken for a header; or the stream ends before it.
 */
export type Overlong = 'believed' | 'dropped' | 'refused';

const NOTHING = new Uint8Array(0);

/** Makes messages of octets that come in any pieces. */
export class MessageReader {
  readonly #overlong: Overlong;
  #bytes = NOTHING;
  #from = 0;
  #to = 0;
  /** A header was refused: no message comes any more. */
  isRefused = false;

  constructor(overlong: Overlong) {
    this.#overlong = overlong;
  }

  /** Octets that came and are in no message yet. */
  get held(): number {
    return this.#to - this.#from;
  }

  /** Octets that are missing to a header, or to the message that it announces. */
  get missing(): number {
    const whole = this.held < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + payloadLength(this.#bytes, this.#from);
    return Math.max(0, whole - this.held);
  }

  /** A copy of the octets held. */
  rest(): Uint8Array {
    return this.#bytes.slice(this.#from, this.#to);
  }

  push(bytes: Uint8Array, at = 0, count = bytes.length - at): void {
    if (this.#to + count > this.#bytes.length) this.#makeRoom(count);
    copyOctets(bytes, at, this.#bytes, this.#to, count);
    this.#to += count;
  }

  /** Read what is missing, and no octet more, from a stream. @returns octets that came. */
  pull(stream: { read(into: Uint8Array, at: number, count: number): number }): number {
    const wanted = this.missing;
    if (this.#to + wanted > this.#bytes.length) this.#makeRoom(wanted);
    const count = stream.read(this.#bytes, this.#to, wanted);
    this.#to += count;
    return count;
  }

  /** The next message, if all of it has come. */
  shift(): Message | undefined {
    while (this.held >= HEADER_BYTES && !this.isRefused) {
      const at = this.#from;
      const length = payloadLength(this.#bytes, at);
      if (length > PAYLOAD_MAX && this.#overlong !== 'believed') {
        if (this.#overlong === 'dropped') this.#drop(HEADER_BYTES);
        else this.isRefused = true;
        continue;
      }
      if (this.held < HEADER_BYTES + length) return undefined;
      const payload = new Uint8Array(length);
      copyOctets(this.#bytes, at + HEADER_BYTES, payload, 0, length);
      const message = messageOf(this.#bytes, at, payload);
      this.#drop(HEADER_BYTES + length);
      return message;
    }
    return undefined;
  }

  /** All messages that have come whole and were not taken. */
  all(): Message[] {
    const messages: Message[] = [];
    for (let one = this.shift(); one !== undefined; one = this.shift()) messages.push(one);
    return messages;
  }

  /** What was half received is forgotten. */
  clear(): void {
    this.#drop(this.held);
  }

  #drop(count: number): void {
    this.#from += count;
    if (this.#from < this.#to) return;
    this.#from = 0; // nothing is held, as after most messages: no octet has to be moved
    this.#to = 0;
  }

  /** Move what is held to the start; who believes what a header says makes room for that, too. */
  #makeRoom(count: number): void {
    const { held } = this;
    const isRoomy = held + count <= this.#bytes.length;
    const bytes = isRoomy ? this.#bytes : new Uint8Array(2 * (held + count));
    if (isRoomy) bytes.copyWithin(0, this.#from, this.#to);
    else bytes.set(this.#bytes.subarray(this.#from, this.#to));
    this.#bytes = bytes;
    this.#from = 0;
    this.#to = held;
  }
}
