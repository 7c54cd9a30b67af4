/** Deleting for good: tombstones, what is dropped for them, and what was edited meanwhile. SPEC.md has the rules. */
export type { DeletedEdit, Deletion, DeletionId, DeletionPlan, Deletions, DeletionTarget } from './contract.ts'
export { createDeletions } from './deletions.ts'
export { createLocalDeletions } from './here.ts'
export type { LocalDeletionOptions, LocalDeletions, NotHere } from './here-contract.ts'
export { withoutDeleted } from './live-index.ts'
