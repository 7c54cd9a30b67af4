/** Asks a person; on a pipe, reads a line. Secrets are never echoed and never come from argv. */
import { createInterface } from 'node:readline/promises'
import { isCancel, password, text } from '@clack/prompts'
import { SegueError } from '@segue/engine'

export async function askLine(question: string): Promise<string> {
  if (process.stdin.isTTY && process.stdout.isTTY) return answered(await text({ message: question }))
  process.stderr.write(`${question} `)
  const input = createInterface({ input: process.stdin, terminal: false })
  try {
    for await (const line of input) return line.trim()
    return ''
  } finally {
    input.close()
  }
}

export async function askSecret(question: string): Promise<string> {
  if (process.stdin.isTTY && process.stdout.isTTY) return answered(await password({ message: question }))
  return askLine(question)
}

function answered(answer: string | symbol): string {
  if (isCancel(answer)) throw new SegueError('CANCELLED')
  return (answer as string).trim()
}
