/** Loggers an app may hand to openSegue(). The default says nothing: a library does not write to somebody else's terminal. */
import type { LogFields, Logger } from '@segue/core/ports'

export const silentLogger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** One JSON object a line, to `write`; events under `least` are dropped. */
export function createLineLogger(write: (line: string) => void, least: LogLevel = 'info'): Logger {
  const log = (level: LogLevel) => (event: string, fields?: LogFields) => {
    if (RANK[level] >= RANK[least]) write(JSON.stringify({ time: new Date().toISOString(), level, event, ...fields }))
  }
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
}
