/**
 * What every member of a mailbox has: for accounts whose retention is `until-acknowledged`. A member has everything up to an arrival
 * number when it confirmed all that was durable here then, checked and on its own disk. When it comes back as another incarnation (its
 * store may be a backup) it has nothing until it says so again. What all present members had for long enough is emptied: the head stays,
 * and so do the summary and every comparison; nobody is offered it again, nor brings it again.
 *
 *     acknowledged    CBOR {v: 1, peers: [[key 32, incarnation 16, arrival]...], past: [[milliseconds, arrival]...], emptied}
 *
 * The replica owns the store; what is written here adds no arrival and touches no record of its own.
 */
import { bytesOf, decodeCbor, deviceIdOf, encodeCbor, hexId, idBytes, publicKeyOf, wholeNumber, SECOND_MS } from '@segue/core/sealed'
import type { ChunkId, DeviceId, Incarnation, Replica } from '@segue/core/sealed'
import type { ChunkStore, Clock, Logger } from '@segue/core/ports'
import * as v from 'valibot'

export interface Acknowledged {
  /** Empties what all members had `heldMs` ago. Gives the number of chunks. */
  letGo(heldMs: number): Promise<number>
  /** Up to which arrival the member has everything, in its present incarnation. */
  upTo(member: DeviceId): number
  close(): Promise<void>
}

export interface AcknowledgedParts {
  readonly store: ChunkStore
  readonly replica: Pick<Replica, 'peers' | 'confirmations' | 'holdsAll' | 'settled'>
  /** On the list in force. */
  readonly members: () => readonly DeviceId[]
  readonly clock: Clock
  readonly logger: Logger
}

export async function openAcknowledged({ store, replica, members, clock, logger }: AcknowledgedParts): Promise<Acknowledged> {
  const stored = await store.getRecord(KEY)
  const read = stored === undefined ? undefined : decodeCbor(SHAPE, stored, MAX_RECORD_BYTES)
  const known = read?.ok === true ? read.value : undefined
  const peers = new Map<DeviceId, Watermark>(
    known?.peers.map(([key, incarnation, arrival]) => [deviceIdOf(key), { incarnation: hexId<Incarnation>(incarnation), arrival }]),
  )
  let past = known?.past ?? []
  let emptied = known?.emptied ?? 0
  let isDirty = false
  let cancel: (() => void) | undefined
  let running: Promise<void> = Promise.resolve()

  const now = (): number => Math.max(0, Math.trunc(clock.now()))
  const save = async (empty: readonly ChunkId[] = []): Promise<void> => {
    isDirty = false
    const value = encodeCbor({
      v: 1,
      peers: [...peers].map(([id, { incarnation, arrival }]) => [publicKeyOf(id), idBytes(incarnation), arrival]),
      past,
      emptied,
    })
    await store.apply({ empty, records: new Map([[KEY, value]]) })
  }
  /** At once, and before anything else of the new incarnation counts. */
  const onPeers = (): void => {
    for (const [id, { incarnation }] of replica.peers.peek()) {
      if (incarnation === undefined || peers.get(id)?.incarnation === incarnation) continue
      peers.set(id, { incarnation, arrival: 0 })
      isDirty = true
    }
    cancel ??= clock.after(LOOK_AFTER_MS, () => {
      cancel = undefined
      running = running.then(look).catch((error: unknown) => logger.warn('acknowledgements-not-kept', { error: String(error) }))
    })
  }
  const look = async (): Promise<void> => {
    const arrival = store.lastArrival()
    await replica.settled() // until then something up to this number may not be counted as missing
    for (const [id, mark] of peers) {
      if (mark.arrival >= arrival || !replica.holdsAll(id) || replica.peers.peek().get(id)?.incarnation !== mark.incarnation) continue
      peers.set(id, { ...mark, arrival })
      isDirty = true
    }
    if (isDirty) await save()
  }
  const upTo = (member: DeviceId): number => peers.get(member)?.arrival ?? 0
  const commonNow = (): number => {
    const all = members()
    return all.length === 0 ? 0 : Math.min(...all.map(upTo))
  }

  const stops = [replica.peers.subscribe(onPeers), replica.confirmations.subscribe(onPeers)]
  onPeers()
  return {
    upTo,
    async letGo(heldMs) {
      await (running = running.then(look, look))
      const common = commonNow()
      if (common > (past.at(-1)?.[1] ?? 0)) past = [...past, [now(), common]]
      const held = past.findLast(([at]) => at <= now() - heldMs)?.[1] ?? 0
      // A member that came since, or came back with another store, counts from now on.
      const limit = Math.min(held, common)
      let batch: ChunkId[] = []
      let count = 0
      for await (const chunk of store.since(emptied)) {
        if (chunk.arrival > limit) break
        const isContent = chunk.class === 'commit' || chunk.class === 'fragment'
        // What was retired has its own time: whoever does not need it was never asked whether they have it.
        if (!isContent || !chunk.live || chunk.isEmptied === true) continue
        batch.push(chunk.id)
        count++
        if (batch.length < BATCH) continue
        await store.apply({ empty: batch })
        batch = []
      }
      emptied = Math.max(emptied, limit)
      past = past.filter(([, arrival], i) => arrival > limit || i === past.length - 1).slice(-MAX_PAST)
      await save(batch)
      return count
    },
    async close() {
      for (const stop of stops) stop()
      cancel?.()
      await running
      await look().catch((error: unknown) => logger.warn('acknowledgements-not-kept', { error: String(error) }))
    },
  }
}

interface Watermark {
  readonly incarnation: Incarnation
  readonly arrival: number
}

const KEY = 'acknowledged'
const LOOK_AFTER_MS: number = 5 * SECOND_MS
const BATCH = 500
const MAX_PAST = 2_000
const MAX_RECORD_BYTES = 256 * 1_024

const SHAPE = v.strictObject({
  v: v.literal(1),
  peers: v.array(v.strictTuple([bytesOf(32), bytesOf(16), wholeNumber])),
  past: v.array(v.strictTuple([wholeNumber, wholeNumber])),
  emptied: wholeNumber,
})
