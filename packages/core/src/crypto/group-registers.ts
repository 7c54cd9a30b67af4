/** Registers about the group as a whole (documentId all zeros), each signed by its device and sealed like any chunk: sealing and reading them. */
import { GROUP_DOC_TAG, type ChunkId, type DeviceId } from '../lib/ids.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Verifier } from '../ports/verifier.ts'
import type { Keyring } from './keyring.ts'
import { decodeRegister, encodeRegister, registerContentKey, type Register } from './register.ts'
import { GROUP_DOCUMENT_ID, chunkIdOf, openChunk, sealChunk } from './seal.ts'
import type { SigningKeys } from './sign.ts'

export interface GroupRegisters {
  /** This device's register of that name, under the present epoch. Throws RangeError when it is too long. */
  seal(register: { readonly name: string; readonly sequence: number; readonly body: Uint8Array }): SealedChunk
  /** Undefined for everything that is no group-wide register this device can read. Never throws for anything in it. */
  read(chunk: SealedChunk): Register | undefined
  /** Where a device's register of that name lies. */
  idOf(name: string, device: DeviceId): ChunkId
}

export interface GroupRegistersComponents {
  readonly identity: { readonly id: DeviceId; readonly signing: SigningKeys }
  readonly keyring: Keyring
  readonly random: Random
  readonly hasher?: Hasher | undefined
  readonly verifier?: Verifier | undefined
}

export function createGroupRegisters({ identity, keyring, random, hasher, verifier }: GroupRegistersComponents): GroupRegisters {
  return {
    seal({ name, sequence, body }) {
      const { epoch, secret } = keyring.current()
      const register = { documentId: GROUP_DOCUMENT_ID, name, device: identity.id, sequence, body }
      return sealChunk({
        keys: keyring,
        epoch,
        epochSecret: secret,
        class: 'register',
        documentId: GROUP_DOCUMENT_ID,
        contentKey: registerContentKey(name, identity.id),
        sequence,
        content: encodeRegister(register, identity.signing),
        random,
        ...(hasher === undefined ? {} : { hasher }),
      })
    },
    read(chunk) {
      const secret = chunk.class === 'register' && chunk.docTag === GROUP_DOC_TAG ? keyring.secretOf(chunk.epoch) : undefined
      const opened = secret && openChunk(chunk, secret)
      if (opened?.ok !== true) return undefined
      const { content, documentId } = opened.value
      const register = decodeRegister(content, { sequence: chunk.sequence, documentId }, verifier)
      return register.ok ? register.value : undefined
    },
    idOf: (name, device) => chunkIdOf(keyring.idKey, 'register', GROUP_DOCUMENT_ID, registerContentKey(name, device), hasher),
  }
}
