import path from 'node:path'
import { expect, test } from 'vitest'
import { filesUnder, readRootFile } from './source-files.ts'

const sources = [...filesUnder('packages', '.ts'), ...filesUnder('test', '.ts'), ...filesUnder('tools', '.ts')]
const MAX_LINES = 400

test('file names are kebab-case and say what is in them', () => {
  const vague = /^(utils?|helpers?|common|misc)\b/
  const wrong = sources
    .map(file => path.posix.basename(file.path))
    .filter(name => !/^[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(name) || vague.test(name))
  expect(wrong).toEqual([])
})

test(`no file is over ${MAX_LINES} lines`, () => {
  expect(sources.filter(file => file.text.split('\n').length > MAX_LINES + 1).map(file => file.path)).toEqual([])
})

test('no test is focused or switched off without a reason', () => {
  const tests = sources.filter(file => file.path.endsWith('.test.ts'))
  expect(tests.filter(file => /\b(test|it|describe)\.(only|todo|skip)\(/.test(file.text)).map(file => file.path)).toEqual([])
})

test('a test that replaces modules is named in vitest.config.ts, where it gets a process for itself', () => {
  const config = readRootFile('vitest.config.ts')
  const replacing = sources.filter(file => file.path.endsWith('.test.ts') && /^vi\.(mock|stub\w+)\(/m.test(file.text))
  const nameOf = ({ path: file }: { readonly path: string }): string => path.posix.basename(file, '.test.ts')
  expect(replacing.map(nameOf).filter(name => !config.includes(name))).toEqual([])
})

test('nothing unfinished is left in the sources', () => {
  const marks = /\b(TO[D]O|FIX[M]E|X[X]X)\b/ // written so that they are not found here
  expect(sources.filter(file => marks.test(file.text)).map(file => file.path)).toEqual([])
})
