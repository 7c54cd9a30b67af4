/** What a daemon is told when it starts: one JSON line on its stdin, because a secret must not stand in argv or the environment. */
import type { Paths } from '../paths.ts'

export interface StartMessage {
  readonly paths: Paths
  readonly deviceName: string
  readonly unlock: { readonly kind: 'keychain' } | { readonly kind: 'passphrase'; readonly passphrase: string } | { readonly kind: 'key-file' }
  readonly listen?: readonly string[] | undefined
  readonly mdns: boolean
}

/** What it says back to whoever started it, over IPC, once. */
export type StartAnswer =
  | { readonly type: 'ready'; readonly port: number; readonly pid: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }

/** Exit code of a daemon that must not be started again: it said why in its StartAnswer. */
export const EXIT_DO_NOT_RESTART = 78
