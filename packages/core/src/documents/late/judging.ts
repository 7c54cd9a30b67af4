/** Looks at the suspect chunks of one document: what of them is taken, and what waits. */
import * as A from '@automerge/automerge'
import type { ChunkId, DocTag } from '../../lib/ids.ts'
import type { ChunkRecord } from '../../ports/chunk-store.ts'
import type { SealedChunk } from '../../ports/sealed-chunk.ts'
import { MAX_INFLATED_BYTES } from '../../wire/limits.ts'
import type { AnyDoc } from '../any-doc.ts'
import type { OpenedContent } from '../apply-contents.ts'
import { readCommit } from '../commit.ts'
import { commitContentKey } from '../content-keys.ts'
import type { DocumentsContext } from '../context.ts'
import { isContent, type DocumentName } from '../stored-document.ts'
import { readEvidence, rootsOf, type Evidence } from './evidence.ts'
import type { Horizons } from './horizons.ts'
import { takenOf, type Root, type Suspect } from './judge.ts'
import type { LateRecords } from './late-records.ts'

/** What is to be put into a document, and what is found when it is there. */
export interface Judgement {
  readonly contents: readonly OpenedContent[]
  /** Chunks all of whose changes are in the document then. */
  readonly whole: readonly ChunkId[]
  readonly evidence: Evidence
  readonly suspects: ReadonlyMap<string, Suspect>
  readonly taken: ReadonlySet<string>
  /** Taken only because of what devices said that were removed since. */
  readonly rests: boolean
  readonly waiting: ReadonlySet<ChunkId>
  readonly upTo: number
}

export interface Judging {
  /** Whether a stored chunk stays out of its document until `judge` lets it in. */
  isHeldBack(record: Pick<ChunkRecord, 'id' | 'epoch' | 'docTag' | 'arrival'>): boolean
  /** `isIn`: what the document has for sure. Undefined when no chunk is to be judged, unless it is asked for in any case. */
  judge(name: DocumentName, doc: AnyDoc, isIn: (record: ChunkRecord) => boolean, inAnyCase?: boolean): Promise<Judgement | undefined>
  /** Sorted heads of what is taken; of what waits for its dependencies or is not applied yet, the hashes too: it was held as well. */
  headsOf(name: DocumentName): Promise<readonly string[]>
  /** Whether these heads, with all they depend on, lack anything of a document that was held. */
  lackHeld(name: DocumentName, heads: readonly string[], isHeld: (record: ChunkRecord) => boolean): Promise<boolean>
}

export interface JudgingParts {
  readonly horizons: Horizons
  readonly found: LateRecords
  readonly pinned: ReadonlySet<string>
  /** The document as it is in memory, if it is open and read. */
  readonly doc: (tag: DocTag) => AnyDoc | undefined
  /** Whether that document has it already; what was held may not be applied yet. */
  readonly isIn: (record: ChunkRecord) => boolean
  /** What the store gives without what is held back. */
  readonly stored: (name: DocumentName) => Promise<AnyDoc>
  /** Signs what is owed, before anything is let in. */
  readonly keep: (name: DocumentName) => Promise<unknown>
}

export function createJudging(context: DocumentsContext, parts: JudgingParts): Judging {
  const { chunkStore, sealer, worker, clock, hasher } = context
  const { horizons, found, pinned } = parts

  const isHeldBack: Judging['isHeldBack'] = record => {
    if (!horizons.isLate(record)) return false
    const document = found.documents.get(record.docTag)
    if (document?.waiting.has(record.id) === true) return true
    return record.arrival > Math.max(found.settledTo(), document?.upTo ?? 0)
  }

  /** Of a chunk that is held back, or was; nothing while its key is not here. */
  const commitsIn = async (chunk: SealedChunk & { readonly arrival: number }): Promise<readonly Suspect[]> => {
    const opened = sealer.open(chunk)
    if (!opened?.ok) return []
    const { content } = opened.value
    const limits = { maxInflatedBytes: MAX_INFLATED_BYTES, ...(hasher === undefined ? {} : { hasher }) }
    const changes = chunk.class === 'commit' ? [content] : await worker.splitBundle(content, limits)
    return changes.flatMap(bytes => {
      const commit = readCommit(bytes, limits)
      return commit.ok ? [{ ...commit.value, bytes, chunk: chunk.id, arrival: chunk.arrival }] : []
    })
  }
  const headsOf = async (name: DocumentName): Promise<readonly string[]> => {
    const open = parts.doc(name.tag)
    const doc = open ?? (await parts.stored(name))
    const heads = new Set<string>(A.getHeads(doc))
    const held = (await chunkStore.listDocument(name.tag)).filter(record => isContent(record) && !isHeldBack(record))
    const isWaiting = A.getMissingDeps(doc, []).length > 0
    const left = isWaiting ? held : open === undefined ? [] : held.filter(record => !parts.isIn(record))
    for (const chunk of await chunkStore.getMany(left.map(({ id }) => id))) {
      for (const { hash } of await commitsIn(chunk)) if (!A.hasHeads(doc, [hash])) heads.add(hash)
    }
    return [...heads].toSorted()
  }

  const lackHeld: Judging['lackHeld'] = async (name, heads, isHeld) => {
    const records = new Map((await chunkStore.listDocument(name.tag)).map(record => [record.id, record]))
    const hasHeldFragment = [...records.values()].some(record => record.class === 'fragment' && isHeld(record))
    const doc = parts.doc(name.tag) ?? (await parts.stored(name))
    const isHere = (hash: string): boolean => A.hasHeads(doc, [hash])
    const waiting = (await headsOf(name)).filter(hash => !isHere(hash) && !heads.includes(hash))
    const beyond = [...waiting, ...A.getChangesMetaSince(doc, heads.filter(isHere)).map(({ hash }) => hash)]
    return beyond.some(hash => {
      const record = records.get(sealer.chunkIdOf('commit', name.bytes, commitContentKey(hash)))
      return record === undefined ? hasHeldFragment : isHeld(record)
    })
  }

  const judge: Judging['judge'] = async (name, doc, isIn, inAnyCase = false) => {
    if (horizons.all().length === 0 && found.documents.size === 0) return undefined
    const records = await chunkStore.listDocument(name.tag)
    const before = found.documents.get(name.tag)?.waiting
    const isCandidate = (record: ChunkRecord): boolean =>
      isContent(record) && !isIn(record) && (horizons.mayBeLate(record.epoch) || before?.has(record.id) === true)
    const candidates = records.filter(isCandidate)
    if (candidates.length === 0 && before === undefined && !inAnyCase) return undefined
    await horizons.settled()
    const heldBack = new Set(candidates.filter(isHeldBack).map(({ id }) => id))
    if (heldBack.size > 0) await parts.keep(name)
    const evidence = await readEvidence(context, name, await chunkStore.listDocument(name.tag))
    const suspects = new Map<string, Suspect>()
    const chunks: { readonly chunk: SealedChunk; readonly bytes: Uint8Array; readonly commits: readonly Suspect[] }[] = []
    const roots: Root[] = []
    for (let at = 0; at < candidates.length; at += READ_BATCH) {
      if (at > 0) await clock.sleep(0)
      for (const chunk of await chunkStore.getMany(candidates.slice(at, at + READ_BATCH).map(({ id }) => id))) {
        const opened = sealer.open(chunk)
        if (!opened?.ok) continue
        const commits = await commitsIn(chunk)
        chunks.push({ chunk, bytes: opened.value.content, commits })
        for (const commit of commits) {
          const present = suspects.get(commit.hash)
          if (present === undefined || present.arrival > commit.arrival) suspects.set(commit.hash, commit)
          if (!heldBack.has(chunk.id) || pinned.has(commit.hash)) roots.push({ hash: commit.hash, until: Number.POSITIVE_INFINITY })
        }
      }
    }
    const present = parts.doc(name.tag) ?? doc // it may have gone on meanwhile
    roots.push(...rootsOf(evidence, horizons))
    for (const hash of A.getMissingDeps(present, [])) roots.push({ hash, until: Number.POSITIVE_INFINITY })
    const taken = takenOf(suspects, roots)
    const lasting = takenOf(
      suspects,
      roots.filter(({ until }) => until === Number.POSITIVE_INFINITY),
    )
    const contents: OpenedContent[] = []
    const whole: ChunkId[] = []
    for (const { chunk, bytes, commits } of chunks) {
      const kind = chunk.class as OpenedContent['class']
      if (commits.length > 0 && commits.every(({ hash }) => taken.has(hash) || A.hasHeads(present, [hash]))) {
        whole.push(chunk.id)
        if (
          !A.hasHeads(
            present,
            commits.map(({ hash }) => hash),
          )
        )
          contents.push({ id: chunk.id, class: kind, bytes })
        continue
      }
      for (const { hash, bytes: change } of commits) {
        if (taken.has(hash) && !A.hasHeads(present, [hash])) contents.push({ id: chunk.id, class: 'commit', bytes: change })
      }
    }
    const isWhole = new Set(whole)
    return {
      ...{ contents, whole, evidence, suspects, taken },
      rests: lasting.size < taken.size,
      waiting: new Set([...heldBack].filter(id => !isWhole.has(id))),
      upTo: records.at(-1)?.arrival ?? 0,
    }
  }
  return { isHeldBack, judge, headsOf, lackHeld }
}

const READ_BATCH = 256
