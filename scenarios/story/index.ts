/*
 * What a scenario is written with, one's own as those of the catalogue: the package `xenarium/scenarios` (docs/scenarios.md).
 * A name here is a promise.
 */

export {
  type ClientHabits,
  LINUX_HABITS,
  LINUX_OLD_HABITS,
  MINIOS_HABITS,
  octets,
  type Reply,
  resumeGuest,
  split,
  strings,
  suspendGuest,
  type Thread,
  text,
  type WatchEvent,
  WINDOWS_HABITS,
  worker,
  XS,
  Xs,
  XsDevice,
} from '../../guests/index.ts';
export { destroyDomain, type Libxl, vbd, vif } from '../../guests/libxl/index.ts';
export { type Actor, LAN, PARK, WAN } from '../../sim/index.ts';
export { type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
export { count, flag, type SettingsOf, STORE_SETTING, word } from '../engine/settings.ts';
export type { Doing } from '../faults/doings.ts';
export type { History, HistoryRecord, Verdict } from '../judge/history.ts';
export { Findings } from '../judge/invariants/index.ts';
export type { MarkName } from '../judge/marks.ts';
export { type Change, losing } from './broken-store.ts';
export type { GuestProgram, StoryGuest, StoryGuestPlan } from './guest.ts';
export type { Program, StoryHost, Tool, When } from './host.ts';
export { Moment } from './moment.ts';
export { type Story, type StoryPlan, story } from './story.ts';
