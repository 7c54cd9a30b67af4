/** Looking back and taking back: checkpoints, comparison, conflicts, reverting. */
export type { Checkpoint, CheckpointReason, Choice, Conflict, ConflictSide, History, RevertOutcome } from './contract.ts'
export { createHistory } from './history.ts'
