/** Which device stands behind an Automerge actor, as the claims (claims.ts) in a document say. */
import * as A from '@automerge/automerge'
import type { DeviceId } from '../lib/ids.ts'
import type { AnyDoc } from './any-doc.ts'
import { readClaim } from './claims.ts'
import type { DocumentsContext } from './context.ts'
import type { DocumentName } from './stored-document.ts'

/** Actors that nobody claims, or more than one device does, are not in it. */
export async function readAuthors(
  { chunkStore, sealer, verifier }: Pick<DocumentsContext, 'chunkStore' | 'sealer' | 'verifier'>,
  name: DocumentName,
  doc: AnyDoc,
): Promise<ReadonlyMap<string, DeviceId>> {
  const records = await chunkStore.listDocument(name.tag)
  const registers = await chunkStore.getMany(records.filter(record => record.class === 'register').map(record => record.id))
  const authors = new Map<string, DeviceId>()
  const disputed = new Set<string>()
  for (const chunk of registers) {
    const opened = sealer.open(chunk)
    const read = opened?.ok ? readClaim(opened.value.content, chunk.sequence, name.bytes, verifier) : undefined
    if (!read?.ok) continue // another register of this document, or of an epoch whose key is not held
    const { device, claim } = read.value
    for (const hash of claim.own) {
      const actor = A.inspectChange(doc, hash)?.actor // undefined: claimed before it arrived
      if (actor === undefined) continue
      if ((authors.get(actor) ?? device) !== device) disputed.add(actor)
      authors.set(actor, device)
    }
  }
  for (const actor of disputed) authors.delete(actor)
  return authors
}
