import { extend, type Format } from '../file/format.ts';
import { g31 } from './g3-1.ts';
import { portRule } from './image.ts';
import { connectionDataV1, globalData, nodeData } from './records.ts';

/** What the daemons of 4.15 to 4.20 speak. */
export const g32: Format = extend(g31, {
  name: 'G3.2',
  aliases: ['v1'],
  title: 'Version 1 as implemented',
  source: 'docs/designs/xenstore-migration.md at 8868a0e3f674, RELEASE-4.15.0',
  status: 'document',
  note: "evtchn-fd takes the place of the read-only socket; the port is the daemon's; a permission may be stale.",
  records: [globalData, connectionDataV1, nodeData],
  rules: [portRule],
  knobs: { lenIncludesPad: true },
});
