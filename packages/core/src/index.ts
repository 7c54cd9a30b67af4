/** What apps and the other packages use of core. */
export { ERROR_TABLE, SegueError, isSegueError, type ErrorCode, type ErrorEntry, type Retry } from './lib/errors.ts'
export { concatBytes, equalBytes, fromHex, fromUtf8, plainBytes, toHex, utf8 } from './lib/bytes.ts'
export { createCloseables, openOrCleanUp, type Closeable, type Closeables } from './lib/closeables.ts'
export { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber, type DecodeFailure } from './lib/codec.ts'
export { deviceIdOf, hexId, idBytes, isDeviceId, isHexId, publicKeyOf, RANDOM_ID_BYTES } from './lib/ids.ts'
export type {
  ChunkId,
  DeviceId,
  DocTag,
  EntryId,
  EpochId,
  GroupId,
  HandoffId,
  Incarnation,
  MailboxId,
  SessionId,
  TraceId,
} from './lib/ids.ts'
export { labelledHmac } from './crypto/hash.ts'
export { openRecord, sealRecord } from './crypto/record.ts'
export { RECOVERY_WORDS, createRecoveryPhrase, recoveryKeysOf } from './crypto/recovery-phrase.ts'
export type { PhraseFault, RecoveryKeys } from './crypto/recovery-phrase.ts'
export { parseChunk } from './crypto/seal.ts'
export { isAdmissibleKey, portableSigner, SIGNATURE_BYTES, SIGNING_SEED_BYTES, signingKeysOf } from './crypto/sign.ts'
export { createSubject, type Observable, type Subject } from './lib/observable.ts'
export { failed, ok, type Result } from './lib/result.ts'
export { DAY_MS, HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS } from './lib/units.ts'
export {
  CHANNELS,
  GROUP_PROTOCOL,
  PAIRING_PROTOCOL,
  PROTOCOL_OF,
  RELAY_PROTOCOL,
  RENDEZVOUS_PROTOCOL,
  type Channel,
} from './wire/channels.ts'
export { CLOSE_CODES, closeCodeOf, type CloseCode } from './wire/close-codes.ts'
export * from './wire/limits.ts'
export * from './wire/relay-messages.ts'
export * from './wire/rendezvous-messages.ts'

// who this device is, and who belongs
export { createIdentity, decodeIdentity, encodeIdentity, isDeviceName, type DeviceIdentity } from './identity/index.ts'
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
export * from './mailbox/index.ts'
export * from './backup/index.ts'
export { createInviter, join, meetAt, openMeetingPlace } from './pairing/pairing.ts'
export type { ConfirmOutcome, Inviter, InviterState, JoinInvitation, Joined, MeetingPlace } from './pairing/pairing.ts'
export type { PairingDevice, PairingTarget } from './pairing/pairing.ts'

// chunks and documents
export { createReplica, createRoom, keylessInspector, RETIRED_KEPT_MS } from './replication/index.ts'
export type { Durability, PeerSync, Replica, Room } from './replication/index.ts'
export {
  buildFragments,
  createDeviceInspector,
  createDocuments,
  createIndex,
  createInlineWorker,
  createLaterIndex,
  holdBefore,
  openLate,
  readBundleContents,
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
