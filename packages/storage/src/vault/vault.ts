/**
 * The device key and its slots. Any one slot opens the vault; a failed try changes nothing. Changing slots wraps the same device key
 * anew, so no data is encrypted again; the file is replaced in one step, and until then the old slots open it.
 */
import { SegueError, equalBytes, openRecord, sealRecord, toHex } from '@segue/core/sealed'
import type { KeyVault, Random, SlotKind } from '@segue/core/ports'
import { keychain, keychainAndPassphrase } from './keychain.ts'
import { passphrase } from './passphrase.ts'
import type { Unlock, VaultPlace } from './unlock.ts'
import { readVault, writeVault, type VaultContents, type VaultSlot } from './vault-file.ts'

export interface Vault extends KeyVault {
  /** Adds a way to open it, or replaces the one of the same kind (a new passphrase). On disk when it resolves. */
  setSlot(unlock: Unlock): Promise<void>
  /** Throws KEYS_LAST_SLOT for the last one (nothing would open it any more), KEYS_NO_SUCH_SLOT when there is none of that kind. */
  removeSlot(kind: SlotKind): Promise<void>
  /** Whether this is the passphrase of a slot; takes the time of scrypt. Throws UNLOCK_NEEDED when the keychain it goes with is away. */
  isPassphrase(text: string): Promise<boolean>
  /** Overwrites the device key in memory. Nothing can be sealed or opened from then on. */
  forget(): void
}

/** Undefined when there is no vault yet. Throws UNLOCK_WRONG, UNLOCK_NEEDED or STORE_DAMAGED. */
export async function openVault(directory: string, unlocks: readonly Unlock[], random: Random): Promise<Vault | undefined> {
  const contents = await readVault(directory)
  if (contents === undefined) return undefined
  return vaultOf(directory, contents, await unwrap(contents, unlocks, random), random)
}

/** A fresh device key with one slot for each of `unlocks`. */
export async function createVault(directory: string, unlocks: readonly Unlock[], random: Random): Promise<Vault> {
  const deviceKey = random.bytes(DEVICE_KEY_BYTES)
  const vaultId = toHex(random.bytes(16))
  const slots = []
  for (const unlock of unlocks) slots.push({ kind: unlock.kind, wrapped: await unlock.wrap(deviceKey, { vaultId, random }) })
  const contents: VaultContents = { version: 1, vaultId, slots }
  await writeVault(directory, contents)
  return vaultOf(directory, contents, deviceKey, random)
}

const DEVICE_KEY_BYTES = 32

async function unwrap(contents: VaultContents, unlocks: readonly Unlock[], random: Random): Promise<Uint8Array> {
  const failures: unknown[] = []
  for (const unlock of unlocks) {
    for (const slot of contents.slots) {
      if (slot.kind !== unlock.kind) continue
      try {
        const key = await unlock.unwrap(slot.wrapped, { vaultId: contents.vaultId, random })
        if (key?.length === DEVICE_KEY_BYTES) return new Uint8Array(key)
      } catch (error) {
        failures.push(error) // another way may still open it
      }
    }
  }
  const told = failures.find(failure => failure instanceof SegueError)
  throw told ?? new SegueError('UNLOCK_WRONG', {}, { cause: failures[0] })
}

function vaultOf(directory: string, opened: VaultContents, deviceKey: Uint8Array, random: Random): Vault {
  let contents = opened
  let isForgotten = false
  let last: Promise<unknown> = Promise.resolve()
  const place: VaultPlace = { vaultId: opened.vaultId, random }
  const assertThere = (): void => {
    if (isForgotten) throw new SegueError('CLOSED')
  }
  /** One change at a time: each starts from what the one before left. */
  const inTurn = (task: () => Promise<void>): Promise<void> => {
    const done = last.then(task)
    last = done.catch(() => undefined)
    return done
  }
  const write = async (slots: readonly VaultSlot[]): Promise<void> => {
    const changed = { ...contents, slots }
    await writeVault(directory, changed)
    contents = changed
  }
  return {
    get slots() {
      return contents.slots.map(({ kind }) => kind)
    },
    deviceKey,
    seal(purpose, secret) {
      assertThere()
      return sealRecord(deviceKey, `vault-secret/${purpose}`, secret, random)
    },
    open(purpose, sealed) {
      assertThere()
      return openRecord(deviceKey, `vault-secret/${purpose}`, sealed)
    },
    setSlot: unlock =>
      inTurn(async () => {
        assertThere()
        const made = { kind: unlock.kind, wrapped: await unlock.wrap(deviceKey, place) }
        const gone = contents.slots.find(({ kind }) => kind === unlock.kind)
        try {
          await write([...contents.slots.filter(slot => slot !== gone), made])
        } catch (error) {
          await forget(made, place)
          throw error
        }
        if (gone !== undefined) await forget(gone, place)
      }),
    removeSlot: kind =>
      inTurn(async () => {
        const gone = contents.slots.find(slot => slot.kind === kind)
        if (gone === undefined) throw new SegueError('KEYS_NO_SUCH_SLOT')
        if (contents.slots.length === 1) throw new SegueError('KEYS_LAST_SLOT')
        await write(contents.slots.filter(slot => slot !== gone))
        await forget(gone, place)
      }),
    async isPassphrase(text) {
      assertThere()
      for (const { kind, wrapped } of contents.slots) {
        const unlock = kind === 'passphrase' ? passphrase(text) : kind === 'keychain+passphrase' ? keychainAndPassphrase(text) : undefined
        const key = await unlock?.unwrap(wrapped, place)
        if (key !== undefined && equalBytes(key, deviceKey)) return true
      }
      return false
    },
    forget() {
      isForgotten = true
      deviceKey.fill(0)
    },
  }
}

/** What a slot left outside the vault opens nothing any more, so leaving it there does no harm. */
async function forget({ kind, wrapped }: VaultSlot, place: VaultPlace): Promise<void> {
  if (kind === 'keychain' || kind === 'keychain+passphrase')
    await keychain()
      .forget?.(wrapped, place)
      .catch(() => undefined)
}
