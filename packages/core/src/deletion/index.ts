/** Deleting for good: tombstones, what is dropped for them, and what was edited meanwhile. SPEC.md has the rules. */
export type { DeletedEdit, Deletion, DeletionId, DeletionPlan, Deletions, DeletionTarget } from './contract.ts'
export { createDeletions } from './deletions.ts'
export { withoutDeleted } from './live-index.ts'
