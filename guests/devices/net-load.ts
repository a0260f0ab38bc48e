import { type Actor, PARK } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import { scribble } from './blk-load.ts';
import type { Netfront } from './netfront.ts';
import { ETH_HLEN, hex } from './sums.ts';

/** A program that talks to peers on the same bridge. */
export interface NetPlan {
  /** Addresses of peers, twelve hex digits each; they may be there or not. */
  readonly peers: readonly string[];
  /** Asked before each data packet; when it says no, what is under way is waited for, and nothing new is sent. */
  readonly goesOn: () => boolean;
  /** Data packets to one peer that may be unacknowledged at the same time. */
  readonly windowMax: number;
  readonly thinkNsMax: number;
  /** Called with each packet of data or acknowledgement. */
  readonly asked: () => void;
  /** Called once: it sends nothing any more, and goes on acknowledging what others send. */
  readonly finished: () => void;
}

/** The kernel's timers. */
export interface Clock {
  readonly nowNs: number;
  at(dueNs: number, run: () => void): void;
}

/** The local experimental Ethertype. Source: IEEE 802. */
const ETHERTYPE = 0x88b5;
const BROADCAST = 'ffffffffffff';
const KIND = { whoHas: 1, here: 2, data: 3, ack: 4 } as const;
/** Kind and number behind the Ethernet header. */
const HEAD_BYTES = ETH_HLEN + 8;
/** Body of the largest packet: three pages in all. */
const BODY_MAX = 3 * 4096 - HEAD_BYTES;
/** How long an acknowledgement is waited for, ns, and how often a packet is sent until the peer counts as gone. */
const PATIENCE_NS = 3_000_000;
const TRIES_MAX = 8;
/** How soon an absent peer is asked for again, ns: later each time, until something comes from it. */
const ASK_NS = 1_000_000;
const ASK_NS_MAX = 64_000_000;

interface Unacked {
  readonly number: number;
  readonly packet: Uint8Array;
  sinceNs: number;
  tries: number;
}

/** What goes to one peer. */
interface Flow {
  readonly peer: string;
  isThere: boolean;
  /** When it may be asked for again, and how long after that. */
  askNs: number;
  pauseNs: number;
  readonly unacked: Unacked[];
}

/** Sends data packets to its peers, never more under way than their buffers can hold, and acknowledges what it gets.
 *  Ends when the interface goes. */
export function* netLoad(me: Thread, nic: Netfront, clock: Clock, plan: NetPlan): Actor {
  const inbox: Uint8Array[] = [];
  nic.received = (packet) => {
    inbox.push(packet);
    me.wake();
  };
  const flows = plan.peers.map((peer): Flow => ({ peer, isThere: false, askNs: 0, pauseNs: ASK_NS, unacked: [] }));
  let numbers = 0;
  let alarmNs = 0;
  let isFinished = false;
  while (!nic.isClosing) {
    for (let packet = inbox.shift(); packet !== undefined; packet = inbox.shift())
      serve(nic, flows, packet, plan.asked);
    const goesOn = plan.goesOn();
    let hasSent = false;
    for (const flow of flows) {
      if (goesOn && !flow.isThere) ask(nic, flow, clock.nowNs);
      repeatLate(nic, flow, clock.nowNs);
      if (!goesOn || !flow.isThere || !nic.hasCarrier || flow.unacked.length >= plan.windowMax) continue;
      const packet = draw(me, nic, flow.peer, ++numbers);
      flow.unacked.push({ number: numbers, packet, sinceNs: clock.nowNs, tries: 1 });
      plan.asked();
      nic.send(packet);
      hasSent = true;
    }
    if (!goesOn && !isFinished && flows.every(({ unacked }) => unacked.length === 0)) {
      isFinished = true;
      plan.finished();
    }
    if (hasSent) {
      yield me.draws.below(plan.thinkNsMax);
      continue;
    }
    if (!isFinished && alarmNs <= clock.nowNs) {
      alarmNs = clock.nowNs + ASK_NS;
      clock.at(alarmNs, () => me.wake());
    }
    yield PARK;
  }
  if (!isFinished) plan.finished();
}

/** One packet that came. */
function serve(nic: Netfront, flows: readonly Flow[], packet: Uint8Array, asked: () => void): void {
  if (packet.length < HEAD_BYTES) return;
  const v = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const kind = v.getUint32(ETH_HLEN, true);
  const number = v.getUint32(ETH_HLEN + 4, true);
  const from = hex(packet, 6);
  const flow = flows.find(({ peer }) => peer === from);
  if (flow !== undefined && !flow.isThere) {
    flow.askNs = 0; // it is there, though it has not said so yet
    flow.pauseNs = ASK_NS;
  }
  if (kind === KIND.whoHas) nic.send(makePacket(from, nic.address, KIND.here, number, 0, 0));
  else if (kind === KIND.data) {
    asked();
    nic.send(makePacket(from, nic.address, KIND.ack, number, 0, 0));
  } else if (kind === KIND.here && flow !== undefined) flow.isThere = true;
  else if (kind === KIND.ack && flow !== undefined) {
    const at = flow.unacked.findIndex((u) => u.number === number);
    if (at >= 0) flow.unacked.splice(at, 1);
  }
}

function ask(nic: Netfront, flow: Flow, nowNs: number): void {
  if (nowNs < flow.askNs || !nic.hasCarrier) return;
  flow.askNs = nowNs + flow.pauseNs;
  flow.pauseNs = Math.min(2 * flow.pauseNs, ASK_NS_MAX);
  nic.send(makePacket(BROADCAST, nic.address, KIND.whoHas, 0, 0, 0));
}

/** What is not acknowledged for long was lost with a connection that was made anew, or the peer is no more. */
function repeatLate(nic: Netfront, flow: Flow, nowNs: number): void {
  const late = flow.unacked.find((u) => nowNs - u.sinceNs > PATIENCE_NS);
  if (late === undefined) return;
  late.sinceNs = nowNs;
  if (++late.tries <= TRIES_MAX) nic.send(late.packet);
  else {
    flow.isThere = false;
    flow.unacked.length = 0;
  }
}

function draw({ draws }: Thread, nic: Netfront, peer: string, number: number): Uint8Array {
  const body = draws.oneIn(16) ? draws.below(BODY_MAX) : draws.oneIn(3) ? draws.below(1_400) : draws.below(64);
  return makePacket(peer, nic.address, KIND.data, number, body, draws.bits());
}

function makePacket(to: string, from: string, kind: number, number: number, body: number, seed: number): Uint8Array {
  const packet = new Uint8Array(HEAD_BYTES + body);
  for (let i = 0; i < 6; i++) {
    packet[i] = Number.parseInt(to.slice(2 * i, 2 * i + 2), 16);
    packet[6 + i] = Number.parseInt(from.slice(2 * i, 2 * i + 2), 16);
  }
  const v = new DataView(packet.buffer);
  v.setUint16(12, ETHERTYPE, false);
  v.setUint32(ETH_HLEN, kind, true);
  v.setUint32(ETH_HLEN + 4, number, true);
  scribble(packet, HEAD_BYTES, seed);
  return packet;
}
