/** Words of a recovery phrase between a screen and a person: shown once and asked back, or asked for. They are stored nowhere. */
import { randomInt } from 'node:crypto'
import { checkRecoveryWords } from '@segue/engine'
import { SegueError, isSegueError } from '@segue/engine/client'
import { askLine, isInteractive } from './ask.ts'
import type { CliContext } from './context.ts'

type Dialogue = Pick<CliContext, 'output' | 'signal'>

/** Resolves when the person has given three of the words back. Rejects with CANCELLED when nobody answers, or not rightly. */
export async function showPhrase({ output, signal }: Dialogue, words: string): Promise<void> {
  const list = words.split(' ')
  output.event({ words: list })
  output.note('\nYour recovery phrase. Write these words on paper, in this order; they are shown once and stored nowhere.\n')
  for (let row = 0; row < ROWS; row++) {
    const cells = list.flatMap((word, i) => (i % ROWS === row ? [`${String(i + 1).padStart(2)} ${word.padEnd(10)}`] : []))
    output.drawing(`  ${cells.join('  ').trimEnd()}`)
  }
  output.note('\nWhoever has them, and a backup or your relay, has everything. Keep them where you keep other papers that matter.')
  if (isInteractive() && !output.isJson) {
    await askLine('Press Enter when you have written them down.', { signal })
    output.drawing(CLEAR)
  }
  for (const place of threeOf(list.length)) {
    for (let tries = 1; ; tries++) {
      const given = await askLine(`Word ${place + 1}:`, { signal })
      if (given?.toLowerCase() === list[place]) break
      if (given === undefined || tries === TRIES) throw new SegueError('CANCELLED')
      output.note(`That is not word ${place + 1}. Look at what you wrote down.`)
    }
  }
}

/** The words, checked as far as words alone can be. Where a person types, as often as it takes. */
export async function askForPhrase({ output, signal }: Dialogue, question: string): Promise<string> {
  for (;;) {
    const given = await askLine(question, { signal })
    if (given === undefined) throw new SegueError('CANCELLED')
    try {
      checkRecoveryWords(given)
      return given
    } catch (error) {
      if (!isInteractive() || !isSegueError(error)) throw error
      output.note(error.message)
    }
  }
}

const ROWS = 6
const TRIES = 3
/** The screen and what was scrolled off it. */
const CLEAR = '\u001B[2J\u001B[3J\u001B[H'

function threeOf(count: number): readonly number[] {
  const places = new Set<number>()
  while (places.size < 3) places.add(randomInt(count))
  return [...places].sort((a, b) => a - b)
}
