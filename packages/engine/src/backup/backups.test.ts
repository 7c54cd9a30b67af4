import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  createIdentity,
  createSubject,
  foundGroup,
  openGroup,
  openOnPaper,
  createRecoveryPhrase,
  recoveryKeysOf,
  type Group,
} from '@segue/core'
import { createMemoryChunkStore, createMemoryRecordStore } from '@segue/core/testing'
import { afterAll, expect, test } from 'vitest'
import { createSystemClock } from '../platform/system-clock.ts'
import { systemRandom } from '../platform/system-random.ts'
import { openBackupFile } from '../recovery/from-file.ts'
import type { Runtime } from '../runtime.ts'
import { createBackups } from './backups.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-backups-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const random = systemRandom

test('[W3] the words open what was sealed under an epoch whose maker had not heard of the phrase', async () => {
  const phrase = recoveryKeysOf(createRecoveryPhrase(random))
  if (!phrase.ok) throw new Error('a made phrase is a phrase')
  const { signing, sealing } = phrase.value
  const [laptop, desk] = [createIdentity({ name: 'laptop', random }), createIdentity({ name: 'desk', random })]
  const onLaptop = foundGroup({ identity: laptop, random, time: 1 })
  const keys = { signing: desk.signing.publicKey, sealing: desk.sealing.publicKey }
  onLaptop.add({ keys, role: 'member', name: 'desk', time: 2 })
  const entriesOf = (group: Group): readonly Uint8Array[] => group.entries().map(entry => entry.bytes)
  const onDesk = openGroup({ identity: desk, random, secret: onLaptop.secret, entries: entriesOf(onLaptop) })
  onLaptop.setRecovery({ signing: signing.publicKey, sealing: sealing.publicKey }, { time: 3 })
  onDesk.rotate({ time: 3 })
  const { epoch, secret } = onDesk.keyring.current()
  onLaptop.receive(entriesOf(onDesk))
  const onPaper = (entries: readonly Uint8Array[]): Group =>
    openOnPaper({ keys: phrase.value, random, secret: onLaptop.secret, entries, id: onLaptop.id })
  expect(onPaper(entriesOf(onLaptop)).keyring.secretOf(epoch)).toBeUndefined()

  const kept: string[] = []
  const runtime = {
    group: onLaptop,
    keeper: { keep: async (entry: { readonly id: string }) => void kept.push(entry.id) },
    documents: { flush: async () => undefined },
    replica: { durability: createSubject({ state: 'good', pending: 0 }), leftOut: new Set() },
  } as unknown as Runtime
  const stores = { chunks: createMemoryChunkStore(), records: createMemoryRecordStore() }
  const parts = { ...stores, clock: createSystemClock(), random, runtime: () => runtime, deviceName: () => 'laptop' }
  const backups = await createBackups(parts)
  const file = path.join(root, 'backup')
  await backups.write(file)
  expect(kept.length).toBe(1)
  const source = await openBackupFile(file, phrase.value, new AbortController().signal)
  const { entries } = await source.readLog(stores.chunks)
  expect(onPaper(entries).keyring.secretOf(epoch)).toEqual(secret)

  // what was written when is known in the next run
  expect((await createBackups(parts)).lastAt.peek()).toBeCloseTo(backups.lastAt.peek() ?? 0, -1)
})
