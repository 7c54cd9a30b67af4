/**
 * The daemon's API, shared by both ends.
 *
 *     POST /v1/call/<command>     Authorization: Bearer <token>     body: the command's parameters, JSON
 *     answer: application/x-ndjson, one Reply a line: any number of events, then exactly one result or error
 *
 * On 127.0.0.1 only. The token lies in a 0600 file, so whoever can read it could read the store's folder as well. Host and Origin
 * are checked against what a browser page could forge (DNS rebinding, cross-site requests). Closing the connection cancels.
 */
import type { ErrorCode } from '@segue/engine'

export const API_VERSION = 1
/** The largest body: a 1 MiB text, JSON-escaped. */
export const MAX_BODY_BYTES: number = 8 * 1024 * 1024

export type Reply =
  | { readonly type: 'event'; readonly event: Readonly<Record<string, unknown>> }
  | { readonly type: 'result'; readonly value: unknown }
  | {
      readonly type: 'error'
      readonly code: ErrorCode | 'USAGE' | 'INTERNAL'
      readonly message: string
      readonly details: Readonly<Record<string, string | number>>
    }

/** The content of the runtime file. */
export interface DaemonAddress {
  readonly apiVersion: number
  readonly pid: number
  /** Starts the daemon again when it dies. */
  readonly supervisor: number
  readonly port: number
  readonly token: string
}
