import { extend, type Format } from '../file/format.ts';
import { g40 } from './g4-0.ts';
import { connectionData } from './records.ts';

/** Bit 0 of `fields` is honoured for rings only: in G3.1 it meant a read-only socket. */
export const g41: Format = extend(g40, {
  name: 'G4.1',
  aliases: ['v2'],
  title: 'Version 2 with the unique id of a domain',
  source: 'docs/designs/xenstore-migration.md at 60649eafb52f, RELEASE-4.21.0',
  status: 'document',
  note: 'The unique id is not tied to version 2.',
  records: [connectionData],
});
