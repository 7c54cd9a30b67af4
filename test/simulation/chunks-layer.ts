/** Devices make commits, fragments, registers and log entries; in the end all hold the same, and nothing acknowledged is missing. */
import type { CastMember, SeededRandom } from '@segue/core/testing'
import type { SealedChunk } from '@segue/core/ports'
import type { Layer, World } from './world.ts'

export function createChunksLayer(random: SeededRandom): Layer {
  /** Acknowledged as durable somewhere: must be everywhere in the end, itself or in a fragment. */
  const acknowledged = new Map<string, SealedChunk>()
  const contained = new Set<string>()
  let count = 0

  const make = async (world: World, device: CastMember): Promise<SealedChunk> => {
    const { chunks } = world.cast
    const document = `document ${random.below(6)}`
    switch (random.below(8)) {
      case 0:
        return chunks.register(document, `claim of ${device.id}`, ++count, `${count}`)
      case 1:
        return chunks.log(`entry ${++count}`)
      case 2: {
        const held = (await device.store.listDocument(chunks.docTag(document))).filter(record => record.class === 'commit')
        if (held.length < 2) break
        const covers = held.filter(() => random.chance(0.7)).map(record => record.id)
        if (covers.length === 0) break
        for (const id of covers) contained.add(id)
        return chunks.fragment(document, { level: random.below(3), covers })
      }
      default:
    }
    return chunks.commit(document, `edit ${++count}`, { bytes: random.chance(0.05) ? 700_000 : 10 })
  }
  return {
    async act(world) {
      const device = random.pick(world.devices)
      const chunk = await make(world, device)
      // A crash loses what was not acknowledged; that is no failure.
      device.replica.add([chunk]).then(
        () => acknowledged.set(chunk.id, chunk),
        () => undefined,
      )
    },
    async check({ devices }) {
      const [first, ...others] = devices
      if (first === undefined) return
      for (const device of others) {
        const isEqual =
          device.replica.fingerprint() === first.replica.fingerprint() &&
          device.replica.log().fingerprint === first.replica.log().fingerprint
        if (!isEqual) throw new Error(`[I1] ${device.id} and ${first.id} differ`)
      }
      for (const device of devices) {
        for (const chunk of acknowledged.values()) {
          const held = await device.store.head(chunk.id)
          const isThere = held === undefined ? chunk.class === 'fragment' || contained.has(chunk.id) : held.sequence >= chunk.sequence
          if (!isThere) throw new Error(`[I3] ${device.id} lacks ${chunk.class} ${chunk.id}`)
        }
        for (const [peer, sync] of device.replica.peers.peek()) {
          if (sync.state !== 'in-sync') throw new Error(`[I1] ${device.id} is ${sync.state} with ${peer}`)
        }
      }
    },
  }
}
