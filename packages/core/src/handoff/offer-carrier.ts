/**
 * Queued offers as sealed registers: whoever meets the target first hands them over, source, third device or relay alike. The register
 * is group-wide, named by the handoff; a greater revision replaces a lesser, an empty body withdraws.
 */
import { createGroupRegisters, type GroupRegistersComponents } from '../crypto/index.ts'
import { GROUP_DOC_TAG, type DeviceId } from '../lib/ids.ts'
import { MAX_REGISTER_BYTES } from '../wire/limits.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
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

export interface RegisterCarrierComponents extends GroupRegistersComponents {
  readonly replica: Pick<Replica, 'add'>
  readonly chunkStore: ChunkStore
}

export function createRegisterCarrier({ replica, chunkStore, ...components }: RegisterCarrierComponents): RegisterCarrier {
  const registers = createGroupRegisters(components)

  const readOne = (chunk: SealedChunk): readonly CarriedOffer[] => {
    const register = registers.read(chunk)
    if (register?.name.startsWith(NAME_PREFIX) !== true) return []
    const { device, body } = register
    return device === components.identity.id || body.length === 0 ? [] : [{ from: device, offer: body }]
  }
  const read = (chunks: readonly SealedChunk[]): readonly CarriedOffer[] => chunks.flatMap(readOne)

  return {
    async publish(handoff, _target, revision, offer = WITHDRAWN) {
      if (offer.length > MAX_OFFER_BYTES) return // waits at its source only; a session of thousands of documents
      await replica.add([registers.seal({ name: `${NAME_PREFIX}${handoff}`, sequence: revision, body: offer })])
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
