/** What a daemon is told when it starts: one JSON line on its stdin, because a secret must not stand in argv or the environment. */
import type { Paths } from '../paths.ts'
import type { Opening } from './unlocking.ts'

export interface StartMessage {
  readonly paths: Paths
  readonly deviceName: string
  /** `locked`: nothing is opened until `segue unlock`. */
  readonly unlock: Opening | { readonly kind: 'locked' }
  readonly listen?: readonly string[] | undefined
  readonly mdns: boolean
  /** See OpenSegueOptions. */
  readonly onRemoved?: 'keep' | 'erase' | undefined
  /** Locks by itself after so many minutes without a command; 0: never. */
  readonly autoLockMinutes?: number | undefined
  /** `starter`: everything ends with the process that started it. Default: it goes on until it is told to stop. */
  readonly lifetime?: 'own' | 'starter' | undefined
}

/** What it says back to whoever started it, over IPC, once. */
export type StartAnswer =
  | { readonly type: 'ready'; readonly port: number; readonly pid: number }
  | {
      readonly type: 'failed'
      readonly code: string
      readonly message: string
      readonly details?: Readonly<Record<string, string | number>>
    }

/** What it tells its supervisor later: how to start the next daemon, should this one die. */
export interface StartChange {
  readonly type: 'start-with'
  readonly change: Partial<Pick<StartMessage, 'unlock' | 'autoLockMinutes'>>
}

/** Exit code of a daemon that could not start and said why in its StartAnswer. */
export const EXIT_NOT_STARTED = 78
/** Exit code of a daemon that had keys and was locked: another takes its place that never had them, and its supervisor forgets them, too. */
export const EXIT_LOCKED = 79
/** Exit code of a daemon whose device was removed and has erased everything: the next one begins as a new device. */
export const EXIT_ERASED = 80
