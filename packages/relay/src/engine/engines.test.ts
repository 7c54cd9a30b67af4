import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryVolume, openVolume } from '@segue/storage/volume'
import { describeMailboxEngine } from './describe-mailbox-engine.ts'
import { createVolumeEngine } from './volume-engine.ts'

describeMailboxEngine('memory', async () => {
  let volume = createMemoryVolume()
  return {
    engine: createVolumeEngine(volume),
    reopen: async () => createVolumeEngine((volume = volume.crash())),
    failWrites: () => volume.failWrites(),
    tearDown: () => volume.close(),
  }
})

describeMailboxEngine('Level', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'segue-relay-'))
  let volume = await openVolume(directory)
  return {
    engine: createVolumeEngine(volume),
    async reopen() {
      await volume.close()
      volume = await openVolume(directory)
      return createVolumeEngine(volume)
    },
    async tearDown() {
      await volume.close()
      await rm(directory, { recursive: true })
    },
  }
})
