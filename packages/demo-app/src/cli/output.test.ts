import { afterEach, expect, test, vi } from 'vitest'
import { createOutput, table } from './output.ts'

const EVIL = 'plan\u001B]0;owned\u0007\u001B[2J\u009B1m\u202Egnp\u200B\r\nfake'
const SHOWN = 'plan\uFFFD]0;owned\uFFFD\uFFFD[2J\uFFFD1m\uFFFDgnp\uFFFD  fake'

afterEach(() => void vi.restoreAllMocks())

function written(stream: NodeJS.WriteStream): string[] {
  const lines: string[] = []
  vi.spyOn(stream, 'write').mockImplementation(text => {
    lines.push(String(text))
    return true
  })
  return lines
}

test('a table shows none of what its cells would do to a terminal, and counts what it shows', () => {
  const lines = written(process.stdout)
  createOutput(false).data({}, () =>
    table([
      ['TITLE', 'BY'],
      [EVIL, 'desk'],
      ['x', 'phone'],
    ]),
  )
  expect(lines.join('').split('\n').slice(1, 3)).toEqual([`${SHOWN}  desk`, `x${' '.repeat(SHOWN.length + 1)}phone`])
})

test('lines, notes, progress and errors are as harmless', () => {
  const [out, err] = [written(process.stdout), written(process.stderr)]
  const output = createOutput(false)
  output.data({}, () => [`  draft  ${EVIL}`])
  output.data({}, () => EVIL)
  output.note(`“${EVIL.replace('\r\n', '')}” wants to join.`)
  output.error(new Error(EVIL.replace('\r\n', '')))
  expect(out).toEqual([`  draft  ${SHOWN}\n`, `${SHOWN}\n`])
  expect(err[0]).toBe(`“${SHOWN.replace('  ', '')}” wants to join.\n`)
  expect(err[1]).toContain(SHOWN.replace('  ', ''))
})

test('a picture made of several stays one', () => {
  const lines = written(process.stdout)
  createOutput(false).data({}, () => '👩‍💻 mine')
  expect(lines).toEqual(['👩‍💻 mine\n'])
})

test('JSON says exactly what there is', () => {
  const lines = written(process.stdout)
  createOutput(true).data({ title: EVIL }, () => '')
  expect(JSON.parse(lines.join(''))).toMatchObject({ title: EVIL })
})
