/**
 * How a device checks a chunk before it is stored: opens it and works out, from the content alone, what it must be called.
 * Whatever a sender says about a chunk is compared with that, never believed.
 */
import { decodeRegister, isNamedRight, registerContentKey, type Keyring } from '../crypto/index.ts'
import { decodeEntry, isSigned, type SignedEntry } from '../group/index.ts'
import { idBytes, type ChunkId } from '../lib/ids.ts'
import type { Pending } from '../lib/pending.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Inspector, Verdict } from '../ports/inspector.ts'
import type { Random } from '../ports/random.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Verifier } from '../ports/verifier.ts'
import type { DocumentWorker } from '../ports/worker.ts'
import type { FragmentCover } from '../replication/index.ts'
import { readCommit } from './commit.ts'
import { commitContentKey } from './content-keys.ts'
import { coverOf, createCoverCache, readFragment } from './fragments.ts'
import { createSealer } from './sealer.ts'

export interface DeviceInspectorComponents {
  readonly keyring: Keyring
  readonly worker: DocumentWorker
  readonly chunkStore: ChunkStore
  readonly hasher?: Hasher
  readonly verifier?: Verifier
  /** Whether a signed entry can be of the group and has room in its log. Without it any may. */
  readonly mayBelong?: (entry: SignedEntry) => boolean
  /** Waited for before a new fragment is found good: what it contains goes when it is stored. */
  readonly beforeFragment?: (chunk: SealedChunk, documentId: Uint8Array) => Promise<void> | undefined
}

export function createDeviceInspector(components: DeviceInspectorComponents): Inspector {
  const { keyring, worker, chunkStore, hasher, verifier, mayBelong = () => true, beforeFragment } = components
  const sealer = createSealer({ keyring, random: NO_RANDOM, hasher })
  const cache = createCoverCache(MAX_CACHED_IDS)

  const examine = (chunk: SealedChunk, documentId: Uint8Array, content: Uint8Array): Pending<Result<Examined, string>> => {
    switch (chunk.class) {
      case 'commit': {
        const commit = readCommit(content, hasher === undefined ? {} : { hasher })
        return commit.ok ? ok({ contentKey: commitContentKey(commit.value.hash) }) : commit
      }
      case 'fragment': {
        return readFragment(worker, content).then(contents =>
          ok({
            contentKey: contents.contentKey,
            cover: coverOf(sealer, documentId, contents),
            size: contents.members.length,
          }),
        )
      }
      case 'register': {
        const register = decodeRegister(content, { sequence: chunk.sequence, documentId }, verifier)
        return register.ok ? ok({ contentKey: registerContentKey(register.value.name, register.value.device) }) : register
      }
      case 'log': {
        const entry = decodeEntry(content, hasher)
        if (!entry.ok) return entry
        if (!isSigned(entry.value, verifier)) return failed('entry: bad signature')
        return mayBelong(entry.value) ? ok({ contentKey: idBytes(entry.value.id) }) : failed('entry: of another group, or no room')
      }
    }
  }
  const inspect = (chunk: SealedChunk): Pending<Verdict> => {
    const verdict = check(chunk)
    if (chunk.class !== 'fragment' || beforeFragment === undefined || !(verdict instanceof Promise)) return verdict
    return verdict.then(async found => {
      const opened = sealer.open(chunk)
      if (found.kind !== 'good' || !opened?.ok) return found
      try {
        await beforeFragment(chunk, opened.value.documentId)
        return found
      } catch {
        return { kind: 'unreadable' } // closing, or the disk takes nothing: it must not make anything superfluous now
      }
    })
  }
  const check = (chunk: SealedChunk): Pending<Verdict> => {
    const opened = sealer.open(chunk)
    if (opened === undefined) return keyring.knows(chunk.epoch) ? { kind: 'unreadable' } : bad('no entry made this epoch')
    if (!opened.ok) return bad(opened.error)
    const { documentId, content } = opened.value
    try {
      const examined = examine(chunk, documentId, content)
      if (!(examined instanceof Promise)) return verdictOn(chunk, documentId, examined)
      return examined.then(result => verdictOn(chunk, documentId, result)).catch(unusable)
    } catch (error) {
      return unusable(error)
    }
  }
  const verdictOn = (chunk: SealedChunk, documentId: Uint8Array, examined: Result<Examined, string>): Verdict => {
    if (!examined.ok) return bad(examined.error)
    const { contentKey, cover = NO_COVER, size = 0 } = examined.value
    if (!isNamedRight(chunk, keyring, documentId, contentKey, hasher)) return bad('the content has another name')
    if (chunk.class === 'fragment') cache.set(chunk.id, cover, size)
    return goodWith(cover)
  }
  return {
    inspect,
    async covers(_docTag, fragments) {
      const found = new Map<ChunkId, FragmentCover>()
      const unknown: ChunkId[] = []
      for (const id of fragments) {
        const cover = cache.get(id)
        if (cover === undefined) unknown.push(id)
        else found.set(id, cover)
      }
      for (const chunk of await chunkStore.getMany(unknown)) {
        const verdict = await check(chunk)
        if (verdict.kind === 'good') found.set(chunk.id, verdict)
      }
      return found
    },
  }
}

interface Examined {
  readonly contentKey: Uint8Array
  readonly cover?: FragmentCover
  /** Ids in the cover. */
  readonly size?: number
}

const NO_COVER: FragmentCover = { level: 0, covers: [] }
/** About 20 MB of ids at the most. */
const MAX_CACHED_IDS = 100_000
/** An inspector seals nothing. */
const NO_RANDOM: Random = {
  bytes() {
    throw new Error('broken promise: an inspector does not seal')
  },
}

/** Without asking for the ids: see `coverOf`. */
function goodWith(cover: FragmentCover): Verdict {
  return {
    kind: 'good',
    level: cover.level,
    get covers() {
      return cover.covers
    },
  }
}

function bad(reason: string): Verdict {
  return { kind: 'bad', reason }
}

function unusable(error: unknown): Verdict {
  return bad(error instanceof Error ? error.message : String(error))
}
