import { type Actor, PARK } from '../../sim/index.ts';
import type { Me } from '../os.ts';
import { scribble } from './blk-load.ts';
import type { Netfront } from './netfront.ts';
import { ETH_HLEN } from './sums.ts';

/** A program that talks to peers on the same bridge. */
export interface NetPlan {
  /** Addresses of peers, twelve hex digits each. */
  readonly peers: readonly string[];
  /** Data packets to send in all. */
  readonly packets: number;
  /** Data packets that may be unacknowledged at the same time. */
  readonly windowMax: number;
  readonly thinkNsMax: number;
  /** Called with each data packet. */
  readonly asked: () => void;
  /** Called once, when all were sent and acknowledged, or given up. */
  readonly finished: () => void;
}

/** The local experimental Ethertype. Source: IEEE 802, 0x88b5. */
const ETHERTYPE = 0x88b5;
const BROADCAST = 'ffffffffffff';
const KIND = { whoHas: 1, here: 2, data: 3, ack: 4 } as const;
/** Kind and number behind the Ethernet header. */
const HEAD_BYTES = ETH_HLEN + 8;
/** Body of the largest packet: three pages in all. */
const BODY_MAX = 3 * 4096 - HEAD_BYTES;
/** How long an answer is waited for, ns, and how often before the peer is given up. */
const PATIENCE_NS = 20_000_000;
const ASKS_MAX = 8;

/** The kernel's timers. */
export interface Clock {
  readonly nowNs: number;
  at(dueNs: number, run: () => void): void;
}

interface Unacked {
  readonly number: number;
  readonly packet: Uint8Array;
  sinceNs: number;
  tries: number;
}

/**
 * Sends data packets to its peers, one peer after another, never more under way than their buffers can hold; acknowledges
 * what it gets. Goes on acknowledging when its own are done.
 */
export function* netLoad(me: Me, nic: Netfront, clock: Clock, plan: NetPlan): Actor {
  const { draws } = me;
  let alarmNs = 0;
  const sleep = () => {
    const { nowNs } = clock;
    if (alarmNs <= nowNs) {
      alarmNs = nowNs + PATIENCE_NS / 20;
      clock.at(alarmNs, () => me.wake());
    }
    return PARK;
  };
  const inbox: Uint8Array[] = [];
  nic.received = (packet) => {
    inbox.push(packet);
    me.wake();
  };
  const peers = [...plan.peers];
  let isKnown = false;
  let asks = 0;
  let askedNs = -PATIENCE_NS;
  let numbers = 0;
  let left = plan.packets;
  const unacked: Unacked[] = [];
  let isFinished = false;
  const nextPeer = () => {
    peers.shift();
    unacked.length = 0;
    isKnown = false;
    asks = 0;
    askedNs = -PATIENCE_NS;
  };
  const share = Math.ceil(plan.packets / Math.max(1, peers.length));
  let ofPeer = share;

  while (!nic.isClosing) {
    for (let packet = inbox.shift(); packet !== undefined; packet = inbox.shift()) {
      const { kind, number, from } = headOf(packet);
      if (kind === KIND.whoHas) nic.send(makePacket(from, nic.address, KIND.here, number, 0, 0));
      else if (kind === KIND.data) nic.send(makePacket(from, nic.address, KIND.ack, number, 0, 0));
      else if (kind === KIND.here && from === peers[0]) isKnown = true;
      else if (kind === KIND.ack) {
        const at = unacked.findIndex((u) => u.number === number);
        if (at >= 0) unacked.splice(at, 1);
      }
    }
    const [peer] = peers;
    if (left <= 0 || ofPeer <= 0 || peer === undefined) {
      if (unacked.length === 0 && peer !== undefined) {
        nextPeer();
        ofPeer = share;
        if (left <= 0) peers.length = 0;
        continue;
      }
      if (peer === undefined && !isFinished) {
        isFinished = true;
        plan.finished();
      }
    }
    if (peer === undefined) {
      yield PARK;
      continue;
    }
    const now = clock.nowNs;
    const late = unacked.find((u) => now - u.sinceNs > PATIENCE_NS);
    if (!isKnown) {
      if (now - askedNs > PATIENCE_NS / 20) {
        if (++asks > ASKS_MAX * 20) {
          nextPeer(); // it never was, or is no more
          ofPeer = share;
          continue;
        }
        askedNs = now;
        nic.send(makePacket(BROADCAST, nic.address, KIND.whoHas, 0, 0, 0));
      }
    } else if (late !== undefined) {
      if (++late.tries > ASKS_MAX) {
        left -= ofPeer;
        nextPeer();
        ofPeer = share;
        continue;
      }
      late.sinceNs = now;
      nic.send(late.packet);
    } else if (left > 0 && ofPeer > 0 && unacked.length < plan.windowMax) {
      left--;
      ofPeer--;
      const body = draws.oneIn(16) ? draws.below(BODY_MAX) : draws.oneIn(3) ? draws.below(1_400) : draws.below(64);
      const packet = makePacket(peer, nic.address, KIND.data, ++numbers, body, draws.bits());
      unacked.push({ number: numbers, packet, sinceNs: now, tries: 0 });
      plan.asked();
      nic.send(packet);
      yield draws.below(plan.thinkNsMax);
      continue;
    }
    yield sleep();
  }
  if (!isFinished) plan.finished();
}

function headOf(packet: Uint8Array): { readonly kind: number; readonly number: number; readonly from: string } {
  if (packet.length < HEAD_BYTES) return { kind: 0, number: 0, from: '' };
  const v = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  let from = '';
  for (let i = 6; i < 12; i++) from += (packet[i] as number).toString(16).padStart(2, '0');
  return { kind: v.getUint32(ETH_HLEN, true), number: v.getUint32(ETH_HLEN + 4, true), from };
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
