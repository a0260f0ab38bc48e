export { type FileLimits, SavedFile } from './file.ts';
export { nextOf } from './next-of.ts';
export { type PrecopyDecision, type PrecopyPolicy, type PrecopyStats, simplePolicy } from './precopy.ts';
export { Helper, type HelperEnd, type HelperNews, type Signal } from './process.ts';
export { restoreDomain } from './restore.ts';
export {
  CHECKPOINT_FAILOVER,
  CHECKPOINT_SUCCESS,
  RESTORE_QUESTIONS,
  RESTORE_STEPS,
  type Restored,
  type RestoreFailure,
  type RestoreQuestion,
  type RestoreRequest,
  type RestoreResult,
  RestoreStats,
  type RestoreStep,
} from './restore-context.ts';
export { saveDomain } from './save.ts';
export {
  type Failure,
  type Pass,
  SAVE_QUESTIONS,
  SAVE_STEPS,
  type SaveQuestion,
  type SaveRequest,
  SaveStats,
  type SaveStep,
} from './save-context.ts';
