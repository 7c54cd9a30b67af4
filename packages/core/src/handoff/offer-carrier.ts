/**
 * Queued offers as sealed registers: whoever meets the target first hands them over, source, third device or relay alike. The register
 * is group-wide, named by the handoff; a greater revision replaces a lesser, an empty body withdraws.
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
import { GROUP_DOC_TAG, type DeviceId } from '../lib/ids.ts'
import { MAX_REGISTER_BYTES } from '../wire/limits.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Replica } from '../replication/index.ts'
import type { OfferCarrier } from './collaborators.ts'

export interface CarriedOffer {
  /** Who signed it. */
  readonly from: DeviceId
  /** Not empty: withdrawn ones are left out. */
  readonly offer: Uint8Array
}

export interface RegisterCarrier extends OfferCarrier {
  /** The standing offers of other devices among these chunks. Never throws for anything in them. */
  read(chunks: readonly SealedChunk[]): readonly CarriedOffer[]
  /** Those that arrived in an earlier run and may not have been heard. */
  stored(): Promise<readonly CarriedOffer[]>
}

export interface RegisterCarrierComponents {
  readonly identity: Pick<DeviceIdentity, 'id' | 'signing'>
  readonly keyring: Keyring
  readonly replica: Pick<Replica, 'add'>
  readonly chunkStore: ChunkStore
  readonly random: Random
  readonly hasher?: Hasher
}

export function createRegisterCarrier({
  identity,
  keyring,
  replica,
  chunkStore,
  random,
  hasher,
}: RegisterCarrierComponents): RegisterCarrier {
  const withHasher = hasher === undefined ? {} : { hasher }

  const readOne = (chunk: SealedChunk): readonly CarriedOffer[] => {
    const secret = chunk.class === 'register' && chunk.docTag === GROUP_DOC_TAG ? keyring.secretOf(chunk.epoch) : undefined
    const opened = secret && openChunk(chunk, secret)
    if (opened?.ok !== true) return []
    const register = decodeRegister(opened.value.content, { sequence: chunk.sequence, documentId: opened.value.documentId })
    if (!register.ok || !register.value.name.startsWith(NAME_PREFIX)) return []
    const { device, body } = register.value
    return device === identity.id || body.length === 0 ? [] : [{ from: device, offer: body }]
  }
  const read = (chunks: readonly SealedChunk[]): readonly CarriedOffer[] => chunks.flatMap(readOne)

  return {
    async publish(handoff, _target, revision, offer = WITHDRAWN) {
      if (offer.length > MAX_OFFER_BYTES) return // waits at its source only; a session of thousands of documents
      const name = `${NAME_PREFIX}${handoff}`
      const register = { documentId: GROUP_DOCUMENT_ID, name, device: identity.id, sequence: revision, body: offer }
      const { epoch, secret } = keyring.current()
      const chunk = sealChunk({
        keys: keyring,
        epoch,
        epochSecret: secret,
        class: 'register',
        documentId: GROUP_DOCUMENT_ID,
        contentKey: registerContentKey(name, identity.id),
        sequence: revision,
        content: encodeRegister(register, identity.signing),
        random,
        ...withHasher,
      })
      await replica.add([chunk])
    },
    read,
    async stored() {
      const registers = (await chunkStore.listDocument(GROUP_DOC_TAG)).filter(chunk => chunk.class === 'register')
      return read(await chunkStore.getMany(registers.map(chunk => chunk.id)))
    },
  }
}

const NAME_PREFIX = 'offer/'
/** Leaves room for the register's own fields. */
const MAX_OFFER_BYTES: number = MAX_REGISTER_BYTES - 1_024
const WITHDRAWN = new Uint8Array(0)
