/**
 * Under the operating system's keychain (macOS Keychain, Windows Credential Manager, the Secret Service on Linux): a random key
 * in the keychain seals the device key in the slot, so the store alone opens nothing, and the keychain alone neither.
 *
 * On Linux the library would fall back to the kernel's keyring, which forgets at reboot, and the store with it: so the Secret
 * Service is required by name.
 */
import { SegueError, openRecord, sealRecord } from '@segue/core'
import type { Unlock } from './unlock.ts'

export function keychain(): Unlock {
  return {
    kind: 'keychain',
    async wrap(deviceKey, { vaultId, random }) {
      const key = random.bytes(KEY_BYTES)
      const entry = await entryOf(vaultId)
      await orUnlockNeeded(entry.setSecret(key))
      return sealRecord(key, PURPOSE, deviceKey, random)
    },
    async unwrap(wrapped, { vaultId }) {
      const entry = await entryOf(vaultId)
      const secret = await orUnlockNeeded(entry.getSecret())
      if (secret?.length !== KEY_BYTES) return undefined
      return openRecord(Uint8Array.from(secret), PURPOSE, wrapped)
    },
  }
}

const PURPOSE = 'vault/keychain'
const SERVICE = 'segue'
const KEY_BYTES = 32

interface KeychainEntry {
  setSecret(secret: Uint8Array): Promise<void>
  getSecret(): Promise<readonly number[] | null | undefined>
}

/** Imported on use: whoever unlocks otherwise needs no native library. */
async function entryOf(vaultId: string): Promise<KeychainEntry> {
  try {
    const { AsyncEntry } = await import('@napi-rs/keyring')
    return new AsyncEntry(SERVICE, vaultId, { linux: { store: 'secret-service' } })
  } catch (error) {
    throw new SegueError('UNLOCK_NEEDED', {}, { cause: error })
  }
}

async function orUnlockNeeded<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw new SegueError('UNLOCK_NEEDED', {}, { cause: error })
  }
}
