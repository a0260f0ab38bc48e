import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageReader, type Overlong } from '../../../store/protocol/message-reader.ts';
import {
  HEADER_BYTES,
  header,
  type Message,
  message,
  messageEnd,
  messageType,
  PAYLOAD_MAX,
} from '../../../store/protocol/wire.ts';
import { octets, shown } from '../harness.ts';

const READ = message(2, 7, 0, octets('name^'));
const EMPTY = message(6, 0xffff_ffff, 3, octets(''));

function all(reader: MessageReader): Message[] {
  const found: Message[] = [];
  for (let m = reader.shift(); m !== undefined; m = reader.shift()) found.push(m);
  return found;
}

function fed(overlong: Overlong, ...pieces: readonly Uint8Array[]): { reader: MessageReader; texts: string[] } {
  const reader = new MessageReader(overlong);
  const texts: string[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    texts.push(...all(reader).map((m) => `${m.type} ${m.reqId} ${m.txId} ${shown(m.payload)}`));
  }
  return { reader, texts };
}

describe('messages of octets in any pieces', () => {
  it('are what was encoded, wherever the stream is cut', () => {
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
    const one = fc.record({ type: u32, reqId: u32, txId: u32, payload: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 400 })),
        (sent, sizes) => {
          const stream = Uint8Array.of(...sent.flatMap((m) => [...message(m.type, m.reqId, m.txId, m.payload)]));
          const reader = new MessageReader('refused');
          const got: Message[] = [];
          for (let at = 0; at < stream.length; ) {
            const count = Math.min(sizes.next().value as number, stream.length - at);
            reader.push(stream, at, count);
            at += count;
            got.push(...all(reader));
          }
          expect(got).toEqual(sent);
          expect([reader.held, reader.missing]).toEqual([0, HEADER_BYTES]);
        },
      ),
    );
  });

  it('have payloads of their own', () => {
    const reader = new MessageReader('believed');
    reader.push(READ);
    const first = reader.shift();
    reader.push(message(2, 8, 0, octets('other')));
    expect(shown(first?.payload ?? octets(''))).toBe('name^');
  });

  it('come only when all of it is there, and what is missing is told', () => {
    const reader = new MessageReader('believed');
    expect(reader.missing).toBe(HEADER_BYTES);
    reader.push(READ, 0, 3);
    expect([reader.shift(), reader.missing, reader.held]).toEqual([undefined, HEADER_BYTES - 3, 3]);
    reader.push(READ, 3, HEADER_BYTES);
    expect([reader.shift(), reader.missing]).toEqual([undefined, 2]);
    expect(reader.rest()).toEqual(READ.subarray(0, HEADER_BYTES + 3));
    reader.push(READ, HEADER_BYTES + 3);
    expect([reader.shift()?.reqId, reader.missing, reader.held]).toEqual([7, HEADER_BYTES, 0]);
  });

  it('are pulled from a stream header first, then body, and no octet of the next one', () => {
    const reader = new MessageReader('refused');
    const stream = Uint8Array.of(...READ, ...EMPTY, ...READ);
    const asked: number[] = [];
    let at = 0;
    const read = (into: Uint8Array, to: number, count: number) => {
      asked.push(count);
      into.set(stream.subarray(at, at + count), to);
      at += count;
      return count;
    };
    const got: (number | undefined)[] = [];
    while (at < stream.length) {
      reader.pull({ read });
      got.push(reader.shift()?.type);
    }
    expect(asked).toEqual([16, 5, 16, 16, 5]);
    expect(got).toEqual([undefined, 2, 6, undefined, 2]);
  });

  it('that are half received are forgotten on demand', () => {
    const reader = new MessageReader('believed');
    reader.push(READ, 0, 19);
    reader.clear();
    reader.push(EMPTY);
    expect(reader.shift()?.type).toBe(6);
  });
});

describe('a header that announces more than 4096 octets', () => {
  const long = header(11, 1, 0, PAYLOAD_MAX + 1);
  const longest = message(11, 2, 0, new Uint8Array(PAYLOAD_MAX));

  it('is believed: the message is as long as it says', () => {
    const reader = new MessageReader('believed');
    reader.push(long);
    for (let i = 0; i < PAYLOAD_MAX; i++) reader.push(octets('x'));
    expect(reader.shift()).toBeUndefined();
    reader.push(octets('x'));
    expect(reader.shift()?.payload).toHaveLength(PAYLOAD_MAX + 1);
  });

  it('is dropped, and what follows is taken for a header', () => {
    expect(fed('dropped', long, READ).texts).toEqual(['2 7 0 name^']);
  });

  it('is refused: what came before it is a message, nothing after it is', () => {
    const { reader, texts } = fed('refused', READ, long, READ);
    expect([texts, reader.isRefused]).toEqual([['2 7 0 name^'], true]);
    expect(reader.rest()).toEqual(Uint8Array.of(...long, ...READ));
  });

  it.each(['believed', 'dropped', 'refused'] as const)('is not one that announces 4096: %s', (overlong) => {
    const { reader, texts } = fed(overlong, longest);
    expect([texts.length, reader.isRefused]).toEqual([1, false]);
  });
});

describe('messages in octets that are all there', () => {
  it('end where their headers say, if that is not beyond the end', () => {
    const both = Uint8Array.of(...READ, ...EMPTY);
    expect([messageEnd(both, 0), messageEnd(both, 21), messageEnd(both, 37)]).toEqual([21, 37, undefined]);
    expect([messageEnd(both.subarray(0, 20), 0), messageEnd(both.subarray(0, 15), 0)]).toEqual([undefined, undefined]);
    expect([messageType(both), messageType(both, 21)]).toEqual([2, 6]);
  });
});
