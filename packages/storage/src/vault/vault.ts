/** The device key and its slots. Any one slot opens the vault; a failed try changes nothing. */
import { SegueError, openRecord, sealRecord, toHex } from '@segue/core'
import type { KeyVault, Random, SlotKind } from '@segue/core/ports'
import type { Unlock } from './unlock.ts'
import { readVault, writeVault, type VaultContents } from './vault-file.ts'

export interface Vault extends KeyVault {
  /** Adds a way to open it, or replaces the one of the same kind (a new passphrase). */
  setSlot(unlock: Unlock): Promise<void>
  /** Throws RangeError for the last one: then nothing would open it any more. */
  removeSlot(kind: SlotKind): Promise<void>
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
  const change = async (slots: VaultContents['slots']): Promise<void> => {
    const changed = { ...contents, slots }
    await writeVault(directory, changed)
    contents = changed
  }
  return {
    get slots() {
      return contents.slots.map(({ kind }) => kind)
    },
    deviceKey,
    seal: (purpose, secret) => sealRecord(deviceKey, `vault-secret/${purpose}`, secret, random),
    open: (purpose, sealed) => openRecord(deviceKey, `vault-secret/${purpose}`, sealed),
    async setSlot(unlock) {
      const wrapped = await unlock.wrap(deviceKey, { vaultId: contents.vaultId, random })
      await change([...contents.slots.filter(({ kind }) => kind !== unlock.kind), { kind: unlock.kind, wrapped }])
    },
    async removeSlot(kind) {
      const rest = contents.slots.filter(slot => slot.kind !== kind)
      if (rest.length === 0) throw new RangeError('the last way to open a vault cannot be removed')
      await change(rest)
    },
  }
}
