/** Recorded typing: gzipped JSON {startContent, endContent, txns: [{time, patches: [[position, deleted, inserted]]}]}, positions in code points. */
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import * as v from 'valibot'
import { unreadable } from '../client/text-file.ts'

export type Patch = readonly [position: number, deleted: number, inserted: string]

export interface Trace {
  readonly startContent: string
  readonly endContent: string
  readonly patches: readonly Patch[]
}

/** Rejects with a sentence that names the file when it is no such recording. */
export async function readTrace(file: string): Promise<Trace> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw unreadable(file, error)
  })
  let value: unknown
  try {
    value = JSON.parse(gunzipSync(bytes).toString('utf8'))
  } catch (error) {
    throw new Error(`${file} is not a recorded session (gzipped JSON): ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
  const parsed = v.safeParse(TRACE, value)
  if (!parsed.success) throw new Error(`${file} is not a recorded session: ${parsed.issues[0].message}`)
  const { startContent, endContent, txns } = parsed.output
  return { startContent, endContent, patches: txns.flatMap(transaction => transaction.patches) }
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const TRACE = v.object({
  startContent: v.string(),
  endContent: v.string(),
  txns: v.array(v.object({ patches: v.array(v.tuple([count, count, v.string()])) })),
})
