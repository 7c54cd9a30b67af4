import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { unreadable, unwritable } from './text-file.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-files-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('of a file that cannot be read or written the reason is said in words', async () => {
  const nowhere = path.join(root, 'nowhere', 'file')
  const reading = async (file: string): Promise<string> => unreadable(file, await readFile(file).catch((error: unknown) => error)).message
  const writing = async (file: string): Promise<string> =>
    unwritable(file, await writeFile(file, '').catch((error: unknown) => error)).message
  expect(await reading(nowhere)).toBe(`There is no file ${nowhere}.`)
  expect(await reading(root)).toBe(`${root} is a folder.`)
  expect(await writing(nowhere)).toBe(`There is no folder ${path.dirname(nowhere)}.`)
  expect(await writing(root)).toBe(`${root} is a folder. Name a file in it.`)
})
