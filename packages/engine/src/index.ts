/** Segue for Node: `openSegue()` and what an app needs beside it. */
export { openLockable, type LockableOptions, type LockableSegue, type LockState } from './lockable.ts'
export { openSegue, type NetworkOptions, type OpenSegueOptions } from './open-segue.ts'
export type {
  DeviceStatus,
  Invitation,
  InviteOptions,
  Joining,
  JoinOptions,
  JoinOutcome,
  Pairing,
  Segue,
  SegueSessions,
  SegueStatus,
} from './segue.ts'
export { verifyAuditText, type Audits } from './audit.ts'
export { noticeText, type Notice, type NoticeKind, type NoticeNames, type Notices, type NoticeText } from './notices/index.ts'
export type { BackupOptions, BackupProgress, Backups, BackupWritten } from './backup/backups.ts'
export { BACKUP_FRESH_MS, type BackupStatus } from './backup/only-here.ts'
export { checkRecoveryWords, makeRecoveryPhrase, type RecoveryPhrases } from './recovery/phrases.ts'
export { relayPlaceOf } from './recovery/phrase-node.ts'
export { restoreSegue, type Restored, type RestoreOptions, type RestoreProgress } from './recovery/restore-segue.ts'
export type { Arriving, SegueSession } from './session-face.ts'
export type { AdoptionOutcome, AdoptionPreview } from './adoption/adoption.ts'
export type { DeletionAtRelay, SegueDeletion, SegueDeletions } from './deletion/deletion-face.ts'
export type { SegueKeys } from './keys-face.ts'
export type { LateEditInReview, SegueLateEdits } from './late-edits-face.ts'
export type { Confirmation, Person } from './person.ts'
export type { DeviceKnows, RelayKnows, RemovalChecklist, RemovedWord } from './removal/checklist.ts'
export type { OnRemoved, OwnRemoval } from './removal/own-removal.ts'
export type { RemovingDevices } from './removal/remove.ts'
export type { Advice, Devices } from './roles.ts'
export type { SegueHandoffs, SegueHandoffSummary } from './handoff-face.ts'
export type { Relays, RelayStatus } from './relays.ts'
export type { SessionDurability } from './durability.ts'
export type { Surroundings } from './surroundings.ts'
export { readQrImage, type PairingQr } from './pairing-images.ts'
export { createLineLogger, silentLogger, type LogLevel } from './platform/loggers.ts'
export {
  assertPrivate,
  custom,
  keychain,
  keychainAndPassphrase,
  keyFile,
  passphrase,
  readSlots,
  type CustomUnlock,
  type Unlock,
} from '@segue/storage'
export { ACTION_WORDS, RULE_WORDS, VOID_WORDS } from '@segue/core'
export type { AuditAction, AuditEvent, AuditParty, AuditVerdict, GroupAudit, GroupId, VerifiedAudit } from '@segue/core'
export { ERROR_TABLE, isHexId, isSegueError, RANDOM_ID_BYTES, SegueError, SESSION_KINDS, textOfFile } from '@segue/core'
export type {
  Checkpoint,
  Choice,
  Conflict,
  ConflictSide,
  DeletedEdit,
  DeletionPlan,
  DeletionTarget,
  LocalDeletionOptions,
  NotHere,
  DeviceId,
  Draft,
  ErrorCode,
  GroupDevice,
  Handoff,
  HandoffId,
  HandoffOutcome,
  Handoffs,
  HandoffSummary,
  History,
  HotSet,
  IndexedSession,
  InviterState,
  Layout,
  LateEdit,
  Lease,
  MemberDocument,
  Milestone,
  Observable,
  SessionId,
  SessionKind,
  Step,
  TelemetryEvent,
  View,
} from '@segue/core'
export type { Logger, NearbyDevice, SlotKind } from '@segue/core/ports'
export * as Automerge from '@automerge/automerge'
export type { AutomergeUrl, DocHandle, DocumentId, Repo } from '@automerge/automerge-repo'
