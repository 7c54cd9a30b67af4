/** The store on Level keeps the contracts of both ports; the adapter for automerge-repo passes the suite its authors publish. */
import '@automerge/automerge-repo'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runStorageAdapterTests } from '@automerge/automerge-repo/helpers/tests/storage-adapter-tests.js'
import { describeChunkStore, describeRecordStore } from '@segue/core/testing'
import { createLevelStorage } from './automerge-repo.ts'
import { custom, openStore, type Store } from './index.ts'

async function onDisk(): Promise<{ store: Store; reopen(): Promise<Store>; tearDown(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-store-'))
  const unlock = custom({ wrap: key => key, unwrap: wrapped => wrapped })
  let store = await openStore({ directory, unlock })
  return {
    store,
    async reopen() {
      await store.close()
      return (store = await openStore({ directory, unlock }))
    },
    async tearDown() {
      await store.close()
      await rm(directory, { recursive: true })
    },
  }
}

describeChunkStore('Level', async () => {
  const { store, reopen, tearDown } = await onDisk()
  return { store: store.chunks, reopen: async () => (await reopen()).chunks, tearDown }
})

describeRecordStore('Level', async () => {
  const { store, reopen, tearDown } = await onDisk()
  return { store: store.records, reopen: async () => (await reopen()).records, tearDown }
})

runStorageAdapterTests(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'segue-storage-'))
  const adapter = createLevelStorage({ directory })
  return {
    adapter,
    async teardown() {
      await adapter.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}, 'Level')
