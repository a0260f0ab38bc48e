import { text } from '../../../guests/index.ts';
import type { DeviceHost } from './host.ts';

export const WRITE_TYPE = 11;

/** A request as it was asked of the store: its type, the path it begins with, its transaction. */
export interface Asked {
  readonly actor: string;
  readonly type: number;
  readonly path: string;
  readonly tx: number;
}

/** Requests of an actor, or of all; WRITEs only unless told otherwise. */
export function writes({ host }: DeviceHost, actor?: string, onlyWrites = true): Asked[] {
  return (host.recorder?.history().records ?? []).flatMap((r) => {
    if (r.kind !== 'sent' || (actor !== undefined && r.actor !== actor)) return [];
    if (onlyWrites && r.type !== WRITE_TYPE) return [];
    return [{ actor: r.actor, type: r.type, path: text(r.payload).split('\0')[0] ?? '', tx: r.txId }];
  });
}
