/** The self-hosted relay, for whoever runs it inside another process; the command is `segue-relay`. */
export { createRelay, type Relay, type RelayOptions } from './relay.ts'
export { createLog, LOG_LEVELS, type LogLevel, type LogOptions } from './ops/log.ts'
export { createVolumeEngine, type VolumeEngineOptions } from './engine/volume-engine.ts'
export type * from './engine/mailbox-engine.ts'
export type {
  AccountsAnswer,
  InviteAnswer,
  InviteRequest,
  Operations,
  TermsRequest,
  RevokeRequest,
  StatusAnswer,
} from './ops/operations.ts'
export type { BackupSummary } from './ops/backup.ts'
export type { CheckReport, Finding } from './ops/check.ts'
