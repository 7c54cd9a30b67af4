/** What a person is shown of late edits in one document: those that wait, by author, and those that are in it because somebody built on them. */
import * as A from '@automerge/automerge'
import { labelledHash } from '../../crypto/index.ts'
import { fromHex, toHex } from '../../lib/bytes.ts'
import type { DeviceId } from '../../lib/ids.ts'
import type { AnyDoc } from '../any-doc.ts'
import type { DocumentName } from '../stored-document.ts'
import type { LateEdit } from './contract.ts'
import { authorsIn, type Authorship, type Evidence } from './evidence.ts'
import type { Horizons } from './horizons.ts'
import { headsAmong, withAncestors, type Suspect } from './judge.ts'

export interface ReviewItem extends LateEdit {
  /** Accepting or discarding names these; all else in it is what they depend on. */
  readonly heads: readonly string[]
  /** Hex hashes of all of it, sorted. */
  readonly hashes: readonly string[]
}

export function reviewOf(parts: {
  readonly name: DocumentName
  /** With everything that is taken. */
  readonly doc: AnyDoc
  readonly evidence: Evidence
  readonly suspects: ReadonlyMap<string, Suspect>
  /** Hashes of those that are not taken. */
  readonly waiting: ReadonlySet<string>
  readonly horizons: Horizons
  readonly pinned: ReadonlySet<string>
  /** Whether a change may be a device's: it knew the key under which that lies here. */
  readonly mayBeBy: (hash: string, device: DeviceId) => boolean
}): readonly ReviewItem[] {
  const authors = authorsIn(parts.evidence, parts.doc, parts.suspects, parts.horizons)
  return [...quarantined(parts, authors), ...builtOn(parts, authors)]
}

type Parts = Parameters<typeof reviewOf>[0]
type Authors = ReadonlyMap<string, Authorship>

function quarantined({ name, evidence, suspects, waiting, horizons }: Parts, authors: Authors): readonly ReviewItem[] {
  const discarded = withAncestors(suspects, trusted(evidence, horizons, 'discarded'))
  const byAuthor = new Map<string, Suspect[]>()
  for (const hash of waiting) {
    const suspect = suspects.get(hash)
    if (suspect === undefined || discarded.has(hash)) continue
    const author = authors.get(suspect.actor)?.device ?? ''
    const group = byAuthor.get(author)
    if (group === undefined) byAuthor.set(author, [suspect])
    else group.push(suspect)
  }
  return [...byAuthor.values()].map(group => ({
    ...itemOf(
      name,
      'quarantined',
      group.map(({ hash }) => hash),
    ),
    ...authorOf(group[0]?.actor, authors),
    heads: headsAmong(group),
    bytes: group.reduce((sum, { bytes }) => sum + bytes.length, 0),
    suggested: 'discard',
  }))
}

/**
 * In the document, by a removed device or by nobody who says so, and not among what the remover had when it removed. The same on every
 * device that holds the document and the remover's keep.
 */
function builtOn({ name, doc, evidence, horizons, pinned, mayBeBy }: Parts, authors: Authors): readonly ReviewItem[] {
  const accepted = trusted(evidence, horizons, 'accepted').filter(hash => A.hasHeads(doc, [hash]))
  const listed = new Set<string>()
  return horizons.all().flatMap(({ removal }) => {
    const before = evidence.keeps.find(({ device }) => device === removal.by)?.keep.kept.get(removal.entry)
    if (before === undefined || !A.hasHeads(doc, [...before])) return []
    const byAuthor = new Map<DeviceId | undefined, A.ChangeMetadata[]>()
    for (const change of A.getChangesMetaSince(doc, [...before, ...accepted])) {
      const author = authors.get(change.actor)?.device
      const isLate = author === removal.target || (author === undefined && !pinned.has(change.hash))
      if (!isLate || listed.has(change.hash) || !mayBeBy(change.hash, removal.target)) continue
      listed.add(change.hash)
      byAuthor.set(author, [...(byAuthor.get(author) ?? []), change])
    }
    return [...byAuthor.values()].map((changes): ReviewItem => ({
      ...itemOf(
        name,
        'built-on',
        changes.map(({ hash }) => hash),
      ),
      ...authorOf(changes[0]?.actor, authors),
      heads: headsAmong(changes),
      bytes: undefined,
      suggested: 'accept',
    }))
  })
}

function trusted({ keeps }: Evidence, horizons: Horizons, what: 'accepted' | 'discarded'): readonly string[] {
  return keeps.flatMap(({ device, arrival, keep }) => (arrival <= horizons.trustedUntil(device) ? keep[what] : []))
}

function itemOf(
  name: DocumentName,
  kind: LateEdit['kind'],
  all: readonly string[],
): Pick<ReviewItem, 'id' | 'kind' | 'document' | 'edits' | 'hashes'> {
  const hashes = all.toSorted()
  const id = toHex(labelledHash('late-edit', [name.bytes, kind, hashes.map(fromHex)])).slice(0, ID_DIGITS)
  return { id, kind, document: name.id, edits: hashes.length, hashes }
}

function authorOf(actor: string | undefined, authors: Authors): Pick<LateEdit, 'author' | 'time'> {
  const author = actor === undefined ? undefined : authors.get(actor)
  return { author: author?.device, time: author?.time }
}

const ID_DIGITS = 32
