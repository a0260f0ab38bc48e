/** What the page of a run holds, for who writes it and for the script that reads it. No imports: both sides have it. */

/** What a record is: a fact (`other`, with a note), octets put into or taken out of a direction, a message that a client sent or got. */
export const KIND = { other: 0, putReq: 1, putRsp: 2, tookReq: 3, tookRsp: 4, sent: 5, got: 6, event: 7 } as const;

/** A row of the picture: the store of a host, a connection, or a program on one. */
export interface Lane {
  readonly host: number;
  readonly name: string;
  readonly what: 'store' | 'connection' | 'actor';
  /** Of a connection, or of the one that a program uses; absent of the store. */
  readonly conn?: number;
}

/** A ring or socket, with all octets that were put into it, base64. */
export interface Conn {
  readonly host: number;
  readonly name: string;
  readonly domid: number;
  readonly req: string;
  readonly rsp: string;
}

/** A stretch of virtual time, ns, on the hosts that it concerns. `first`, `last`: records at its ends. */
export interface Band {
  readonly kind: 'update' | 'migration';
  readonly hosts: readonly number[];
  readonly fromNs: number;
  readonly toNs: number;
  readonly first: number;
  readonly last: number;
  readonly name: string;
  readonly text: string;
}

/** One thing that is wrong, and what led to it, in order. */
export interface Finding {
  readonly name: string;
  /** Who missed it, and about which request; '' where nobody. */
  readonly who: string;
  readonly detail: string;
  /** Record at which it was certain. */
  readonly at: number;
  readonly chain: readonly (readonly [record: number, role: string])[];
  /** Those of `bands` that it straddles. */
  readonly bands: readonly number[];
}

/**
 * Numbers, one for each record, as LEB128 in base64 (`columns.ts`). Links are how many records further on (`served`, `reply`,
 * `written`) or back (`cause`, `asked`) the other one is; 0: there is none.
 */
export interface Columns {
  readonly kind: string;
  readonly lane: string;
  /** Number of the connection, counted from 1; 0: it concerns none. */
  readonly conn: string;
  /** Number in the history of its host. */
  readonly seq: string;
  /** Virtual ns since the record before. */
  readonly ns: string;
  /** Of a move the position of its first octet in its stream, of a message that behind its last; else the number of its note. */
  readonly place: string;
  /** Octets moved, or of the payload; of a fact 1 if its connection ends with it. */
  readonly size: string;
  /** Of what was sent the number of its program in `actors`. */
  readonly actor: string;
  /** Of what was sent: where the store took its last octet. */
  readonly served: string;
  /** Of what was sent: where its answer came. */
  readonly reply: string;
  /** Of what came: where its request was sent. */
  readonly asked: string;
  /** Of what came: where the store had written its last octet. */
  readonly written: string;
  /** Of an event: where the store took the request that it tells of. */
  readonly cause: string;
}

export interface PageData {
  readonly version: 1;
  readonly title: string;
  readonly outcome: string;
  /** Pairs for people: seed, format, settings, digest, how to replay it. */
  readonly facts: readonly (readonly [what: string, value: string])[];
  /** Names of operations by their numbers. */
  readonly operations: readonly (readonly [number: number, name: string])[];
  readonly hosts: readonly string[];
  readonly lanes: readonly Lane[];
  readonly conns: readonly Conn[];
  /** Programs that sent anything. */
  readonly actors: readonly string[];
  readonly count: number;
  readonly columns: Columns;
  readonly notes: readonly string[];
  /** Octets of records that differ from what their stream says, by record; of messages with their header; base64. */
  readonly odd: readonly (readonly [record: number, octets: string])[];
  readonly bands: readonly Band[];
  readonly findings: readonly Finding[];
  /** Where the page stands when it opens. */
  readonly start: number;
}
