/** Manifests: their wire form, and what two of them have in common. */
import { fromHex, toHex } from '../lib/bytes.ts'
import type { WireManifest } from '../wire/control-messages.ts'
import type { Manifest, ManifestDocument } from './collaborators.ts'

export function toWireManifest(manifest: Manifest): WireManifest {
  const documents = manifest.documents.map(document => ({ ...document, heads: document.heads.map(fromHex) }))
  return { schemaVersion: manifest.schemaVersion, documents }
}

export function fromWireManifest(manifest: WireManifest): Manifest {
  const documents = manifest.documents.map(document => ({ ...document, heads: document.heads.map(toHex) }))
  return { schemaVersion: manifest.schemaVersion, documents }
}

export function manifestBytes(manifest: Manifest | undefined): number {
  return manifest?.documents.reduce((sum, document) => sum + document.bytes, 0) ?? 0
}

/** How many documents of `current` are not in `verified` with the same heads. */
export function countChanged(verified: Manifest, current: Manifest): number {
  const headsById = new Map(verified.documents.map(document => [toHex(document.documentId), headsKey(document)]))
  return current.documents.filter(document => headsById.get(toHex(document.documentId)) !== headsKey(document)).length
}

function headsKey(document: ManifestDocument): string {
  return document.heads.toSorted().join()
}
