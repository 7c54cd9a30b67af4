/** What came is checked before anything else: good chunks go to the journal, bad ones back to their sender by name. */
import { equalBytes, toHex } from '../lib/bytes.ts'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import { allOf, type Pending } from '../lib/pending.ts'
import { MIB } from '../lib/units.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Inspector, Verdict } from '../ports/inspector.ts'
import type { Logger } from '../ports/logger.ts'
import { REJECTED_AS_DROPPED } from '../wire/sync-messages.ts'
import type { Journal, JournalItem } from './journal-types.ts'
import type { LogRoom } from './log-room.ts'
import { CHECKED_AT_ONCE, FEW } from './pace.ts'
import { arrivingFrom, type Arriving } from './arriving.ts'
import type { Session } from './session-host.ts'
import type { Turns } from './turns.ts'
import type { Wants } from './wants.ts'

export interface IntakeParts {
  readonly inspector: Inspector
  readonly turns: Turns
  readonly hasher: Hasher
  readonly journal: Journal
  readonly wants: Wants<Session>
  readonly logRoom: LogRoom
  readonly arriving: Map<ChunkId, Arriving>
  /** Deleted documents. */
  readonly dropped: { has(docTag: DocTag): boolean }
  readonly logger: Logger | undefined
  /** Something of these takes a while to check. */
  readonly onChecking: (chunks: readonly SealedChunk[]) => void
  /** Readable chunks, right after the journal got them. */
  readonly onChecked: (chunks: readonly SealedChunk[]) => void
  /** Passes chunks on whole at once (relays). */
  readonly forward: (arriving: readonly Arriving[]) => void
  readonly track: (item: JournalItem, arriving: Arriving) => void
}

export function createIntake(parts: IntakeParts): (chunks: readonly SealedChunk[], from: Session) => Promise<void> {
  const { inspector, turns, hasher, journal, wants, logRoom, arriving } = parts

  const verdictOn = (chunk: SealedChunk): Pending<Verdict> => {
    if (parts.dropped.has(chunk.docTag)) return { kind: 'bad', reason: REJECTED_AS_DROPPED }
    return chunk.class === 'log' ? verdictOnLog(chunk) : inspector.inspect(chunk)
  }
  const verdictOnLog = async (chunk: SealedChunk): Promise<Verdict> => {
    const verdict = await inspector.inspect(chunk)
    if (verdict.kind === 'bad' || (await logRoom.take(chunk.id))) return verdict
    return { kind: 'bad', reason: 'the log is full' }
  }
  const settle = (entry: Arriving, verdict: Verdict, from: Session): JournalItem | undefined => {
    const { chunk } = entry
    if (verdict.kind === 'bad') {
      if (arriving.get(chunk.id) === entry) arriving.delete(chunk.id)
      const bytesHash = hasher.sha256(chunk.bytes)
      parts.logger?.warn('chunk-rejected', { chunk: chunk.id, peer: from.peer, reason: verdict.reason, hash: toHex(bytesHash) })
      from.sendReject(chunk.id, bytesHash, verdict.reason)
      wants.fail(chunk.id, from)
      for (const other of entry.knownBy) {
        if (other === from) continue
        const { class: kind, docTag, id, sequence } = chunk
        wants.announce(other, { class: kind, docTag, id, sequence, byteLength: chunk.bytes.length })
        wants.pump(other)
      }
      from.onSettled()
      return undefined
    }
    const contents = verdict.kind === 'unreadable' ? undefined : verdict // as it is: its ids are not asked for yet
    const item: JournalItem = { chunk, contents, origin: 'arrived', from: from.peer }
    parts.track(item, entry)
    return item
  }

  return async (chunks, from) => {
    const fresh: Arriving[] = []
    for (const chunk of chunks) {
      const present = arriving.get(chunk.id)
      if (present !== undefined && isSame(present, chunk)) {
        present.knownBy.add(from)
        present.confirmedBy.add(from.peer)
        present.givenBy.add(from)
        continue
      }
      const entry = arrivingFrom(chunk, from)
      arriving.set(chunk.id, entry)
      fresh.push(entry)
    }
    const verdicts: Pending<Verdict>[] = []
    while (verdicts.length < fresh.length) {
      if (fresh.length > FEW) await turns.next()
      const slice = fresh.slice(verdicts.length, verdicts.length + CHECKED_AT_ONCE)
      for (const { chunk } of slice) {
        const verdict = verdictOn(chunk)
        if (verdict instanceof Promise) verdict.catch(() => undefined) // it may fail before all are waited for, below
        verdicts.push(verdict)
        if (fresh.length > FEW && !turns.hasTime()) break
      }
    }
    const pending = allOf(verdicts)
    if (pending instanceof Promise) parts.onChecking(fresh.map(({ chunk }) => chunk))
    const found = pending instanceof Promise ? await pending : pending
    const checked = found.flatMap((verdict, i) => settle(fresh[i] as Arriving, verdict, from) ?? [])
    if (checked.length === 0) return
    parts.forward(checked.flatMap(item => arriving.get(item.chunk.id) ?? []))
    const written = journal.write(checked).finally(() => logRoom.settled(checked.map(({ chunk }) => chunk.id)))
    parts.onChecked(checked.flatMap(({ chunk, contents, origin }) => (contents === undefined || origin !== 'arrived' ? [] : [chunk])))
    if (journal.pendingBytes() > MAX_PENDING_BYTES) await written
    else written.catch(() => undefined) // CLOSED: this run ends, the peer keeps them
  }
}

/** Of other bytes it is not known yet whether they can be checked. */
function isSame({ chunk }: Arriving, other: SealedChunk): boolean {
  return other.class !== 'register' && equalBytes(chunk.bytes, other.bytes)
}

/** More than this on its way to disk: the peer waits. */
const MAX_PENDING_BYTES: number = 32 * MIB
