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
import { checkpointedAgents } from './stories/checkpointed-agents.ts';
import { moveTheWatcher } from './stories/move-the-watcher.ts';
import { windowsGuests } from './stories/windows-guests.ts';
import { suspendResume } from './suspend-resume.ts';
import { upgradeByMigration } from './upgrade-by-migration.ts';
import { conflictStorm } from './worries/conflict-storm.ts';
import { crowdedHost } from './worries/crowded-host.ts';
import { domidReuse } from './worries/domid-reuse.ts';
import { driverDomains } from './worries/driver-domains.ts';
import { forcedUpdates } from './worries/forced-updates.ts';
import { formatUpAndDown } from './worries/format-up-and-down.ts';
import { guestsThatDie } from './worries/guests-that-die.ts';
import { hugeStore } from './worries/huge-store.ts';
import { kernelTrials } from './worries/kernel-trials.ts';
import { quotaPressure } from './worries/quota-pressure.ts';
import { ringReconnect } from './worries/ring-reconnect.ts';
import { slowConsumers } from './worries/slow-consumers.ts';
import { softReset } from './worries/soft-reset.ts';
import { stubDomains } from './worries/stub-domains.ts';
import { updateAfterUpdate } from './worries/update-after-update.ts';
import { updatesThatFail } from './worries/updates-that-fail.ts';
import { watchFlood } from './worries/watch-flood.ts';
import { xenbusPrograms } from './worries/xenbus-programs.ts';

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
  checkpointedAgents,
  moveTheWatcher,
  windowsGuests,
  conflictStorm,
  crowdedHost,
  domidReuse,
  driverDomains,
  forcedUpdates,
  formatUpAndDown,
  guestsThatDie,
  hugeStore,
  kernelTrials,
  quotaPressure,
  ringReconnect,
  slowConsumers,
  softReset,
  stubDomains,
  updateAfterUpdate,
  updatesThatFail,
  watchFlood,
  xenbusPrograms,
];

/** Those of them that can be run with faults. */
export const FAULT_TAKERS: readonly Scenario[] = SCENARIOS.filter(({ settings }) => 'faults' in settings);
