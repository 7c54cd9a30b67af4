/** What the devices say of a document: their claims and keeps, read from its registers. */
import * as A from '@automerge/automerge'
import { decodeRegister } from '../../crypto/index.ts'
import type { DeviceId } from '../../lib/ids.ts'
import type { ChunkRecord } from '../../ports/chunk-store.ts'
import type { AnyDoc } from '../any-doc.ts'
import { CLAIM_NAME, decodeClaim, type Claim } from '../claims.ts'
import type { DocumentsContext } from '../context.ts'
import type { DocumentName } from '../stored-document.ts'
import type { Horizons } from './horizons.ts'
import type { Root, Suspect } from './judge.ts'
import { KEEP_NAME, decodeKeep, type Keep } from './keep.ts'

interface Said {
  readonly device: DeviceId
  /** When this device got it. */
  readonly arrival: number
}

export interface Evidence {
  readonly claims: readonly (Said & { readonly claim: Claim })[]
  readonly keeps: readonly (Said & { readonly keep: Keep })[]
}

export async function readEvidence(
  { chunkStore, sealer, verifier }: Pick<DocumentsContext, 'chunkStore' | 'sealer' | 'verifier'>,
  name: DocumentName,
  records: readonly ChunkRecord[],
): Promise<Evidence> {
  const ids = records.filter(record => record.class === 'register').map(record => record.id)
  const claims: (Said & { readonly claim: Claim })[] = []
  const keeps: (Said & { readonly keep: Keep })[] = []
  for (const chunk of await chunkStore.getMany(ids)) {
    const opened = sealer.open(chunk)
    if (!opened?.ok) continue
    const register = decodeRegister(opened.value.content, { sequence: chunk.sequence, documentId: name.bytes }, verifier)
    if (!register.ok) continue
    const { name: kind, device, body } = register.value
    const { arrival } = chunk
    if (kind === CLAIM_NAME) {
      const claim = decodeClaim(body)
      if (claim.ok) claims.push({ device, arrival, claim: claim.value })
    } else if (kind === KEEP_NAME) {
      const keep = decodeKeep(body)
      if (keep.ok) keeps.push({ device, arrival, keep: keep.value })
    }
  }
  return { claims, keeps }
}

/** What is taken with all it depends on, because a device says so that belongs, or belonged when it said it and what it named was here. */
export function rootsOf({ claims, keeps }: Evidence, horizons: Pick<Horizons, 'trustedUntil'>): readonly Root[] {
  const named = [
    ...claims.map(({ claim, ...said }) => ({ ...said, hashes: claim.own })),
    ...keeps.map(({ keep, ...said }) => ({ ...said, hashes: [...[...keep.kept.values()].flat(), ...keep.accepted] })),
  ]
  return named.flatMap(({ device, arrival, hashes }) => {
    const until = horizons.trustedUntil(device)
    return arrival <= until ? hashes.map(hash => ({ hash, until })) : []
  })
}

export interface Authorship {
  readonly device: DeviceId
  readonly time: number
}

/**
 * Who stands behind each actor, by everybody's own word; an actor that two devices claim is nobody's, but the word of a device that was
 * removed says nothing against that of one that belongs.
 */
export function authorsIn(
  { claims }: Pick<Evidence, 'claims'>,
  doc: AnyDoc,
  suspects: ReadonlyMap<string, Pick<Suspect, 'actor'>>,
  { trustedUntil }: Pick<Horizons, 'trustedUntil'>,
): ReadonlyMap<string, Authorship> {
  const authorsBy = (some: Evidence['claims']): ReadonlyMap<string, Authorship> => {
    const authors = new Map<string, Authorship>()
    const disputed = new Set<string>()
    for (const { device, claim } of some) {
      for (const hash of claim.own) {
        const actor = suspects.get(hash)?.actor ?? A.inspectChange(doc, hash)?.actor
        if (actor === undefined) continue
        if ((authors.get(actor)?.device ?? device) !== device) disputed.add(actor)
        authors.set(actor, { device, time: claim.time })
      }
    }
    for (const actor of disputed) authors.delete(actor)
    return authors
  }
  const isActive = ({ device }: Said): boolean => trustedUntil(device) === Number.POSITIVE_INFINITY
  return new Map([...authorsBy(claims.filter(said => !isActive(said))), ...authorsBy(claims.filter(isActive))])
}
