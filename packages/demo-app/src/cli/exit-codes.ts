/** Exit codes, stable for scripts; README and `segue --help` list them. */
import { isSegueError, type ErrorCode } from '@segue/engine/client'
import { DaemonDown, UsageError } from '../client/daemon-client.ts'

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  daemonNotRunning: 3,
  notPaired: 4,
  unreachable: 5,
  needsReview: 6,
  incompatibleVersion: 7,
} as const

const BY_ERROR: Partial<Record<ErrorCode, number>> = {
  NOT_A_MEMBER: EXIT.notPaired,
  DEVICE_REMOVED: EXIT.notPaired,
  PEER_REMOVED: EXIT.notPaired,
  UNREACHABLE: EXIT.unreachable,
  TIMED_OUT: EXIT.unreachable,
  LINK_CLOSED: EXIT.unreachable,
  PAIRING_NOBODY_NEARBY: EXIT.unreachable,
  VERSION_UNSUPPORTED: EXIT.incompatibleVersion,
  PAIRING_VERSION: EXIT.incompatibleVersion,
  SCHEMA_NEWER: EXIT.incompatibleVersion,
  STORE_NEWER: EXIT.incompatibleVersion,
  GROUP_NEWER: EXIT.incompatibleVersion,
  AUDIT_NEWER: EXIT.incompatibleVersion,
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof DaemonDown) return EXIT.daemonNotRunning
  if (error instanceof UsageError) return EXIT.usage
  if (isSegueError(error)) return BY_ERROR[error.code] ?? EXIT.failed
  return EXIT.failed
}
