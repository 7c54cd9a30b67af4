/** Looking back and taking back: checkpoints, comparison, conflicts, reverting. */
export type {
  Checkpoint,
  CheckpointReason,
  Choice,
  Conflict,
  ConflictFilter,
  ConflictKind,
  ConflictSide,
  DocumentComparison,
  History,
  RevertOutcome,
} from './contract.ts'
export { createHistory, type HistoryComponents } from './history.ts'
export { MAX_CHECKPOINTS } from './checkpoints.ts'
export { EXCERPT_CHARACTERS } from './conflicts.ts'
