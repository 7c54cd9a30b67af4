import path from 'node:path'
import { expect, test } from 'vitest'
import { filesUnder } from './source-files.ts'

/** A rule is a line `- **G3** text` of a SPEC.md; a test quotes it at the start of its title: `test('[G3] ...')`. */
const specs = filesUnder('packages', 'SPEC.md')
const rules = new Map<string, string>()
const usedTwice: string[] = []
for (const spec of specs) {
  for (const match of spec.text.matchAll(/^- \*\*([A-Z]\d+[a-z]?)\*\*/gm)) {
    const id = match[1] as string
    if (rules.has(id)) usedTwice.push(`${id} in ${spec.path}`)
    rules.set(id, spec.path)
  }
}

const quoted = new Map<string, string>()
const tests = filesUnder('test', '.test.ts').filter(file => !file.path.startsWith('test/meta/'))
for (const file of [...filesUnder('packages', '.test.ts'), ...tests, ...filesUnder('packages/core/src/testing', '.ts')]) {
  for (const match of file.text.matchAll(/(?:test|it|describe)[\w.]*(?:\([^'"`\n]*\))?\(\s*['"`]((?:\[[A-Z]\d+[a-z]?\]\s*)+)/g)) {
    for (const id of (match[1] as string).matchAll(/\[([A-Z]\d+[a-z]?)\]/g)) quoted.set(id[1] as string, file.path)
  }
}

test('there are rules at all', () => {
  expect(rules.size).toBeGreaterThan(50)
})

test('each id is one rule in one SPEC', () => {
  expect(usedTwice).toEqual([])
  const prefixes = new Map<string, Set<string>>()
  for (const [id, file] of rules) {
    const prefix = id.replace(/\d.*/, '')
    prefixes.set(prefix, (prefixes.get(prefix) ?? new Set()).add(path.posix.dirname(file)))
  }
  expect([...prefixes].filter(([, folders]) => folders.size > 1)).toEqual([])
})

test('every rule is quoted by a test', () => {
  expect([...rules].filter(([id]) => !quoted.has(id)).map(([id, file]) => `${id} of ${file}`)).toEqual([])
})

test('every id that a test quotes is a rule (invariants I1 to I12 are in docs/invariants.md)', () => {
  const isInvariant = (id: string): boolean => /^I([1-9]|1[0-2])$/.test(id)
  expect([...quoted].filter(([id]) => !rules.has(id) && !isInvariant(id)).map(([id, file]) => `${id} in ${file}`)).toEqual([])
})
