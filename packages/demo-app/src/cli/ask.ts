/** Asks a person, on stderr; on a pipe, reads lines. Secrets are never echoed and never come from argv. */
import { createInterface } from 'node:readline'
import { SegueError } from '@segue/engine/client'
import { printable } from './printable.ts'

export interface AskOptions {
  /** Takes the question back: the answer is not wanted any more. */
  readonly signal?: AbortSignal | undefined
}

/** Undefined when there is nobody to answer: the input has ended. Rejects with CANCELLED when the person says so, or by the signal. */
export async function askLine(asked: string, { signal }: AskOptions = {}): Promise<string | undefined> {
  const question = printable(asked)
  if (isInteractive()) {
    const { text } = await import('@clack/prompts') // most commands ask nothing
    return answered(await text({ message: question, output: process.stderr, ...(signal === undefined ? {} : { signal }) }))
  }
  process.stderr.write(`${question} `)
  const line = await nextLine(signal)
  process.stderr.write('\n')
  return line?.trim()
}

/** As askLine; what is typed is not shown. */
export async function askSecret(question: string): Promise<string | undefined> {
  if (isInteractive()) {
    const { password } = await import('@clack/prompts')
    return answered(await password({ message: question, output: process.stderr }))
  }
  return askLine(question)
}

export function isInteractive(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

/** What was typed; a symbol when it was cancelled. */
function answered(answer: string | symbol | undefined): string {
  if (typeof answer === 'symbol') throw new SegueError('CANCELLED')
  return (answer ?? '').trim() // undefined: nothing was typed
}

let input: { readonly lines: string[]; hasEnded: boolean; onMore: () => void } | undefined

/** One reader for the whole process: a second would lose what the first has read ahead. */
async function nextLine(signal: AbortSignal | undefined): Promise<string | undefined> {
  const reading = (input ??= startReading())
  while (reading.lines.length === 0 && !reading.hasEnded) {
    process.stdin.ref?.() // a file has none
    await new Promise<void>((resolve, reject) => {
      reading.onMore = resolve
      signal?.addEventListener('abort', () => reject(new SegueError('CANCELLED')), { once: true })
      if (signal?.aborted === true) reject(new SegueError('CANCELLED'))
    }).finally(() => process.stdin.unref?.())
  }
  return reading.lines.shift()
}

function startReading(): NonNullable<typeof input> {
  const reading: NonNullable<typeof input> = { lines: [], hasEnded: false, onMore: () => undefined }
  const stream = createInterface({ input: process.stdin, terminal: false })
  stream.on('line', line => {
    reading.lines.push(line)
    reading.onMore()
  })
  stream.on('close', () => {
    reading.hasEnded = true
    reading.onMore()
  })
  return reading
}
