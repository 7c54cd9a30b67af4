/** An Automerge document whose shape is somebody else's business. */
import type { Doc } from '@automerge/automerge'

export type AnyDoc = Doc<Record<string, unknown>>
