/** What apps and the other packages use of core. */
export * from './sealed.ts'

// who belongs
export { RECOVERY_WORDS, createRecoveryPhrase, recoveryKeysOf } from './crypto/recovery-phrase.ts'
export type { PhraseFault, RecoveryKeys } from './crypto/recovery-phrase.ts'
export {
  createErasureCarrier,
  createLeaveCarrier,
  decodeEntry,
  foundGroup,
  entriesIn,
  groupSecretIn,
  openGroup,
  openOnPaper,
  callOnRemoved,
  proveMembership,
  readErasure,
  receiveProof,
  recoverGroup,
  signErasure,
} from './group/index.ts'
export type {
  CarriedErasure,
  Erasure,
  ErasureCarrier,
  Group,
  GroupDevice,
  GroupDuty,
  GroupRecovery,
  GroupRelay,
  GroupState,
  NewRelay,
  Recovered,
  Recovery,
  RecoveryPublicKeys,
  Removal,
  Role as GroupRole,
  SignedEntry,
} from './group/index.ts'
export { GROUP_DOC_TAG } from './lib/ids.ts'
export * from './audit/index.ts'
export * from './backup/index.ts'
export { createInviter, join, meetAt, openMeetingPlace } from './pairing/pairing.ts'
export type { ConfirmOutcome, Inviter, InviterState, JoinInvitation, Joined, MeetingPlace } from './pairing/pairing.ts'
export type { PairingDevice, PairingTarget } from './pairing/pairing.ts'

// chunks and documents
export {
  buildFragments,
  createDeviceInspector,
  createDocuments,
  createIndex,
  createInlineWorker,
  createLaterIndex,
  holdBefore,
  openLate,
} from './documents/index.ts'
export type { DocumentIndex, DocumentState, Documents, IndexedDocument, IndexedSession } from './documents/index.ts'
export type { LateDecision, LateEdit, LateEdits } from './documents/index.ts'

// sessions, what was, and moving them
export { createSessions, decodeHotSet, documentIdOf, encodeHotSet, readClaims, sessionIdOf } from './session/index.ts'
export { PINNED_CHANGES, SCHEMA_VERSION } from './session/index.ts'
export { documentIdOfBytes } from './session/session-ids.ts'
export { textOfFile } from './session/text-file.ts'
export type {
  DocumentPath,
  Draft,
  Drafts,
  DraftTarget,
  HotSet,
  Kind,
  Layout,
  Manifest,
  MemberDocument,
  OpenDocument,
  Preferences,
  PreferenceValue,
  Session,
  SessionDoc,
  Sessions,
  View,
  ViewChange,
  Views,
} from './session/index.ts'
export { createHistory } from './history/index.ts'
export type { Checkpoint, CheckpointReason, Choice, Conflict, ConflictSide, History, RevertOutcome } from './history/index.ts'
export { createDeletions, createLocalDeletions, withoutDeleted } from './deletion/index.ts'
export type { DeletedEdit, Deletion, DeletionId, DeletionPlan, Deletions, DeletionTarget } from './deletion/index.ts'
export type { LocalDeletionOptions, LocalDeletions, NotHere } from './deletion/index.ts'
export { createHeartbeats, HEARTBEAT_PACE, logFingerprint } from './heartbeat/index.ts'
export type { HeardOf, HeartbeatPace, Heartbeats, RelayTrouble } from './heartbeat/index.ts'
export { createHandoffs } from './handoff/coordinator.ts'
export { createRegisterCarrier, type CarriedOffer, type RegisterCarrier } from './handoff/offer-carrier.ts'
export { CLAIM_KINDS, claimKey, type Claim, type ClaimKind } from './handoff/lease.ts'
export type { HandoffComponents } from './handoff/collaborators.ts'
export type { Handoff, Handoffs, HandoffSummary, SendOptions, TakeOptions } from './handoff/handoffs.ts'
export type { Lease } from './handoff/lease.ts'
export { MILESTONES, SESSION_KINDS, type HandoffOutcome, type Milestone, type SessionKind, type Step } from './handoff/outcome.ts'
export type { TelemetryEvent, TelemetryEventType } from './telemetry/events.ts'
export { createRecorder, type Recorder } from './telemetry/recorder.ts'
export { KINDS } from './session/contract.ts'
