/**
 * Signs what this device keeps. A keep is owed for every document that held content which the removed device could have written; the
 * documents in use come first, the rest one after another with pauses, those written to last before the others. Nothing is written for a
 * document of which another device that belongs keeps just the same, unless this device is the remover: its keep also says what had
 * come before the removal.
 *
 * A copy of this machine signs under the same name, and its word takes the place of this one's. So what lies there and was not written
 * here is compared, once, with what was held here, and is added to if that is more (D47).
 */
import { encodeRegister, registerContentKey } from '../../crypto/index.ts'
import { toHex } from '../../lib/bytes.ts'
import type { DocTag, EntryId } from '../../lib/ids.ts'
import type { ChunkRecord } from '../../ports/chunk-store.ts'
import { isSameHeads } from '../chunker.ts'
import type { DocumentsContext } from '../context.ts'
import { isContent, type DocumentName } from '../stored-document.ts'
import { readEvidence } from './evidence.ts'
import type { Horizon, Horizons } from './horizons.ts'
import { KEEP_NAME, NO_KEEP, encodeKeep, type Keep } from './keep.ts'

export interface KeepWriter {
  /** Writes what is owed for one document; resolves when it is durable, with whether anything was. */
  keep(name: DocumentName): Promise<boolean>
  /** The same, where there is a keep under this device's name that this run has neither written nor compared. */
  compare(name: DocumentName): Promise<boolean>
  /** Adds to what this device says of a document; resolves when it is durable. */
  write(name: DocumentName, change: (before: Keep) => Keep | undefined): Promise<void>
  /** Of those given: for which of the removals a keep is owed. */
  owed(records: readonly ChunkRecord[]): readonly Horizon[]
}

export interface KeepWriterParts {
  readonly horizons: Horizons
  /** Sorted hex heads of what is taken of a document, of queued changes too. */
  readonly headsOf: (name: DocumentName) => Promise<readonly string[]>
  /** Whether these heads, with all they depend on, lack anything of a document that was held. */
  readonly lackHeld: (name: DocumentName, heads: readonly string[], isHeld: (record: ChunkRecord) => boolean) => Promise<boolean>
}

export function createKeepWriter(context: DocumentsContext, { horizons, headsOf, lackHeld }: KeepWriterParts): KeepWriter {
  const { identity, sealer, chunkStore, replica, clock } = context
  const contentKey = registerContentKey(KEEP_NAME, identity.id)
  const running = new Map<DocTag, Promise<unknown>>()
  const sequences = new Map<DocTag, number>()
  /** What lies under this device's name and says all that was held here. */
  const compared = new Map<DocTag, string>()
  const isCompared = ({ tag }: DocumentName, own: Keep | undefined): boolean => own === undefined || compared.get(tag) === textOf(own)

  const inTurn = <Made>(tag: DocTag, task: () => Promise<Made>): Promise<Made> => {
    const turn = (running.get(tag) ?? Promise.resolve()).then(task, task)
    running.set(tag, turn)
    const leave = (): void => void (running.get(tag) === turn && running.delete(tag))
    turn.then(leave, leave)
    return turn
  }
  const writeNow = async (name: DocumentName, change: (before: Keep) => Keep | undefined): Promise<void> => {
    const chunkId = sealer.chunkIdOf('register', name.bytes, contentKey)
    const records = (await chunkStore.listDocument(name.tag)).filter(({ id }) => id === chunkId)
    const { keeps } = await readEvidence(context, name, records)
    const [own] = keeps
    const changed = change(own?.keep ?? NO_KEEP)
    if (changed === undefined) return
    // Above the greatest seen, unless what is there does not open: whoever put it there chose its sequence.
    const stored = own === undefined ? 0 : (records[0]?.sequence ?? 0)
    const sequence = Math.max(stored, sequences.get(name.tag) ?? 0) + 1
    sequences.set(name.tag, sequence)
    const keep: Keep = { ...changed, time: Math.max(0, Math.trunc(clock.now())) }
    const register = { documentId: name.bytes, name: KEEP_NAME, device: identity.id, sequence, body: encodeKeep(keep) }
    const content = encodeRegister(register, identity.signing)
    if (isCompared(name, own?.keep)) compared.set(name.tag, textOf(keep))
    await replica.add([sealer.seal({ class: 'register', documentId: name.bytes, contentKey, content, sequence })])
  }
  const owed = (records: readonly ChunkRecord[]): readonly Horizon[] =>
    horizons.all().filter(horizon => records.some(record => isContent(record) && horizons.isHeld(horizon, record)))

  const keepNow = async (name: DocumentName, isOnlyToCompare = false): Promise<boolean> => {
    await horizons.settled()
    const records = await chunkStore.listDocument(name.tag)
    const held = owed(records)
    if (held.length === 0) return false
    const { keeps } = await readEvidence(context, name, records)
    const own = keeps.find(({ device }) => device === identity.id)?.keep
    if (isOnlyToCompare && isCompared(name, own)) return false
    const missing = held.filter(({ removal }) => own?.kept.has(removal.entry) !== true)
    const lacking: Horizon[] = []
    for (const horizon of isCompared(name, own) ? [] : held) {
      const heads = own?.kept.get(horizon.removal.entry)
      if (heads !== undefined && (await lackHeld(name, heads, record => horizons.isHeld(horizon, record)))) lacking.push(horizon)
    }
    if (own !== undefined && lacking.length === 0) compared.set(name.tag, textOf(own))
    if (missing.length + lacking.length === 0) return false
    const heads = await headsOf(name)
    if (heads.length === 0) return false
    const isKept = ({ entry, by }: Horizon['removal']): boolean =>
      by !== identity.id &&
      keeps.some(
        ({ device, keep }) => horizons.trustedUntil(device) === Number.POSITIVE_INFINITY && isSameHeads(keep.kept.get(entry) ?? [], heads),
      )
    const entries: readonly (readonly [EntryId, readonly string[]])[] = [...missing, ...lacking].flatMap(({ removal }) =>
      isKept(removal) ? [] : [[removal.entry, [...new Set([...(own?.kept.get(removal.entry) ?? []), ...heads])].toSorted()]],
    )
    if (entries.length === 0) return false
    if (own !== undefined) compared.set(name.tag, textOf(own))
    await writeNow(name, before => ({ ...before, kept: new Map([...before.kept, ...entries]) }))
    return true
  }

  return {
    owed,
    write: (name, change) => inTurn(name.tag, () => writeNow(name, change)),
    keep: name => inTurn(name.tag, () => keepNow(name)),
    compare: name => inTurn(name.tag, () => keepNow(name, true)),
  }
}

function textOf(keep: Keep): string {
  return toHex(encodeKeep(keep))
}
