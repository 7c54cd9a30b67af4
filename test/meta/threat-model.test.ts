/** docs/threat-model.md says of each "cannot" which test shows it. Here is looked whether that test is there. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, readRootFile } from './source-files.ts'

interface Row {
  readonly cannot: string
  readonly shownBy: string
}

const text = readRootFile('docs/threat-model.md')
const rows: readonly Row[] = text.split('\n').flatMap(line => {
  const cells = /^\|(.*)\|(.*)\|(.*)\|$/
    .exec(line)
    ?.slice(1)
    .map(cell => cell.trim())
  const [, cannot = '', shownBy = ''] = cells ?? []
  return cells === undefined || cannot === '' || cannot === 'cannot' || /^-+$/.test(cannot) ? [] : [{ cannot, shownBy }]
})

test('every "cannot" of the threat model names a test that is there, by file and by the beginning of its title', () => {
  expect(rows.length).toBeGreaterThan(60)
  const unproven: string[] = []
  for (const { cannot, shownBy } of rows) {
    const named = [...shownBy.matchAll(/`([^`]+\.test\.ts)`: “([^”]+)”/g)].map(([, file = '', title = '']) => ({ file, title }))
    if (named.length === 0) unproven.push(`no \`file\`: “title” for: ${cannot}`)
    for (const { file, title } of named) if (!hasTest(file, title)) unproven.push(`${file} has no test “${title}”, said to show: ${cannot}`)
  }
  expect(unproven).toEqual([])
})

test('a title that is not there, is too short to mean one test, or stands in a comment is none', () => {
  const file = 'test/meta/threat-model.test.ts'
  expect(hasTest(file, 'a title that is not there, is too short')).toBe(true)
  expect(hasTest(file, 'a title')).toBe(false)
  expect(hasTest(file, 'a title that nobody wrote anywhere')).toBe(false)
  expect(hasTest(file, 'docs/threat-model.md says of each')).toBe(false)
  expect(hasTest('test/meta/none.test.ts', 'a title that is not there')).toBe(false)
})

function hasTest(file: string, title: string): boolean {
  if (title.length < 20 || !existsSync(path.join(ROOT, file))) return false
  const source = readRootFile(file)
  for (let at = source.indexOf(title); at >= 0; at = source.indexOf(title, at + 1)) {
    // The ids of rules before it may come and go.
    if (/\(\s*['"`](?:\[[A-Z]\d+[a-z]?\]\s*)*$/.test(source.slice(Math.max(0, at - 80), at))) return true
  }
  return false
}
