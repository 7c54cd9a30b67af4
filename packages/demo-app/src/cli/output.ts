/**
 * What a command shows. Data goes to stdout, everything else (progress, questions, errors) to stderr, so that a pipe gets just the
 * data. With --json stdout gets exactly one document with a schemaVersion. Without it nothing that came from data reaches a terminal
 * as more than text: everything is cleaned here, before it is coloured.
 */
import { isSegueError } from '@segue/engine/client'
import colors from 'picocolors'
import { DaemonDown, UsageError } from '../client/daemon-client.ts'
import { printable, printableLines } from './printable.ts'

/** Of every JSON document the command line prints. Raised when a member changes its meaning; new members do not raise it. */
export const JSON_SCHEMA_VERSION = 1

export interface Output {
  readonly isJson: boolean
  /** Prints `value` as JSON, or the lines that `human` makes of it. */
  data(value: Readonly<Record<string, unknown>>, human: () => string | readonly string[] | Table): void
  /** A line of explanation on stderr; nothing with --json. */
  note(text: string): void
  /** The same in red: for what a person must not read past. */
  warning(text: string): void
  /** The same, unchanged: for what this program drew itself. */
  drawing(text: string): void
  /** With --json, one JSON line on stderr: what a script must show or answer while the command runs. */
  event(value: Readonly<Record<string, unknown>>): void
  /** A line on stderr that replaces the one before it, where stderr is a terminal; otherwise nothing. */
  progress(text: string): void
  error(error: unknown): void
}

export interface Table {
  readonly heading: string
  readonly rows: readonly string[]
}

export function createOutput(isJson: boolean): Output {
  const isLive = process.stderr.isTTY && !isJson
  let progressShown = false
  const clearProgress = (): void => {
    if (progressShown) process.stderr.write('\r\u001B[2K')
    progressShown = false
  }
  return {
    isJson,
    data(value, human) {
      clearProgress()
      if (isJson) process.stdout.write(`${JSON.stringify({ schemaVersion: JSON_SCHEMA_VERSION, ...value })}\n`)
      else {
        process.stdout.write(`${linesOf(human()).join('\n')}\n`)
      }
    },
    note(text) {
      clearProgress()
      if (!isJson) process.stderr.write(`${printableLines(text)}\n`)
    },
    warning(text) {
      clearProgress()
      if (!isJson) process.stderr.write(`${colors.bold(colors.red(printableLines(text)))}\n`)
    },
    drawing(text) {
      clearProgress()
      if (!isJson) process.stderr.write(`${text}\n`)
    },
    event(value) {
      if (isJson) process.stderr.write(`${JSON.stringify(value)}\n`)
    },
    progress(text) {
      if (!isLive) return
      process.stderr.write(`\r\u001B[2K${colors.dim(printable(text))}`)
      progressShown = true
    },
    error(error) {
      clearProgress()
      const message = error instanceof Error ? error.message : String(error)
      const code = isSegueError(error)
        ? error.code
        : error instanceof DaemonDown
          ? 'DAEMON_DOWN'
          : error instanceof UsageError
            ? 'USAGE'
            : 'FAILED'
      if (isJson) process.stdout.write(`${JSON.stringify({ schemaVersion: JSON_SCHEMA_VERSION, error: { code, message } })}\n`)
      else
        process.stderr.write(
          `${colors.red('segue:')} ${printableLines(message)}${isSegueError(error) ? colors.dim(` (${error.code})`) : ''}\n`,
        )
    },
  }
}

/** Rows in aligned columns; the first row is the heading. */
export function table(given: readonly (readonly string[])[]): Table {
  const cells = given.map(row => row.map(printable))
  const widths = cells.reduce<number[]>((widest, row) => row.map((cell, column) => Math.max(widest[column] ?? 0, cell.length)), [])
  const [heading = '', ...rows] = cells.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return { heading, rows }
}

/** The shortest start of an id that is still handy to type. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : id.startsWith('12D3Koo') ? `…${id.slice(-8)}` : id.slice(0, 8)
}

export function ago(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`
  return `${Math.round(seconds / 86_400)} days ago`
}

function linesOf(shown: string | readonly string[] | Table): readonly string[] {
  if (typeof shown === 'string') return [printable(shown)]
  if ('heading' in shown) return [colors.bold(printable(shown.heading)), ...shown.rows.map(printable)]
  return shown.map(printable)
}
