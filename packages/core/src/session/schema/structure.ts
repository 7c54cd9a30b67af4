/**
 * Opening one of the four structures: is it what it should be, is it too new, does it need bringing up to date. Nothing of a
 * structure is used before this has passed.
 *
 * A migration is numbered by the version it makes and is a pinned change literal, made once, whose parent is the literal before
 * it. Devices that migrate at the same time apply the same change, so a migration cannot conflict with itself.
 */
import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import * as v from 'valibot'
import { SegueError } from '../../lib/errors.ts'
import { GENESIS } from './genesis.ts'
import { SCHEMA_VERSION, SHAPES, type StructureName } from './shapes.ts'

export interface Migration {
  /** The version it makes: 2, 3, ... without a gap. */
  readonly to: number
  /** One Automerge change that depends on the previous literal and sets `schemaVersion`. Loaded, never made anew. */
  readonly literal: Uint8Array
}

export interface StructureVersions {
  readonly version: number
  readonly genesisHead: string
  readonly migrations: readonly Migration[]
  readonly shape: v.GenericSchema
}

/** What this version of Segue knows. Version 1 has nothing before it to migrate from. */
export const VERSIONS: Readonly<Record<StructureName, StructureVersions>> = {
  session: { version: SCHEMA_VERSION, genesisHead: GENESIS.session.head, migrations: [], shape: SHAPES.session },
  drafts: { version: SCHEMA_VERSION, genesisHead: GENESIS.drafts.head, migrations: [], shape: SHAPES.drafts },
  views: { version: SCHEMA_VERSION, genesisHead: GENESIS.views.head, migrations: [], shape: SHAPES.views },
  preferences: { version: SCHEMA_VERSION, genesisHead: GENESIS.preferences.head, migrations: [], shape: SHAPES.preferences },
}

/**
 * Brings the structure behind `handle` to this version. Throws SCHEMA_NEWER for one written by a newer Segue and
 * SESSION_UNKNOWN for what is no such structure; in both cases nothing was changed.
 */
export function openStructure(handle: DocHandle<unknown>, name: StructureName, versions: StructureVersions = VERSIONS[name]): void {
  checkStructure(handle.doc(), name, versions)
  const present = versionOf(handle.doc())
  for (const migration of versions.migrations) {
    if (migration.to > present) handle.update(doc => A.applyChanges(doc, [migration.literal])[0])
  }
}

/** The check alone, for what must not be written to. */
export function checkStructure(doc: A.Doc<unknown>, name: StructureName, versions: StructureVersions = VERSIONS[name]): void {
  if (!A.hasHeads(doc, [versions.genesisHead]) || String((doc as { structure?: unknown }).structure) !== name) {
    throw new SegueError('SESSION_UNKNOWN', { structure: name })
  }
  const present = versionOf(doc)
  if (present > versions.version) throw new SegueError('SCHEMA_NEWER', { structure: name, version: present })
  // An older version is checked by the shape once it is migrated: its migrations start from its own literal.
  if (present === versions.version && !v.is(versions.shape, doc)) throw new SegueError('SESSION_UNKNOWN', { structure: name })
}

function versionOf(doc: unknown): number {
  const version = (doc as { schemaVersion?: unknown } | undefined)?.schemaVersion
  return typeof version === 'number' && Number.isSafeInteger(version) && version >= 1 ? version : Number.MAX_SAFE_INTEGER
}
