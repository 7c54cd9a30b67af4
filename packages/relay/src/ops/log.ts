/**
 * The relay's log: one JSON object a line, on standard output, for whatever keeps logs on this machine. Without `withIds` no line names
 * a peer, mailbox, document, chunk or address, so that a log can be shown to somebody who helps.
 */
import type { LogFields, Logger } from '@segue/core/ports'
import { pino, type DestinationStream } from 'pino'

export interface LogOptions {
  readonly level: LogLevel
  readonly withIds: boolean
  /** Standard output unless given. */
  readonly destination?: DestinationStream
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export function createLog({ level, withIds, destination }: LogOptions): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const out = destination === undefined ? pino(options) : pino(options, destination)
  const write =
    (severity: 'debug' | 'info' | 'warn' | 'error') =>
    (event: string, fields: LogFields = {}) =>
      out[severity]({ event, ...(withIds ? fields : withoutIds(fields)) })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** Numbers, booleans, and texts with whatever looks like an id, a key or an address taken out. */
export function withoutIds(fields: LogFields): LogFields {
  const kept = Object.entries(fields).filter(([name, value]) => typeof value !== 'string' || !ID_FIELDS.has(name))
  return Object.fromEntries(kept.map(([name, value]) => [name, typeof value === 'string' ? redact(value) : value]))
}

const ID_FIELDS = new Set(['peer', 'device', 'chunk', 'mailbox', 'account', 'docTag', 'hash', 'address', 'session', 'incarnation'])

function redact(text: string): string {
  return text
    .replaceAll(/\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^\s,"']+/g, '<address>')
    .replaceAll(/\b(?:12D3Koo|16Uiu2|Qm)[1-9A-HJ-NP-Za-km-z]{8,}/g, '<id>')
    .replaceAll(/\b[0-9a-fA-F]{16,}\b/g, '<id>')
    .replaceAll(/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, '<address>')
    .replaceAll(/[A-Za-z0-9_-]{40,}/g, '<id>')
}
