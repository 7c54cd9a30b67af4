/**
 * How a relay treats what it says: honest, or it offers what it never gives, takes everything and shows nothing of others, reorders and delays, or says things twice.
 * Each of these is within the protocol: a device may neither believe too much of it nor wait for it with what others could give.
 */
import { hexId, parseChunk, type ChunkId } from '@segue/core'
import type { Clock, DeviceLink } from '@segue/core/ports'
import {
  decodeSyncMessage,
  encodeSyncMessage,
  packOffers,
  unpackIds,
  unpackOffers,
  type SeededRandom,
  type SyncMessage,
} from '@segue/core/testing'

export type Manner = 'honest' | 'withholding' | 'mute' | 'shuffling' | 'repeating'

export interface Manners {
  manner: Manner
  /** Something that devices should have heard. */
  hasWithheld(): boolean
  /** The relay's end of a link, as this relay behaves on it. `isCopy`: what is said on it is no promise of the relay's real disk. */
  on(link: DeviceLink, options: { readonly isCopy: boolean }): ManneredEnd
}

export interface ManneredEnd {
  readonly link: DeviceLink
  /** What the device says on it. */
  onHeard(frame: Uint8Array): void
}

export interface MannersParts {
  readonly clock: Clock
  readonly random: SeededRandom
  /** The relay's own code says that this is on its disk. */
  readonly onHolds: (chunk: ChunkId, sequence: number) => void
  /** A device says that what the relay holds under this name is not that. */
  readonly onRejected: (chunk: ChunkId) => void
}

const CHUNK_ID_BYTES = 32
const LONGEST_DELAY_MS = 800

export function createManners({ clock, random, onHolds, onRejected }: MannersParts): Manners {
  const hear = (message: SyncMessage): void => {
    if (message.type === 'stored') for (const id of unpackIds<ChunkId>(message.ids, CHUNK_ID_BYTES)) onHolds(id, 0)
    if (message.type === 'have') for (const { id, sequence } of unpackOffers(message.items) ?? []) onHolds(id, sequence)
  }
  const shuffled = (message: SyncMessage): SyncMessage => {
    if (message.type === 'chunks') return { ...message, chunks: mixed(message.chunks) }
    if (message.type === 'have') return { ...message, items: packOffers(mixed(unpackOffers(message.items) ?? [])) }
    return message
  }
  const mixed = <Item>(items: readonly Item[]): Item[] => {
    const rest = [...items]
    const order: Item[] = []
    while (rest.length > 0) order.push(...rest.splice(random.below(rest.length), 1))
    return order
  }
  let hasWithheld = false
  const manners: Manners = {
    manner: 'honest',
    hasWithheld: () => hasWithheld,
    on(link, { isCopy }) {
      const withheld = new Set<string>()
      /** Brought by this very device: that it is stored may be said, or the device would not count on it. */
      const brought = new Set<ChunkId>()
      const onHeard = (frame: Uint8Array): void => {
        const heard = decodeSyncMessage(frame)
        if (!heard.ok) return
        if (heard.value.type === 'have') for (const { id } of unpackOffers(heard.value.items) ?? []) brought.add(id)
        if (heard.value.type === 'reject' && !isCopy) onRejected(hexId<ChunkId>(heard.value.id))
        if (heard.value.type === 'part') brought.add(hexId<ChunkId>(heard.value.id))
        for (const bytes of heard.value.type === 'chunks' ? heard.value.chunks : []) {
          const chunk = parseChunk(bytes)
          if (chunk.ok) brought.add(chunk.value.id)
        }
      }
      const mannered: DeviceLink = {
        ...link,
        async send(channel, frame) {
          const decoded = decodeSyncMessage(frame)
          if (!decoded.ok) return link.send(channel, frame)
          const message = decoded.value
          if (!isCopy) hear(message)
          // Parts belong together: whoever withholds one withholds them all.
          if (message.type === 'part') {
            const id = hexId<ChunkId>(message.id)
            if (message.index === 0 && manners.manner === 'withholding') withheld.add(id)
            hasWithheld ||= withheld.has(id)
            if (message.index === 0 && manners.manner !== 'withholding') withheld.delete(id)
            return withheld.has(id) ? undefined : link.send(channel, frame)
          }
          const says = message.type === 'chunks' || message.type === 'have' || message.type === 'stored'
          if (!says || manners.manner === 'honest') return link.send(channel, frame)
          hasWithheld ||= manners.manner === 'withholding' || manners.manner === 'mute'
          switch (manners.manner) {
            case 'withholding':
              return message.type === 'chunks' ? undefined : link.send(channel, frame)
            case 'mute': {
              if (message.type === 'chunks') return undefined
              if (message.type !== 'have') return link.send(channel, frame)
              const told = (unpackOffers(message.items) ?? []).filter(({ id }) => brought.has(id))
              return link.send(channel, encodeSyncMessage({ ...message, items: packOffers(told) }))
            }
            case 'repeating':
              await link.send(channel, frame)
              return link.send(channel, frame)
            case 'shuffling':
              clock.after(random.below(LONGEST_DELAY_MS), () => {
                void link.send(channel, encodeSyncMessage(shuffled(message))).catch(() => undefined) // the link died meanwhile
              })
              return undefined
          }
        },
      }
      return { link: mannered, onHeard }
    },
  }
  return manners
}
