import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ChunkId, DocTag, EpochId } from '@segue/core'
import type { NewChunk } from '@segue/core/ports'
import { afterAll, expect, test } from 'vitest'
import { keyFile, openStore } from './index.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-compact-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const inFiles = (directory: string, needle: Uint8Array): boolean =>
  readdirSync(directory, { recursive: true, withFileTypes: true }).some(
    entry => entry.isFile() && readFileSync(path.join(entry.parentPath, entry.name)).includes(Buffer.from(needle)),
  )

test('[L31] what was removed is in no file after compacting, in the log neither', async () => {
  const directory = path.join(root, 'store')
  const store = await openStore({ directory, unlock: keyFile(path.join(root, 'key')) })
  const canary = new Uint8Array(randomBytes(4_096))
  const chunk = (bytes: Uint8Array): NewChunk => ({
    class: 'commit',
    epoch: '11'.repeat(16) as EpochId,
    docTag: '22'.repeat(16) as DocTag,
    id: randomBytes(32).toString('hex') as ChunkId,
    sequence: 0,
    live: true,
    bytes,
  })
  const going = chunk(canary)
  const staying = chunk(new Uint8Array(randomBytes(4_096)))
  await store.chunks.apply({ put: [going, staying], records: new Map([['snapshot', canary]]) })
  expect(inFiles(directory, canary)).toBe(true)
  await store.chunks.apply({ remove: [going.id], records: new Map([['snapshot', undefined]]) })
  expect(inFiles(directory, canary)).toBe(true)
  await store.compact()
  expect(inFiles(directory, canary)).toBe(false)
  expect((await store.chunks.get(staying.id))?.bytes).toEqual(staying.bytes)
  await store.close()
})
