import { Message } from './protobuf.ts';

/**
 * Packets of a Perfetto trace. Source: protos/perfetto/trace/trace_packet.proto, track_event/track_event.proto,
 * track_event/track_descriptor.proto of Perfetto.
 */
const PACKET = 1;
const TIMESTAMP = 8;
const SEQUENCE_ID = 10;
const TRACK_EVENT = 11;
const SEQUENCE_FLAGS = 13;
const TRACK_DESCRIPTOR = 60;
/** SEQ_INCREMENTAL_STATE_CLEARED: the sequence begins here. */
const CLEARED = 1;

const TYPE = { begin: 1, end: 2, instant: 3, counter: 4 } as const;
const UNIT_SIZE_BYTES = 3;

/** What happens on a track. */
export interface TrackEvent {
  readonly type: keyof typeof TYPE;
  readonly track: bigint;
  readonly timeNs: number;
  /** Of a begin or instant. */
  readonly name?: string;
  /** Those that go through it: events with the same one are joined by arrows. */
  readonly flows?: readonly bigint[];
  /** Of a counter. */
  readonly value?: number;
  /** More about it. */
  readonly notes?: Readonly<Record<string, string | number>>;
}

/** A track. `process`: it is that of a host; `octets`: it counts some. */
export interface Track {
  readonly uuid: bigint;
  readonly name: string;
  readonly parent?: bigint;
  readonly process?: number;
  readonly octets?: true;
}

export function trackPacket({ uuid, name, parent, process, octets }: Track): Uint8Array {
  const track = new Message().uint(1, uuid).text(2, name);
  if (process !== undefined) track.message(3, new Message().uint(1, process).text(6, name));
  if (parent !== undefined) track.uint(5, parent);
  if (octets) track.message(8, new Message().uint(3, UNIT_SIZE_BYTES));
  return packet(new Message().uint(SEQUENCE_ID, 1).uint(SEQUENCE_FLAGS, CLEARED).message(TRACK_DESCRIPTOR, track));
}

export function eventPacket({ type, track, timeNs, name, flows = [], value, notes = {} }: TrackEvent): Uint8Array {
  const event = new Message();
  for (const [key, note] of Object.entries(notes)) {
    const annotation = new Message().text(10, key);
    event.message(4, typeof note === 'number' ? annotation.uint(3, note) : annotation.text(6, note));
  }
  event.uint(9, TYPE[type]).uint(11, track);
  if (name !== undefined) event.text(22, 'xenstore').text(23, name);
  if (value !== undefined) event.uint(30, value);
  for (const flow of flows) event.fixed64(47, flow);
  return packet(new Message().uint(TIMESTAMP, timeNs).uint(SEQUENCE_ID, 1).message(TRACK_EVENT, event));
}

function packet(body: Message): Uint8Array {
  return new Message().message(PACKET, body).octets();
}
