/** The last gate before an event is kept: only numbers, ids and short fixed words get through. */
import { isDeviceId } from '../lib/ids.ts'
import type { TelemetryEvent } from './events.ts'

const REDACTED = 'redacted'
const FIXED_WORD = /^[a-zA-Z][a-zA-Z0-9_-]{0,39}$/
const HEX_ID = /^([0-9a-f]{32}|[0-9a-f]{64})$/

export function redact(event: TelemetryEvent): TelemetryEvent {
  const fields = Object.entries(event).map(([name, value]) => [name, isPlain(value) ? value : REDACTED])
  return Object.fromEntries(fields) as TelemetryEvent
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'number' || value === undefined) return true
  return typeof value === 'string' && (FIXED_WORD.test(value) || HEX_ID.test(value) || isDeviceId(value))
}
