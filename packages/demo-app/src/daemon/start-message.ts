/** What a daemon is told when it starts: one JSON line on its stdin, because a secret must not stand in argv or the environment. */
import type { Paths } from '../paths.ts'

export interface StartMessage {
  readonly paths: Paths
  readonly deviceName: string
  readonly unlock:
    | { readonly kind: 'keychain' }
    | { readonly kind: 'passphrase'; readonly passphrase: string }
    | { readonly kind: 'key-file' }
  readonly listen?: readonly string[] | undefined
  readonly mdns: boolean
  /** `starter`: everything ends with the process that started it. Default: it goes on until it is told to stop. */
  readonly lifetime?: 'own' | 'starter' | undefined
}

/** What it says back to whoever started it, over IPC, once. */
export type StartAnswer =
  | { readonly type: 'ready'; readonly port: number; readonly pid: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }

/** Exit code of a daemon that could not start and said why in its StartAnswer. */
export const EXIT_NOT_STARTED = 78
