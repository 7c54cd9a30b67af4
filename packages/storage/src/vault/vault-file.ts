/** The vault on disk: one small file beside the store, so that it can be read before anything else is touched. */
import { join } from 'node:path'
import * as v from 'valibot'
import { SegueError, bytesUpTo, decodeCbor, encodeCbor } from '@segue/core/base'
import type { SlotKind } from '@segue/core/ports'
import { checked, withChecksum } from '../checksum.ts'
import { readIfThere, writeWhole } from '../files.ts'
import { assertPrivateIfThere } from '../place.ts'

export interface VaultContents {
  readonly version: 1
  readonly vaultId: string
  readonly slots: readonly VaultSlot[]
}

export interface VaultSlot {
  readonly kind: SlotKind
  readonly wrapped: Uint8Array
}

/** How the keys of the store there are kept, without opening it. Undefined when there is none yet. Throws as `readVault`. */
export async function readSlots(directory: string): Promise<readonly SlotKind[] | undefined> {
  return (await readVault(directory))?.slots.map(({ kind }) => kind)
}

/** Undefined when there is none yet. Throws STORE_NOT_PRIVATE when others have rights to it, STORE_DAMAGED when it is none of ours. */
export async function readVault(directory: string): Promise<VaultContents | undefined> {
  await assertPrivateIfThere(pathIn(directory))
  const bytes = await readIfThere(pathIn(directory))
  if (bytes === undefined) return undefined
  const contents = decodeVault(bytes)
  if (contents === undefined) throw new SegueError('STORE_DAMAGED')
  return contents
}

export async function writeVault(directory: string, contents: VaultContents): Promise<void> {
  try {
    await writeWhole(pathIn(directory), withChecksum(encodeCbor(contents)))
  } catch (error) {
    throw new SegueError('STORE_FAILED', {}, { cause: error })
  }
}

export function decodeVault(bytes: Uint8Array): VaultContents | undefined {
  const value = checked(bytes)
  const contents = value && decodeCbor(vaultSchema, value, MAX_VAULT_BYTES)
  return contents?.ok === true ? contents.value : undefined
}

const MAX_VAULT_BYTES = 64 * 1_024
const MAX_WRAPPED_BYTES = 16 * 1_024

const vaultSchema = v.strictObject({
  version: v.literal(1),
  vaultId: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  slots: v.pipe(
    v.array(
      v.strictObject({
        kind: v.picklist(['keychain', 'passphrase', 'keychain+passphrase', 'key-file', 'custom']),
        wrapped: bytesUpTo(MAX_WRAPPED_BYTES),
      }),
    ),
    v.minLength(1),
    v.maxLength(8),
  ),
})

function pathIn(directory: string): string {
  return join(directory, 'vault')
}
