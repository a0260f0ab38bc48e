import type { Scenario } from '../engine/scenario.ts';
import { bootStorm } from './boot-storm.ts';
import { deviceIo } from './device-io.ts';
import { evacuateHost } from './evacuate-host.ts';
import { hostileGuests } from './hostile-guests.ts';
import { hotplugStorm } from './hotplug-storm.ts';
import { liveUpdateMidTraffic } from './live-update-mid-traffic.ts';
import { migrateBackAndForth } from './migrate-back-and-forth.ts';
import { migrateMidTraffic } from './migrate-mid-traffic.ts';
import { migrateUnnoticed } from './migrate-unnoticed.ts';
import { migrationBreaks } from './migration-breaks.ts';
import { saveRestore } from './save-restore.ts';
import { steadyStateScenario } from './steady-state.ts';
import { suspendResume } from './suspend-resume.ts';
import { upgradeByMigration } from './upgrade-by-migration.ts';

/** Every scenario, by the name under which it runs. The first is the headline. */
export const SCENARIOS: readonly Scenario[] = [
  liveUpdateMidTraffic,
  hostileGuests,
  deviceIo,
  bootStorm,
  hotplugStorm,
  steadyStateScenario,
  suspendResume,
  saveRestore,
  migrateMidTraffic,
  migrateUnnoticed,
  migrateBackAndForth,
  evacuateHost,
  migrationBreaks,
  upgradeByMigration,
];
