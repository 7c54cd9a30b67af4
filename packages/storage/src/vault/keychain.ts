/**
 * Under the operating system's keychain (macOS Keychain, Windows Credential Manager, the Secret Service on Linux): a random key
 * in the keychain seals the device key in the slot, so the store alone opens nothing, and the keychain alone neither. With a passphrase
 * besides, it takes both.
 *
 *     slot id 16 || sealed device key          the keychain's entry: "segue", "<vault id>/<slot id>"
 *
 * Each slot has an entry of its own, made before the vault names it and taken away after the vault names it no more, so whatever
 * interrupts a change, the entry of each slot that the vault has is there.
 *
 * On Linux the library would fall back to the kernel's keyring, which forgets at reboot, and the store with it: so the Secret
 * Service is required by name.
 */
import { SegueError, openRecord, sealRecord, toHex } from '@segue/core/sealed'
import { passphrase } from './passphrase.ts'
import type { Unlock, VaultPlace } from './unlock.ts'

export function keychain(): Unlock {
  return { kind: 'keychain', wrap: wrapInKeychain, unwrap: unwrapFromKeychain, forget: forgetEntry }
}

/** It takes both: whoever knows the passphrase needs this machine's keychain, and the other way round. */
export function keychainAndPassphrase(source: string | (() => string | Promise<string>)): Unlock {
  const inner = passphrase(source)
  return {
    kind: 'keychain+passphrase',
    wrap: async (deviceKey, place) => wrapInKeychain(await inner.wrap(deviceKey, place), place),
    async unwrap(wrapped, place) {
      const protectedKey = await unwrapFromKeychain(wrapped, place)
      return protectedKey && inner.unwrap(protectedKey, place)
    },
    forget: forgetEntry,
  }
}

const PURPOSE = 'vault/keychain'
const SERVICE = 'segue'
const KEY_BYTES = 32
const SLOT_ID_BYTES = 16

interface KeychainEntry {
  setSecret(secret: Uint8Array): Promise<void>
  getSecret(): Promise<readonly number[] | null | undefined>
  deleteCredential(): Promise<unknown>
}

async function wrapInKeychain(secret: Uint8Array, place: VaultPlace): Promise<Uint8Array> {
  const slotId = place.random.bytes(SLOT_ID_BYTES)
  const key = place.random.bytes(KEY_BYTES)
  const entry = await entryOf(slotId, place)
  await orUnlockNeeded(entry.setSecret(key))
  return Buffer.concat([slotId, sealRecord(key, PURPOSE, secret, place.random)])
}

async function unwrapFromKeychain(wrapped: Uint8Array, place: VaultPlace): Promise<Uint8Array | undefined> {
  const entry = await entryOf(wrapped.subarray(0, SLOT_ID_BYTES), place)
  const key = await orUnlockNeeded(entry.getSecret())
  if (key?.length !== KEY_BYTES) return undefined
  return openRecord(Uint8Array.from(key), PURPOSE, wrapped.subarray(SLOT_ID_BYTES))
}

async function forgetEntry(wrapped: Uint8Array, place: VaultPlace): Promise<void> {
  const entry = await entryOf(wrapped.subarray(0, SLOT_ID_BYTES), place)
  await entry.deleteCredential()
}

/** Imported on use: whoever unlocks otherwise needs no native library. */
async function entryOf(slotId: Uint8Array, { vaultId }: VaultPlace): Promise<KeychainEntry> {
  try {
    const { AsyncEntry } = await import('@napi-rs/keyring')
    return new AsyncEntry(SERVICE, `${vaultId}/${toHex(slotId)}`, { linux: { store: 'secret-service' } })
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
