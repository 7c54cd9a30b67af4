/**
 * Who this device is, for apps that use our network adapter without Segue's own store: keys in a file of their own, not sealed.
 * (Segue keeps them in its vault.)
 */
import { randomBytes } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { SegueError, createIdentity, decodeIdentity, encodeIdentity, type DeviceId, type DeviceIdentity } from '@segue/core/sealed'
import type { Random } from '@segue/core/ports'
import { readIfThere, writeWhole } from './files.ts'
import { assertPrivateIfThere, prepareDirectory } from './place.ts'

export interface DeviceKeys {
  /** What other devices name in their `members`. */
  readonly id: DeviceId
  /** For `SegueNetworkAdapter`. Whoever has them is this device. */
  readonly signing: DeviceIdentity['signing']
}

/**
 * Reads the file, or makes it (0600, in a directory of 0700) when there is none. Rejects with STORE_NOT_PRIVATE when others may read it,
 * STORE_DAMAGED when it holds no keys, STORE_FAILED when it cannot be written.
 */
export async function openDeviceKeys(file: string): Promise<DeviceKeys> {
  await assertPrivateIfThere(file)
  const stored = await readIfThere(file)
  if (stored === undefined) return createDeviceKeys(file)
  const decoded = decodeIdentity(stored)
  if (!decoded.ok) throw new SegueError('STORE_DAMAGED')
  return decoded.value
}

async function createDeviceKeys(file: string): Promise<DeviceKeys> {
  const identity = createIdentity({ name: 'device', random })
  const directory = await prepareDirectory(dirname(file))
  try {
    await writeWhole(join(directory, basename(file)), encodeIdentity(identity))
  } catch (error) {
    throw new SegueError('STORE_FAILED', {}, { cause: error })
  }
  return identity
}

const random: Random = { bytes: length => new Uint8Array(randomBytes(length)) }
