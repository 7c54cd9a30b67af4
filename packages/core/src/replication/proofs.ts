/**
 * What a peer without keys holds under a name it cannot check: anybody of its mailbox may have put other bytes there first. So of such a
 * peer names are not believed, neither in receipts nor in equal summaries, until it gave those bytes, or was given them and stored them, or
 * said their hash: that it is asked for when a comparison ended, of what is still to be shown. Other bytes than those here are fetched: if
 * they open, they are as good; if not, the peer hears it, and others are asked for better ones. Of two variants of a register that have one
 * sequence, as two machines under one key write them, summaries know no difference: whoever has the greater gives it.
 *
 * Up to which arrival here all of it was shown is kept for the next run, so nothing is asked twice.
 */
import { compareBytes, toHex } from '../lib/bytes.ts'
import { CHUNK_ID_BYTES, type ChunkId, type DeviceId } from '../lib/ids.ts'
import { MIB } from '../lib/units.ts'
import type { ChunkRecord, ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import { HASH_BYTES, MAX_PROVE_IDS, type SyncMessage } from '../wire/sync-messages.ts'
import type { ReplicaHistory } from './history.ts'
import type { Journal } from './journal-types.ts'
import type { PeerReceipts } from './receipts.ts'
import { packIds, unpackIds } from './sync-records.ts'

export interface Proofs {
  /**
   * The peer has no keys: from now on names count for nothing. It says itself up to where it had everything that is here; more than that
   * is not taken as shown, for it may have been put back since. Gives what is to be done before anything is compared.
   */
  begin(theirCursor: number): () => Promise<void>
  /** A comparison ended: asks for what is still to be shown. */
  ask(): Promise<void>
  /**
   * Changes leave no time for a comparison: asks for what was to be shown the last time, too, and still is; but for what the peer, asked since
   * the last comparison, did not show, and did not name since.
   */
  askMeanwhile(): Promise<void>
  /** The peer says that it has it: settles what names settle. */
  onNamed(id: ChunkId, sequence?: number): void
  /** The peer's hashes. Gives those whose bytes are other ones, to be fetched. */
  take(items: Uint8Array): Promise<readonly ChunkId[]>
}

export interface ProofsParts {
  readonly peer: DeviceId
  readonly store: ChunkStore
  readonly hasher: Hasher
  readonly receipts: PeerReceipts
  readonly history: Pick<ReplicaHistory, 'shownBy' | 'setShownBy'>
  readonly journal: Pick<Journal, 'flush'>
  readonly send: (message: Extract<SyncMessage, { type: 'prove' }>) => Promise<void>
  /** Sends what is here under these names, unasked. */
  readonly give: (ids: readonly ChunkId[]) => Promise<void>
  readonly onProven: () => void
  /** Of what is to be shown, looked through at one time; what remains comes when that was. */
  readonly maxLoaded?: number
}

export function createProofs(parts: ProofsParts): Proofs {
  const { peer, store, hasher, receipts, history, journal, send, give, onProven, maxLoaded = MAX_LOADED } = parts
  /** Other bytes that it showed, by their hash: looked at once. It may have better ones by the next comparison. */
  const seen = new Map<ChunkId, string>()
  /** Not answered yet, with the arrival they had then: a register that came since is asked about again. */
  const asked = new Map<ChunkId, number>()
  /** Asked for since the last comparison and not shown, nor named again by the peer. */
  const notShown = new Set<ChunkId>()
  /** What was to be shown when `askMeanwhile` was last called: what was given just then is not asked for. */
  let toShow: ReadonlySet<ChunkId> = new Set()
  /** Not answered yet, in order. */
  const questions: (readonly ChunkId[])[] = []
  let isOn = false
  let shown = 0
  /** Up to where what is here was looked through; less than all where that is very much. */
  let loadedTo = Infinity

  const load = async (from: number): Promise<void> => {
    loadedTo = Infinity
    let count = 0
    for await (const record of store.since(from)) {
      if (!record.live) continue
      receipts.owe(record)
      if (++count < maxLoaded) continue
      loadedTo = record.arrival
      return
    }
    receipts.endLoading()
  }
  const isShown = (): boolean => receipts.unproven().size === 0
  /** All that was looked through was shown, unless something of it is written just now. */
  const advance = async (): Promise<void> => {
    const arrival = Math.min(loadedTo, store.lastArrival())
    await journal.flush()
    if (!isShown()) return
    if (loadedTo === Infinity && receipts.isLoading()) return load(shown) // it was forgotten meanwhile
    shown = arrival
    history.setShownBy(peer, shown)
    receipts.expectProofs(shown)
    if (receipts.isLoading()) await load(shown)
  }
  const askFor = async (ids: readonly ChunkId[]): Promise<void> => {
    if (ids.length === 0) return
    questions.push(ids)
    await send({ type: 'prove', ids: packIds(ids) })
  }
  const askAll = async (isAsked: (id: ChunkId) => boolean): Promise<void> => {
    let ids: ChunkId[] = []
    let bytes = 0
    for (const id of [...receipts.unproven()].filter(isAsked)) {
      const head = await store.head(id)
      if (head?.live !== true) {
        receipts.forget(id)
        continue
      }
      if (asked.get(id) === head.arrival) continue
      asked.set(id, head.arrival)
      ids.push(id)
      bytes += head.byteLength
      if (ids.length < MAX_PROVE_IDS && bytes < MAX_PROVE_BYTES / 2) continue
      await askFor(ids)
      ids = []
      bytes = 0
    }
    await askFor(ids)
  }
  const onAnswered = (id: ChunkId, isShownNow: boolean): void => {
    const isAnswered = asked.delete(id) // else it was named since; and a comparison may make it owed once more
    if (isAnswered && !isShownNow) notShown.add(id)
  }
  return {
    begin(theirCursor) {
      isOn = true
      const isKnown = receipts.needsProofs() // from a link before, in the same run of the peer's
      shown = receipts.hasGoneBack() ? 0 : Math.min(history.shownBy(peer), theirCursor)
      if (!isKnown) receipts.expectProofs(shown)
      return async () => {
        if (isKnown) return
        await load(shown)
        onProven()
      }
    },
    async ask() {
      notShown.clear()
      if (isOn && isShown()) await advance()
      if (isOn && !isShown()) await askAll(() => true)
    },
    async askMeanwhile() {
      const due = toShow
      toShow = new Set(receipts.unproven())
      if (isOn) await askAll(id => due.has(id) && !notShown.has(id))
    },
    onNamed(id, sequence) {
      notShown.delete(id)
      asked.delete(id)
      receipts.settle(id, sequence)
    },
    async take(items) {
      const others: ChunkId[] = []
      const greater: ChunkId[] = []
      const missing = new Set(questions.shift())
      for (const [i, packed] of unpackIds<ChunkId>(items, PROOF_BYTES).entries()) {
        const id = packed.slice(0, 2 * CHUNK_ID_BYTES) as ChunkId
        const said = items.subarray(i * PROOF_BYTES + CHUNK_ID_BYTES, (i + 1) * PROOF_BYTES)
        missing.delete(id)
        const own = await store.get(id)
        const order = own === undefined ? 0 : compareBytes(hasher.sha256(own.bytes), said)
        const isShownNow = own === undefined || order === 0 || said.every(byte => byte === 0)
        onAnswered(id, isShownNow)
        if (own === undefined) receipts.forget(id)
        else if (isShownNow) receipts.prove(id, own.sequence)
        else if (seen.get(id) !== toHex(said)) (own.class === 'register' && order > 0 ? greater : others).push(id)
        if (!isShownNow) seen.set(id, toHex(said))
      }
      if (greater.length > 0) await give(greater)
      for (const id of missing) onAnswered(id, false) // not there yet: asked again after the next comparison, or once it is named
      if (isShown()) await this.ask()
      onProven()
      return others
    },
  }
}

/** What is held under these names, without keys: hashes, all zero for bytes that were let go because everybody had them. */
export async function answerProofs(
  store: Pick<ChunkStore, 'head' | 'get'>,
  hasher: Hasher,
  ids: readonly ChunkId[],
): Promise<Extract<SyncMessage, { type: 'holds' }>> {
  const found: Uint8Array[] = []
  let bytes = 0
  for (const id of ids) {
    const head: ChunkRecord | undefined = await store.head(id)
    if (head === undefined || bytes + head.byteLength > MAX_PROVE_BYTES) continue
    bytes += head.byteLength
    const held = head.isEmptied === true ? undefined : await store.get(id)
    if (held === undefined && head.isEmptied !== true) continue // damaged
    const item = new Uint8Array(PROOF_BYTES)
    item.set(packIds([id]))
    if (held !== undefined) item.set(hasher.sha256(held.bytes), CHUNK_ID_BYTES)
    found.push(item)
  }
  const items = new Uint8Array(found.length * PROOF_BYTES)
  for (const [i, item] of found.entries()) items.set(item, i * PROOF_BYTES)
  return { type: 'holds', items }
}

const PROOF_BYTES: number = CHUNK_ID_BYTES + HASH_BYTES
/** Less than what receipts keep. */
const MAX_LOADED = 40_000
/** What one question may make the peer read. */
const MAX_PROVE_BYTES: number = 64 * MIB
