import { existsSync } from 'node:fs'
import path from 'node:path'
import { ERROR_TABLE } from '@segue/core'
import { expect, test } from 'vitest'
import { errorsDoc } from './errors-doc.ts'
import { ROOT, filesUnder, readRootFile } from './source-files.ts'

const docs = [
  ...filesUnder('docs', '.md'),
  ...['README.md', 'GOALS.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map(name => ({ path: name, text: readRootFile(name) })),
]

test('docs/errors.md equals the table of errors (npm run docs:errors)', () => {
  expect(readRootFile('docs/errors.md')).toBe(errorsDoc())
})

test('every error code is raised somewhere', () => {
  const sources = filesUnder('packages', '.ts').filter(file => !file.path.endsWith('lib/errors.ts') && !file.path.endsWith('.test.ts'))
  const unused = Object.keys(ERROR_TABLE).filter(code => !sources.some(file => file.text.includes(`'${code}'`)))
  expect(unused).toEqual([])
})

test('every path of the repository that a document names is there', () => {
  const missing: string[] = []
  for (const doc of docs) {
    for (const [, named] of doc.text.matchAll(/`((?:packages|test|docs|tools|examples)\/[\w./-]+?)`/g)) {
      if (!existsSync(path.join(ROOT, named as string))) missing.push(`${doc.path}: ${named}`)
    }
  }
  expect(missing).toEqual([])
})

test('every relative link in a document leads somewhere', () => {
  const broken: string[] = []
  for (const doc of docs) {
    for (const [, target] of doc.text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)) {
      if (!existsSync(path.join(ROOT, path.dirname(doc.path), target as string))) broken.push(`${doc.path}: ${target}`)
    }
  }
  expect(broken).toEqual([])
})

test('every dependency of a package has its line in docs/dependencies.md', () => {
  const text = readRootFile('docs/dependencies.md')
  const missing: string[] = []
  for (const manifest of filesUnder('packages', 'package.json')) {
    const { dependencies = {}, peerDependencies = {} } = JSON.parse(manifest.text) as Record<string, Record<string, string>>
    for (const name of [...Object.keys(dependencies), ...Object.keys(peerDependencies)]) {
      if (!name.startsWith('@segue/') && !text.includes(`\`${name}\``)) missing.push(`${manifest.path}: ${name}`)
    }
  }
  expect(missing).toEqual([])
})
