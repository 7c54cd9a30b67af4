/** A store much larger than the memory that writing and reading its backup may take. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { MIB, createIdentity, createRecoveryPhrase, createSubject, foundGroup, parseChunk, recoveryKeysOf } from '@segue/core'
import { keyFile, openStore } from '@segue/storage'
import { afterAll, expect, test } from 'vitest'
import { createSystemClock } from '../platform/system-clock.ts'
import { systemRandom } from '../platform/system-random.ts'
import { openBackupFile } from '../recovery/from-file.ts'
import type { Runtime } from '../runtime.ts'
import { createBackups } from './backups.ts'

const CHUNKS = 400
const CHUNK_BYTES: number = 256 * 1024
/** What the garbage collector has not got round to counts, too; a store held in memory would be over it all the same. */
const MAX_GROWTH: number = 80 * MIB

const root = mkdtempSync(path.join(tmpdir(), 'segue-large-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('[W2] writing and reading a backup of 100 MiB takes the memory of a few chunks', { timeout: 60_000 }, async () => {
  const phrase = recoveryKeysOf(createRecoveryPhrase(systemRandom))
  if (!phrase.ok) throw new Error('a made phrase is a phrase')
  const { signing, sealing } = phrase.value
  const clock = createSystemClock()
  const group = foundGroup({ identity: createIdentity({ name: 'laptop', random: systemRandom }), random: systemRandom, time: 1 })
  group.setRecovery({ signing: signing.publicKey, sealing: sealing.publicKey }, { time: 2 })
  const store = await openStore({ directory: path.join(root, 'store'), unlock: keyFile(path.join(root, 'key')) })
  for (let i = 0; i < CHUNKS; i++) {
    const bytes = systemRandom.bytes(CHUNK_BYTES)
    bytes.set([1, 1]) // version 1, a commit
    bytes.fill(0, 66, 74)
    const chunk = parseChunk(bytes)
    if (!chunk.ok) throw new Error(chunk.error)
    await store.chunks.apply({ put: [{ ...chunk.value, live: true }] })
  }
  const runtime = {
    group,
    keeper: { keep: async () => undefined },
    documents: { flush: async () => undefined },
    replica: { durability: createSubject({ state: 'good', pending: 0 }), leftOut: new Set() },
  } as unknown as Runtime
  const backups = await createBackups({ ...store, clock, random: systemRandom, runtime: () => runtime, deviceName: () => 'laptop' })
  const file = path.join(root, 'backup')

  const memory = watchMemory()
  const written = await backups.write(file, { onProgress: memory.look })
  expect(written).toMatchObject({ chunks: CHUNKS, leftOut: 0, bytes: statSync(file).size })
  expect(written.bytes).toBeGreaterThan(CHUNKS * CHUNK_BYTES)
  expect(memory.growth()).toBeLessThan(MAX_GROWTH)
  await store.close()

  const reading = watchMemory()
  const timer = setInterval(reading.look, 20)
  await openBackupFile(file, phrase.value, new AbortController().signal)
  clearInterval(timer)
  expect(reading.growth()).toBeLessThan(MAX_GROWTH)
})

function watchMemory(): { readonly look: () => void; readonly growth: () => number } {
  const now = (): number => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = now()
  let most = before
  return {
    look() {
      most = Math.max(most, now())
    },
    growth: () => most - before,
  }
}
