import type { DeviceEvent } from '../../guests/devices/index.ts';
import type { LibxlNews } from '../../guests/index.ts';

/**
 * The recorded history of a run: what guests put into the shared pages and got out of them, and what the hypervisor did,
 * in one total order. Checkers see this and nothing else: no variable of the store is in it.
 *
 * Order: `seq` counts up by one with each record. The store is single-threaded and serves a request in the very step in
 * which it consumes the request's last octet, so the order of `consume` records of requests is the order in which they
 * took effect (docs: store.md 0.4). Exceptions: a TRANSACTION_START put aside while a live update is pending, and CONTROL.
 */

/** A connection epoch: one introduction of one domain instance, from INTRODUCE to its end, or one socket of a program beside
 *  the store, from connect(2) to its end. Live updates do not end it. */
export interface Epoch {
  /** Index in `History.epochs`. */
  readonly conn: number;
  readonly domid: number;
  readonly uniqueId: bigint;
  /** The actor's domain name, of a socket with its program, for messages: `dom0`, `domU3`, `dom0/xenopsd`. */
  readonly name: string;
  /** A connection of the store's unix socket; its domid is that of the domain in which both live. Its streams are those of the
   *  two directions; a domain may have any number of them beside its ring. */
  readonly isSocket?: true;
  /**
   * The guest keeps no rule. Of its ring only the store's moves are recorded: what it consumed and what it wrote, which is all
   * that the others can ever feel. It is judged as any other ring, but for what the guest itself would have to do: put in
   * only whole messages, take out what comes, be there at the end. The store ends such an epoch with its error word; the next
   * one begins at that moment, with nothing left of watches, transactions and octets on their way.
   */
  readonly isHostile?: true;
  /** The guest is one that was restored: which epoch it lived in before, and in which order its client sends its watches anew. */
  readonly heirOf?: { readonly conn: number; readonly rewatch: 'newest first' | 'oldest first' };
}

interface At {
  readonly seq: number;
  /** Virtual time. */
  readonly timeNs: number;
}

/** One thing that happened. What it concerns is an epoch (`conn`), a domain, or the store's process. */
export type HistoryRecord =
  /** A producer index store became visible, or octets were written to a socket. `from`, `to`: stream positions since the epoch began (not wrapped), `to` > `from`;
   *  `bytes`: the page's octets of that range at this moment. dir 'req': guest to store; 'rsp': store to guest. */
  | (At & {
      readonly kind: 'publish';
      readonly conn: number;
      readonly dir: 'req' | 'rsp';
      readonly from: number;
      readonly to: number;
      readonly bytes: Uint8Array;
    })
  /** A consumer index store became visible, or octets were read from a socket; `bytes`: the page's octets of the range just
   *  before it (what was consumed), or what was read. */
  | (At & {
      readonly kind: 'consume';
      readonly conn: number;
      readonly dir: 'req' | 'rsp';
      readonly from: number;
      readonly to: number;
      readonly bytes: Uint8Array;
    })
  /** The guest's client library completed a request: its last octet is in the ring. `end`: stream position after it. */
  | (At & {
      readonly kind: 'sent';
      readonly conn: number;
      readonly actor: string;
      readonly end: number;
      readonly type: number;
      readonly reqId: number;
      readonly txId: number;
      readonly payload: Uint8Array;
    })
  /** The guest's client library took a whole message (reply or watch event) out of the ring. `end`: stream position after it. */
  | (At & {
      readonly kind: 'got';
      readonly conn: number;
      readonly end: number;
      readonly type: number;
      readonly reqId: number;
      readonly txId: number;
      readonly payload: Uint8Array;
    })
  /** The ring came into use (the store bound the guest's port: INTRODUCE, or start-up for dom0); the store accepted the socket. */
  | (At & { readonly kind: 'open'; readonly conn: number })
  /** The store let go of the guest's event channel port: RELEASE, or it noticed the domain's death. This is the moment at which
   *  the store removed what the dead domain owned and fired `@releaseDomain`. Of a socket: the store closed its end, which drops
   *  watches and transactions and is told to nobody. */
  | (At & { readonly kind: 'detach'; readonly conn: number })
  /** The program closed its end of a socket, or died: what the store had not read by then it will never read. */
  | (At & { readonly kind: 'close'; readonly conn: number })
  /** A fact of the hypervisor. */
  | (At & {
      readonly kind: 'life';
      readonly domid: number;
      readonly uniqueId: bigint;
      readonly what: 'created' | 'paused' | 'unpaused' | 'shutdown' | 'resumed' | 'dying' | 'dead' | 'gone';
      /** Of a suspend to which somebody has subscribed: Xen tells that one, and raises no VIRQ (DOM-20). */
      readonly isSubscribed?: true;
    })
  /** The store had no memory for the request whose last octet it consumed last: the answer is ENOMEM. */
  | (At & { readonly kind: 'noMemory'; readonly conn: number })
  /** The store goes on in another page than before, since the domain has given its own back while it was mapped: what was on its
   *  way in the old one is lost. From here on only the store's moves are recorded. `unread`: octets that the new page has for
   *  the guest to read. */
  | (At & { readonly kind: 'page'; readonly conn: number; readonly unread: number })
  /** A page was touched through a mapping that was taken down. */
  | (At & { readonly kind: 'stale'; readonly mapper: number; readonly granter: number; readonly gref: number })
  /** A fault of the plan struck, or what it had changed is as it was (`isOver`; of those that last, and excuse something). */
  | (At & { readonly kind: 'fault'; readonly id: string; readonly detail: string; readonly isOver: boolean })
  /** The store's process: an image was written (`dump`), the successor serves (`up`), or the update failed and the old
   *  instance goes on (`failed`). `n` counts from 1. */
  | (At & {
      readonly kind: 'liveUpdate';
      readonly n: number;
      readonly what: 'dump' | 'up' | 'failed';
      readonly imageBytes: number;
    })
  /** The whole tree as a dom0 client read it over its ring after all traffic had ended. */
  | (At & { readonly kind: 'snapshot'; readonly nodes: readonly SnapshotNode[] });

/** `perms` as GET_PERMS prints them, `['n0', 'r3']`; special nodes (`@releaseDomain`) are included with empty value. */
export interface SnapshotNode {
  readonly path: string;
  readonly value: Uint8Array;
  readonly perms: readonly string[];
}

/** What an end of a device, or the bridge, said of its work. `seq`: that of the record in `History.records` which it came before. */
export type DeviceRecord = At & DeviceEvent;

/** What a toolstack said of its work; `seq` as a device's. */
export type ToolstackRecord = At & LibxlNews;

/** All that checks see of a run. `conn` of a record is the index of its epoch. */
export interface History {
  readonly epochs: readonly Epoch[];
  readonly records: readonly HistoryRecord[];
  /** Virtual time at which the run ended; left out: with its last record. */
  readonly endNs?: number;
  /** How transactions that are open at a live update are treated; 'lossy' formats are the laboratory's. */
  readonly transactionPolicy: 'carry' | 'daemon';
  /** '4.22' or '4.17': which daemon the store imitates. */
  readonly compat: '4.22' | '4.17';
  /** The store's write rate limit is on; left out: nobody knows. */
  readonly limitsWrites?: boolean;
  /** Pages that anybody mapped of another domain. */
  readonly mappings?: number;
  /** In a run with devices. */
  readonly devices?: readonly DeviceRecord[];
  /** In a run whose toolstack is libxl. */
  readonly toolstack?: readonly ToolstackRecord[];
}

/** What a checker says. One family of checks per file under invariants/. */
export interface Violation {
  readonly invariant: string;
  /** Number of the host whose history it is about; left out: the only one's. */
  readonly host?: number;
  /** Position in the history at which it became certain, for the window of events shown around it. */
  readonly seq: number;
  readonly timeNs: number;
  /** Epoch name and actor, e.g. `domU3/worker1`; '' where nobody in particular. */
  readonly actor: string;
  /** The request concerned, e.g. `WRITE req_id 77 tx 0`; '' where none. */
  readonly request: string;
  readonly detail: string;
}

/** A defect of the real daemon that the run was asked to have, and what of it was seen: no discovery, and no reason to fail. */
export interface KnownDefect {
  /** The rule that it breaks. */
  readonly label: string;
  readonly what: string;
  readonly seen: readonly Violation[];
}

/** What one check says of a whole history: it holds if there are no violations. */
export interface Verdict {
  readonly invariant: string;
  /** What holds, in one sentence. */
  readonly claim: string;
  /** Section of the Xen tree's document or of the specification that says so. */
  readonly source: string;
  /** How much was checked, as counted things: `[['octets', 81231], ['requests', 5120]]`. */
  readonly checked: readonly (readonly [what: string, count: number])[];
  readonly violations: readonly Violation[];
  /** Left out: none was seen. */
  readonly known?: readonly KnownDefect[];
}

/** Devices of guests over all hosts, and where each of their records was made. */
export interface JoinedDevices {
  readonly history: History;
  /** By the place of a record in `history.devices`: the number of its host. */
  readonly hosts: readonly number[];
}
