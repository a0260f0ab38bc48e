import { chosen, extend, type Format } from '../file/format.ts';
import { since } from '../schema/schema.ts';
import { watchExtendedOfC422Reader, watchExtendedOfC422Writer } from './c-4.22-watch.ts';
import { g32 } from './g3-2.ts';
import { quotaRules } from './image.ts';
import { domainData, globalQuotaData, watchDataExtended } from './records.ts';

export const g40: Format = extend(g32, {
  name: 'G4.0',
  title: 'Version 2: quotas, domains, watches with a depth',
  source: 'docs/designs/xenstore-migration.md at 6bc1c1aba01f, RELEASE-4.17.0',
  status: 'document',
  note: 'What is not valid in the announced version is written zero and ignored when read.',
  versions: [2, 1],
  records: [
    globalQuotaData,
    domainData,
    chosen('watchExtLayout', {
      doc12: since(2, watchDataExtended),
      'c422-writer': watchExtendedOfC422Writer,
      'c422-reader': watchExtendedOfC422Reader,
    }),
  ],
  rules: quotaRules,
});
