import { textOf } from '../../../store/protocol/octets.ts';
import { HEADER_BYTES, messageOf, opName, XS } from '../../../store/protocol/wire.ts';
import type { LookedAt } from '../../engine/looked-at.ts';
import type { RunResult } from '../../engine/scenario.ts';
import { remarksOn } from './happenings.ts';
import { HostItems, hostsIn, type MessageItem } from './items.ts';

/** A host that is written down while it runs. */
export type Running = Pick<LookedAt, 'recorder'> & { readonly machine: { readonly trace: { readonly host: number } } };

/**
 * Messages, findings and migrations of a run as JSON objects, a line each, to stand beside the lines of its events. Their schema is
 * docs/trace.schema.json. A message comes when its last octet is written.
 */
export class MessageLines {
  readonly #put: (line: string) => void;
  readonly #hosts: { readonly items: HostItems; readonly recorder: { readonly length: number }; seen: number }[] = [];

  constructor(put: (line: string) => void) {
    this.#put = put;
  }

  /** From now on the host is written down. */
  open({ machine, recorder }: Running): void {
    if (recorder !== undefined)
      this.#hosts.push({ items: new HostItems(machine.trace.host, recorder.history()), recorder, seen: 0 });
  }

  /** Messages that have been completed since this was called last. */
  soFar(): void {
    for (const host of this.#hosts) {
      if (host.seen === host.recorder.length) continue;
      host.seen = host.recorder.length;
      for (const item of host.items.soFar()) if (item.kind === 'message') this.#put(lineOf(item));
    }
  }

  /** Messages of which the rest never came, migrations, and findings. */
  end(result: RunResult): void {
    this.soFar();
    for (const { items } of this.#hosts)
      for (const item of items.end()) if (item.kind === 'message') this.#put(lineOf(item));
    const names = hostsIn(result).map(({ name }) => name);
    for (const { what: kind, host, timeNs, seq, text } of remarksOn(result, names))
      this.#put(JSON.stringify({ kind, host, timeNs, ...(seq === undefined ? {} : { seq }), text }));
  }
}

function lineOf(item: MessageItem): string {
  const { host, timeNs, seq, begunNs, begunSeq, epoch, dir, octets, isCut } = item;
  const { conn, domid, name, isSocket, isHostile } = epoch;
  const link = isSocket === true ? 'socket' : 'ring';
  const at = { host, timeNs, seq, begunNs, begunSeq, conn, domid, name, link, ...(isHostile ? { isHostile } : {}) };
  if (isCut) return JSON.stringify({ kind: 'cut', ...at, dir, octets: textOf(octets) });
  const { type, reqId, txId, payload } = messageOf(octets, 0, octets.subarray(HEADER_BYTES));
  const kind = dir === 'req' ? 'request' : type === XS.WATCH_EVENT ? 'event' : 'reply';
  return JSON.stringify({ kind, ...at, type: opName(type), reqId, txId, payload: textOf(payload) });
}
