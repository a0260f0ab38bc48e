/**
 * What a page knows of a run: plain data, with columns in place of objects for whatever there are many of. Times are virtual ns,
 * -1 where something never came to pass; places in other lists are indexes, -1 for none.
 */
export interface PageData {
  readonly title: string;
  readonly outcome: string;
  /** What the run is, in words: its seed, format and settings. */
  readonly about: string;
  /** Runs it again. */
  readonly replay: string;
  readonly endNs: number;
  readonly hosts: readonly string[];
  readonly lanes: readonly PageLane[];
  readonly messages: PageMessages;
  readonly happenings: readonly PageHappening[];
  readonly fills: readonly PageFill[];
  readonly bands: readonly PageBand[];
  /** Left out: the run has passed, or tells of no moment. */
  readonly finding?: PageFinding;
}

/** A line of the picture. `connection` lanes have what comes without being asked for, and the fill of the ring. */
export interface PageLane {
  readonly host: number;
  readonly name: string;
  readonly kind: 'store' | 'hypervisor' | 'connection' | 'actor';
}

/** Requests, replies and watch events that a client's library told of, in the order in which it did. */
export interface PageMessages {
  readonly lane: number[];
  /** Lane of the store that has it at its other end. */
  readonly store: number[];
  readonly conn: number[];
  readonly seq: number[];
  /** When it was sent or came, at the client. */
  readonly atNs: number[];
  /** When the store took its last octet, or wrote it. */
  readonly storeNs: number[];
  /** 0 request, 1 reply, 2 watch event. */
  readonly sort: number[];
  readonly type: number[];
  readonly reqId: number[];
  readonly txId: number[];
  /** Of a request its reply, of a reply its request, of a watch event the last request before it that may have caused it. */
  readonly peer: number[];
  /** An octet is a character, 0 to 255. */
  readonly payload: string[];
  /** The path that it is about, absolute; '' where none. */
  readonly path: string[];
}

export interface PageHappening {
  readonly lane: number;
  readonly atNs: number;
  readonly seq: number;
  readonly what: string;
}

/** How many octets lie unread in both directions of a ring, after each move. */
export interface PageFill {
  readonly lane: number;
  readonly atNs: number[];
  readonly req: number[];
  readonly rsp: number[];
}

/** A live update on one host, or a migration, which is a band on both of its hosts. */
export interface PageBand {
  readonly host: number;
  readonly kind: 'update' | 'migration';
  readonly name: string;
  readonly fromNs: number;
  readonly toNs: number;
}

export interface PageFinding {
  readonly invariant: string;
  readonly host: number;
  readonly seq: number;
  readonly atNs: number;
  readonly actor: string;
  readonly detail: string;
  /** The band that it straddles; -1: there was no update before it. */
  readonly band: number;
  /** Messages that led to it. */
  readonly led: readonly number[];
  /** Further violations of the run. */
  readonly more: number;
}
