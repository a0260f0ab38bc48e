/*
 * What it takes to write a scenario and to judge it: the package `xenarium`. A name here is a promise, so there are few;
 * test/scenarios/door.test.ts lists them. Programs, kernels' habits and the machine have doors of their own:
 * `xenarium/guests`, `xenarium/store`, `xenarium/sim`; the laboratory of formats is `xenarium/format`.
 */

export { type Thread, text, Xs } from '../guests/index.ts';
export { type Actor, type Domid, type Gfn, type Gref, type Handle, PARK, type Port } from '../sim/index.ts';
export { SCENARIOS } from './catalogue/index.ts';
export { startGuests } from './engine/guests.ts';
export type { Guest, Host } from './engine/host.ts';
export { openRun, type Run, runAndJudge, startOperator } from './engine/run.ts';
export { type RunRequest, type RunResult, type Scenario, scenario } from './engine/scenario.ts';
export { count, FAULTS_SETTING, flag, type SettingsOf, STORE_SETTING, word } from './engine/settings.ts';
export type { FaultRule } from './faults/rule.ts';
export { domid, gref, port } from './ids.ts';
export type { History, HistoryRecord, Verdict } from './judge/history.ts';
export { Findings } from './judge/invariants/index.ts';
export type { Recorder } from './judge/recorder.ts';
export { textReport } from './report/text.ts';
