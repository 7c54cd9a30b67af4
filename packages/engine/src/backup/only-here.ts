/** Whether this device alone holds what it holds: for a quiet line in the status, never a dialogue. */
import { DAY_MS } from '@segue/core'
import type { RelayStatus } from '../relays.ts'
import type { DeviceStatus } from '../segue.ts'

/** A backup older than this does not count. */
export const BACKUP_FRESH_MS: number = 7 * DAY_MS

export interface BackupStatus {
  /** There is something to lose, and it is on no other device, no relay and in no backup of the last seven days. */
  readonly isOnlyHere: boolean
  /** When this device last wrote a backup; milliseconds since 1970 here. */
  readonly lastAt: number | undefined
}

export interface Elsewhere {
  readonly devices: readonly DeviceStatus[]
  readonly relays: readonly RelayStatus[]
  /** Milliseconds since 1970 here. */
  readonly lastBackupAt: number | undefined
  readonly now: number
}

/**
 * Neither another device that has the same or is linked and gets it now, leaving nothing out, nor a relay that keeps all it is given, nor a backup of the last
 * seven days.
 */
export function isOnlyHere({ devices, relays, lastBackupAt, now }: Elsewhere): boolean {
  const isOnDevice = devices.some(
    ({ isThisDevice, state, sync, lastSaid, leavesOut }) =>
      !isThisDevice && leavesOut === 0 && (state === 'linked' || sync === 'in-sync' || lastSaid?.hasSame === true),
  )
  const isOnRelay = relays.some(relay => relay.behind === undefined && relay.problem !== 'RELAY_QUOTA' && relay.problem !== 'RELAY_REVOKED')
  const isFresh = lastBackupAt !== undefined && now - lastBackupAt < BACKUP_FRESH_MS
  return !isOnDevice && !isOnRelay && !isFresh
}
