import { type Carriage, carriageOf } from './carriage.ts';

// The dialects of oxenstored's dump, as values. Source: tools/ocaml/xenstored/xenstored.ml, module DB, at RELEASE-4.14.6,
// RELEASE-4.15.0 and RELEASE-4.16.3: each daemon matches the lines that it writes, and skips all others.

/** A kind of line: its fields behind the kind, in order. */
export interface TextLine {
  /** Names; one that ends in `?` may be missing. */
  readonly fields: readonly string[];
  /** Further fields are ignored; else a line that has them is skipped as a whole. */
  readonly more?: true;
}

/** A dialect: what its daemon writes, and reads. */
export interface TextLayout {
  readonly name: string;
  readonly title: string;
  readonly lines: Readonly<Record<string, TextLine>>;
  readonly carriage: Carriage;
}

const WATCH: TextLine = { fields: ['id', 'path', 'token'] };
const STORE: TextLine = { fields: ['path', 'perms', 'value'] };
const DOM: TextLine = { fields: ['domid', 'mfn', 'remotePort'] };

/** No sockets, no descriptors: whoever updated had to bring them. */
export const oxA: TextLayout = {
  name: 'Ox-a',
  title: 'text dump of oxenstored up to 4.14',
  lines: { dom: DOM, watch: WATCH, store: STORE },
  carriage: carriageOf('Ox-a'),
};

/** The watches of sockets have negative ids. */
export const oxB: TextLayout = {
  name: 'Ox-b',
  title: 'text dump of oxenstored 4.15, 4.16.0 to 4.16.2, 4.17.0',
  lines: { global: { fields: ['rw'], more: true }, dom: DOM, socket: { fields: ['fd'] }, watch: WATCH, store: STORE },
  carriage: carriageOf('Ox-b'),
};

/** Its `dom` has a field that the others' readers do not take: they skip the line, and then the domain's watches. */
export const oxC: TextLayout = {
  name: 'Ox-c',
  title: 'text dump of oxenstored 4.16.3, 4.17.1, 4.18 and later',
  lines: {
    global: { fields: ['rw'], more: true },
    'evtchn-dev': { fields: ['fd', 'port'] },
    dom: { fields: ['domid', 'mfn', 'remotePort', 'localPort?'], more: true },
    socket: { fields: ['fd'] },
    watch: WATCH,
    store: STORE,
  },
  carriage: carriageOf('Ox-c'),
};

/** Oldest first. */
export const TEXT_LAYOUTS: readonly TextLayout[] = [oxA, oxB, oxC];
