/**
 * Whether the columns of a change or a bundle stay within bounds, found without decoding them. Run-length columns can name a
 * thousand million rows in a few bytes, and a deflated one grows a thousandfold, so this is asked before Automerge is.
 *
 *     columns  = count uleb, (spec uleb, length uleb) each, then the data of each
 *     spec     = id << 4 | deflated << 3 | type
 *     run      = n sleb: n > 0, one value n times; n < 0, -n values; 0, then count uleb of nulls
 *
 * Source: Automerge binary format specification.
 */
import { createReader, inflate, type ByteReader } from './byte-reader.ts'

/**
 * Reads one block of columns. False when it is none, when a column has more rows than fit into `maxBytes`, or when what is
 * deflated comes to more than `maxBytes` together.
 */
export function hasBoundedColumns(reader: ByteReader, maxBytes: number): boolean {
  const count = reader.uleb()
  if (count === undefined || count > MAX_COLUMNS) return false
  const columns: { readonly spec: number; readonly length: number }[] = []
  for (let i = 0; i < count; i++) {
    const spec = reader.uleb()
    const length = reader.uleb()
    if (spec === undefined || length === undefined) return false
    columns.push({ spec, length })
  }
  let bytesLeft = maxBytes
  for (const { spec, length } of columns) {
    const stored = reader.take(length)
    const data = stored !== undefined && (spec & DEFLATED) !== 0 ? inflate(stored, bytesLeft) : stored
    if (data === undefined) return false
    if (data !== stored) bytesLeft -= data.length
    if (!hasBoundedRows(data, spec & TYPE, maxBytes / ROW_BYTES)) return false
  }
  return true
}

function hasBoundedRows(data: Uint8Array, type: number, maxRows: number): boolean {
  if (type === RAW) return true
  const rows = type === BOOLEAN ? countBooleans(data) : countRuns(data, type, maxRows)
  return rows !== undefined && rows <= maxRows
}

const DEFLATED = 8
const TYPE = 7
const BOOLEAN = 4
const TEXT = 5
const RAW = 7
const MAX_COLUMNS = 128
/** What one change or operation takes in memory at the very least. */
const ROW_BYTES = 16

function countBooleans(data: Uint8Array): number | undefined {
  const reader = createReader(data)
  let rows = 0
  while (!reader.atEnd()) {
    const run = reader.uleb()
    if (run === undefined) return undefined
    rows += run
  }
  return rows
}

function countRuns(data: Uint8Array, type: number, maxRows: number): number | undefined {
  const reader = createReader(data)
  let rows = 0
  while (!reader.atEnd()) {
    const run = reader.sleb()
    if (run === undefined) return undefined
    const isNulls = run === 0
    const length = isNulls ? reader.uleb() : Math.abs(run)
    if (length === undefined || rows + length > maxRows) return undefined
    rows += length
    const values = isNulls ? 0 : run > 0 ? 1 : length
    for (let i = 0; i < values; i++) if (!skipValue(reader, type)) return undefined
  }
  return rows
}

function skipValue(reader: ByteReader, type: number): boolean {
  if (type === TEXT) return reader.take(reader.uleb()) !== undefined
  return reader.skipLeb()
}
