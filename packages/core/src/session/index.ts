/** What a session is, and the sessions there are. */
export type {
  DocumentPath,
  Draft,
  Drafts,
  DraftTarget,
  Kind,
  Layout,
  Manifest,
  MemberDocument,
  OpenDocument,
  Preferences,
  Session,
  Sessions,
  View,
  ViewChange,
  Views,
} from './contract.ts'
export { createSessions } from './sessions.ts'
export { documentIdOf, sessionIdOf } from './session-ids.ts'
export { decodeHotSet, encodeHotSet, type HotSet } from './hot-set.ts'
export { readClaims } from './lease-claims.ts'
export { PINNED_CHANGES } from './schema/pinned.ts'
export { SCHEMA_VERSION, type PreferenceValue, type SessionDoc } from './schema/shapes.ts'
