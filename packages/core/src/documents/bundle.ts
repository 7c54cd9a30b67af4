/**
 * Fragment bundles: reading what one really holds, and making those a document lacks. Seconds of work for a long history, so
 * this runs inside a DocumentWorker; nothing here keeps state.
 */
import * as A from '@automerge/automerge'
import { sha256 } from '../crypto/hash.ts'
import { equalBytes, toHex } from '../lib/bytes.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { BuiltFragment, BundleContents, KnownFragments, ReadBundle } from '../ports/worker.ts'
import { createReader } from './byte-reader.ts'
import { hasBoundedColumns } from './columns.ts'
import { readEnvelope } from './commit.ts'
import { fragmentContentKey, fragmentKey } from './content-keys.ts'

export interface BundleLimits {
  readonly maxInflatedBytes: number
  readonly hasher?: Hasher
}

/**
 * Head, level and members of a bundle, all from decoding it. Throws RangeError when it is not exactly one bundle, claims
 * more than the limit, or has not exactly one head.
 */
export function readBundleContents(bundle: Uint8Array, limits: BundleLimits): BundleContents {
  const sound = soundBundle(bundle, limits.maxInflatedBytes)
  if (sound === undefined) throw new RangeError('not a bundle, or too large')
  const changes = (sound.deps > 0 ? namesOfWaiting(bundle, limits) : undefined) ?? A.readBundle(bundle).changes
  const depended = new Set(changes.flatMap(change => change.deps))
  const members = changes.map(change => change.hash).toSorted()
  const heads = members.filter(hash => !depended.has(hash))
  const [head] = heads
  if (head === undefined || heads.length !== 1) throw new RangeError(`a bundle has one head, this one ${heads.length}`)
  return { head, level: levelOf(head), members }
}

/** The same for a worker, which has the time to name it too. */
export function readBundle(bundle: Uint8Array, limits: BundleLimits): ReadBundle {
  const contents = readBundleContents(bundle, limits)
  return { ...contents, contentKey: fragmentContentKey(contents, limits.hasher) }
}

/**
 * The fragments of a saved document that are worth making and not in `known`: greedily from the greatest (level, head)
 * down, leaving out what those taken cover, and single commits, which are as small by themselves. Where a fragment may end follows
 * from the hashes, so a few hundred changes at the end are in none: these make bundles of level 0, which the next fragment replaces.
 */
export function buildFragments(saved: Uint8Array, known: KnownFragments): readonly BuiltFragment[] {
  const doc = A.load(saved)
  const knownKeys = new Set(known.keys)
  const covered = new Set<string>()
  const wanted: A.FragmentMeta[] = []
  for (const meta of A.getFragmentMetadata(doc, { start: 1 }).toSorted(byLevelThenHead)) {
    if (meta.members.every(member => covered.has(member))) continue
    for (const member of meta.members) covered.add(member)
    if (meta.members.length > 1 && !knownKeys.has(fragmentKey({ ...meta, members: meta.members.toSorted() }))) wanted.push(meta)
  }
  for (const hash of known.tails) covered.add(hash)
  const tails = tailsOf(doc, covered).map(hashes => A.saveBundle(doc, [...hashes]))
  const bundles = wanted.length === 0 ? tails : [...A.bundleFragmentMetadata(doc, wanted), ...tails]
  return bundles.map(bundle => ({ bundle, ...readBundleContents(bundle, { maxInflatedBytes: Number.MAX_SAFE_INTEGER }) }))
}

/** What no fragment covers, in runs with one head each, if they are long enough to be smaller together. */
function tailsOf(doc: A.Doc<unknown>, covered: ReadonlySet<string>): readonly (readonly string[])[] {
  const loose = new Map(
    A.getChangesMetaSince(doc, [])
      .filter(({ hash }) => !covered.has(hash))
      .map(({ hash, deps }) => [hash, deps]),
  )
  const depended = new Set([...loose.values()].flat())
  const tails: string[][] = []
  for (const head of [...loose.keys()].filter(hash => !depended.has(hash)).toSorted()) {
    const run: string[] = []
    for (let ahead = [head], hash = ahead.pop(); hash !== undefined; hash = ahead.pop()) {
      const deps = loose.get(hash)
      if (deps === undefined) continue
      loose.delete(hash)
      run.push(hash)
      ahead.push(...deps)
    }
    if (run.length >= MIN_TAIL) tails.push(run)
  }
  return tails
}

/**
 * The changes in a bundle, each by itself, byte for byte as it was made; their hashes are for the caller to work out. The bundle is loaded
 * into an empty document: what waits there for its dependencies is saved beside it, as single changes. Throws as `readBundleContents`.
 */
export function splitBundle(bundle: Uint8Array, limits: BundleLimits): readonly Uint8Array[] {
  if (soundBundle(bundle, limits.maxInflatedBytes) === undefined) throw new RangeError('not a bundle, or too large')
  try {
    const doc = A.loadIncremental(A.init(), bundle)
    return [...A.getAllChanges(doc), ...[...waitingIn(A.save(doc))].map(({ chunk }) => chunk.slice())]
  } catch {
    // A change in it lies, and Automerge stumbled over it. Bytes in a value cannot be encoded again; everything else can.
    return A.readBundle(bundle).changes.flatMap(change => {
      try {
        return [A.encodeChange(change)]
      } catch {
        return []
      }
    })
  }
}

/** Leading zero bytes of a hash. */
export function levelOf(hash: string): number {
  let level = 0
  while (level < hash.length / 2 && hash.startsWith('00', 2 * level)) level++
  return level
}

/** Fewer changes are as small by themselves. */
const MIN_TAIL = 16
const DOCUMENT = 0
const CHANGE = 1
const BUNDLE = 3
/** magic 4, checksum 4, type 1 */
const TYPE_AT = 8
/** The checksum covers everything from the type byte on. */
const CHECKED_FROM = 8
const HASH_BYTES = 32

/** Whether it is one bundle, whole, and no larger unpacked than allowed; nothing is decoded. */
export function isSoundBundle(bundle: Uint8Array, limits: BundleLimits): boolean {
  return soundBundle(bundle, limits.maxInflatedBytes) !== undefined
}

/** bundle contents = deps (count, 32 each), actors (count, length and bytes each), columns of changes, columns of operations */
function soundBundle(bundle: Uint8Array, maxBytes: number): { readonly deps: number } | undefined {
  const envelope = readEnvelope(bundle)
  if (envelope?.type !== BUNDLE) return undefined
  // `readBundle` does not look at the checksum; loading does, and then loads nothing and says nothing.
  if (!equalBytes(sha256(bundle.subarray(CHECKED_FROM)).subarray(0, envelope.checksum.length), envelope.checksum)) return undefined
  const reader = createReader(envelope.contents)
  const deps = reader.uleb()
  if (deps === undefined || reader.take(deps * HASH_BYTES) === undefined) return undefined
  const actors = reader.uleb()
  if (actors === undefined) return undefined
  for (let i = 0; i < actors; i++) if (reader.take(reader.uleb()) === undefined) return undefined
  return hasBoundedColumns(reader, maxBytes) && hasBoundedColumns(reader, maxBytes) ? { deps } : undefined
}

/**
 * What changes of a bundle are called and depend on, without their operations as JavaScript values: those are most of the time of
 * `readBundle`, three fifths for 10,000 letters. In an empty document all of them wait for what the bundle depends on, and are saved as they
 * were made. Undefined where not all wait so plainly.
 */
function namesOfWaiting(bundle: Uint8Array, { hasher }: BundleLimits): readonly Named[] | undefined {
  try {
    const doc = A.loadIncremental(A.init(), bundle)
    if (A.getHeads(doc).length > 0) return undefined
    const named: Named[] = []
    for (const { chunk, type, contents } of waitingIn(A.save(doc))) {
      if (type !== CHANGE) return undefined // deflated
      const reader = createReader(contents)
      const deps = Array.from({ length: reader.uleb() ?? 0 }, () => toHex(reader.take(HASH_BYTES) ?? new Uint8Array()))
      named.push({ hash: toHex(sha256(chunk.subarray(CHECKED_FROM), hasher)), deps })
    }
    return named
  } catch {
    return undefined // a change in it lies, and Automerge stumbled over it
  }
}

interface Named {
  readonly hash: string
  readonly deps: readonly string[]
}

/** What a saved document holds beside itself: changes that wait for their dependencies. */
function* waitingIn(saved: Uint8Array): Generator<{ readonly chunk: Uint8Array; readonly type: number; readonly contents: Uint8Array }> {
  for (let at = 0; at < saved.length;) {
    const reader = createReader(saved, at + TYPE_AT + 1)
    const contents = reader.take(reader.uleb())
    if (contents === undefined) throw new Error('broken promise: Automerge saved half a chunk')
    const chunk = saved.subarray(at, reader.at())
    const type = saved[at + TYPE_AT] as number
    if (type !== DOCUMENT) yield { chunk, type, contents }
    at = reader.at()
  }
}

function byLevelThenHead(a: A.FragmentMeta, b: A.FragmentMeta): number {
  return b.level - a.level || (a.head < b.head ? 1 : -1)
}
