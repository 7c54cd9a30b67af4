/**
 * The signed word of a removed device, carried to everybody who stays: it tells one of them, and that one puts it into a group-wide
 * register of its own. What the register says is the removed device's word, whoever carries it.
 *
 *     name = "erasure/<last 24 characters of the removed device's id>", sequence 1 (2 once it says that it erased), body = the signed frame
 */
import {
  GROUP_DOCUMENT_ID,
  decodeRegister,
  encodeRegister,
  openChunk,
  registerContentKey,
  sealChunk,
  type Keyring,
} from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { plainBytes } from '../lib/bytes.ts'
import { GROUP_DOC_TAG } from '../lib/ids.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Verifier } from '../ports/verifier.ts'
import { readErasure, type Erasure } from './erasure.ts'

export interface CarriedErasure {
  readonly erasure: Erasure
  /** What the removed device signed. */
  readonly frame: Uint8Array
}

export interface ErasureCarrier {
  seal(carried: CarriedErasure): SealedChunk
  /** Undefined for everything else. Never throws for anything in it. */
  read(chunk: SealedChunk): CarriedErasure | undefined
}

export interface ErasureCarrierComponents {
  readonly identity: Pick<DeviceIdentity, 'id' | 'signing'>
  readonly keyring: Keyring
  readonly random: Random
  readonly hasher?: Hasher | undefined
  readonly verifier?: Verifier | undefined
}

export function createErasureCarrier({ identity, keyring, random, hasher, verifier }: ErasureCarrierComponents): ErasureCarrier {
  return {
    seal({ erasure, frame }) {
      const name = `${NAME_PREFIX}${erasure.device.slice(-ID_CHARACTERS)}`
      const sequence = erasure.erased ? 2 : 1
      const { epoch, secret } = keyring.current()
      const register = { documentId: GROUP_DOCUMENT_ID, name, device: identity.id, sequence, body: frame }
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
      if (!register.ok || !register.value.name.startsWith(NAME_PREFIX)) return undefined
      const erasure = readErasure(register.value.body, verifier)
      return erasure && { erasure, frame: plainBytes(register.value.body) }
    },
  }
}

const NAME_PREFIX = 'erasure/'
const ID_CHARACTERS = 24
