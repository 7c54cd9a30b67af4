/** What a session is, and the sessions there are. */
export { KINDS } from './contract.ts'
export type {
  DocumentPath,
  Draft,
  Drafts,
  DraftTarget,
  Kind,
  Layout,
  Manifest,
  ManifestDocument,
  MemberDocument,
  MemberDocuments,
  OpenDocument,
  Preferences,
  Session,
  SessionDocuments,
  SessionHandles,
  SessionIndex,
  Sessions,
  View,
  ViewChange,
  Views,
  ViewState,
} from './contract.ts'
export { createSessions } from './sessions.ts'
export type { SessionComponents } from './session.ts'
export { documentIdOf, sessionIdOf } from './session-ids.ts'
export { decodeHotSet, encodeHotSet, type HotSet, type HotView } from './hot-set.ts'
export { claimKey, driverOf, driversOf, nextClaimCounter, readClaims } from './lease-claims.ts'
export { SCHEMA_VERSION, type LeaseClaim, type PreferenceValue, type SessionDoc } from './schema/shapes.ts'
