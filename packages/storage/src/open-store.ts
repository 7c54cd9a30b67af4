/**
 * One directory with everything a device keeps:
 *
 *     format   which format this is (format.ts)
 *     vault    the device key in its slots (vault/)
 *     level/   chunks and records (key-layout.ts)
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { SegueError, openOrCleanUp } from '@segue/core/sealed'
import type { ChunkStore, Random, RecordStore } from '@segue/core/ports'
import { createChunkStore } from './chunk-store.ts'
import type { OnDamaged } from './damage.ts'
import { migrate, readFormat, FORMAT } from './format.ts'
import { openLevel } from './level/level-store.ts'
import { assertStorePrivate, prepareDirectory } from './place.ts'
import { createRecordStore } from './record-store.ts'
import { keychain } from './vault/keychain.ts'
import type { Unlock } from './vault/unlock.ts'
import { createVault, openVault, type Vault } from './vault/vault.ts'

export interface StoreOptions {
  readonly directory: string
  /** One way to open it, or several of which any opens it; a new store gets a slot for each. The keychain unless given. */
  readonly unlock?: Unlock | readonly Unlock[]
  /** The operating system's unless given. */
  readonly random?: Random
  /** Called for every value found damaged on reading; such a value reads as absent. */
  readonly onDamaged?: OnDamaged
}

export interface Store {
  readonly chunks: ChunkStore
  /** This device's own records, sealed under the device key. */
  readonly records: RecordStore
  readonly vault: Vault
  /** The on-disk format. */
  readonly format: number
  /** What was removed leaves the disk as well. Costs a rewrite of all of it. */
  compact(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens or makes a store. Throws STORE_UNSAFE_PLACE, STORE_NOT_PRIVATE, STORE_NEWER, UNLOCK_WRONG and UNLOCK_NEEDED before anything in an existing
 * store is touched; STORE_LOCKED when another process has it; STORE_FAILED when the disk does not let it; STORE_DAMAGED.
 */
export async function openStore({
  directory,
  unlock = keychain(),
  random = systemRandom,
  onDamaged = ignore,
}: StoreOptions): Promise<Store> {
  const unlocks = 'kind' in unlock ? [unlock] : unlock
  if (unlocks.length === 0) throw new SegueError('UNLOCK_NEEDED')
  const place = await prepareDirectory(directory)
  await assertStorePrivate(place)
  const formatBefore = await readFormat(place)
  const openedBefore = await openVault(place, unlocks, random)
  if (formatBefore !== undefined && openedBefore === undefined) throw new SegueError('STORE_DAMAGED') // its keys are gone

  return openOrCleanUp(async opened => {
    const level = opened.use(await openLevel(join(place, 'level')))
    // Alone from here on. Another process may have made the vault since.
    const vault = openedBefore ?? (await openVault(place, unlocks, random)) ?? (await createVault(place, unlocks, random))
    opened.add(() => vault.forget())
    await migrate(place, level, await readFormat(place))
    const chunks = opened.use(await createChunkStore(level, onDamaged))
    const records = opened.use(createRecordStore(level, { deviceKey: vault.deviceKey, random, onDamaged }))
    const compact = async (): Promise<void> => level.compact?.()
    return { chunks, records, vault, format: FORMAT, compact, close: opened.close }
  })
}

const systemRandom: Random = { bytes: length => new Uint8Array(randomBytes(length)) }

function ignore(): void {}
