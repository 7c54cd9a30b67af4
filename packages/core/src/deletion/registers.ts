/** Group-wide registers of this folder: sealing them, and reading those of every device. */
import {
  GROUP_DOCUMENT_ID,
  chunkIdOf,
  decodeRegister,
  encodeRegister,
  openChunk,
  registerContentKey,
  sealChunk,
  type Keyring,
} from '../crypto/index.ts'
import type { Register } from '../crypto/register.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { GROUP_DOC_TAG, type ChunkId } from '../lib/ids.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Verifier } from '../ports/verifier.ts'

export interface Registers {
  seal(register: { readonly name: string; readonly sequence: number; readonly body: Uint8Array }): SealedChunk
  /** Undefined for everything that is no group-wide register this device can read. Never throws for anything in it. */
  read(chunk: SealedChunk): Register | undefined
  /** Where this device's own register of that name lies. */
  ownId(name: string): ChunkId
}

export interface RegistersParts {
  readonly identity: Pick<DeviceIdentity, 'id' | 'signing'>
  readonly keyring: Keyring
  readonly random: Random
  readonly hasher?: Hasher | undefined
  readonly verifier?: Verifier | undefined
}

export function createRegisters({ identity, keyring, random, hasher, verifier }: RegistersParts): Registers {
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
    ownId: name => chunkIdOf(keyring.idKey, 'register', GROUP_DOCUMENT_ID, registerContentKey(name, identity.id), hasher),
  }
}
