/**
 * Schema version 1 of the four structures: their types and what is checked before anything of them is used. Objects are loose:
 * fields this version does not know pass and stay. History of versions:
 *
 *   1  first
 */
import type { DocumentId } from '@automerge/automerge-repo'
import * as v from 'valibot'
import { wholeNumber } from '../../lib/codec.ts'
import type { DeviceId, HandoffId } from '../../lib/ids.ts'
import { packedHeadsSchema, wordSchema, type Word } from './words.ts'

export const SCHEMA_VERSION = 1

export type StructureName = 'session' | 'drafts' | 'views' | 'preferences'

interface Structure<Name extends StructureName> {
  schemaVersion: number
  /** Tells which of the four it is. */
  structure: Name | Word
}

export interface SessionDoc extends Structure<'session'> {
  title: string
  documents: Record<DocumentId, MemberRecord>
  companions: { drafts?: Word; views?: Word; preferences?: Word }
  /** Claims to drive: key `<counter, ten digits>/<device>/<kind>`, each written once and never changed. */
  lease: Record<string, ClaimRecord>
  history: HistoryPlace
}
export interface MemberRecord {
  title: string
  /** 1, 2, 3 ... in the order they were added; equal numbers are ordered by document id. */
  number: number
  addedBy: Word
  removed?: { by: Word; heads: Uint8Array; time: number }
}
export interface ClaimRecord {
  time: number
  grant?: { by: Word; handoff: Word; expiresAt: number; signature: Uint8Array }
}
/** A claim to drive. What makes one good, and confirmed, is the handoff's business. */
export interface LeaseClaim {
  readonly counter: number
  readonly device: DeviceId
  readonly kind: string
  readonly time: number
  readonly grant?: { readonly by: DeviceId; readonly handoff: HandoffId; readonly expiresAt: number; readonly signature: Uint8Array }
}
export interface HistoryPlace {
  checkpoints: Record<string, CheckpointRecord>
  /** Conflict id -> how it was settled. */
  resolved: Record<string, { document: Word; by: Word; choice: Word; time: number }>
  /** `<document>/<heads>` -> heads up to which every text conflict is settled; a set, because two devices may each add one. */
  reviewed: Record<string, Uint8Array>
}
export interface CheckpointRecord {
  number: number
  time: number
  by: Word
  reason: Word
  heads: Record<string, Uint8Array>
}

export interface DraftsDoc extends Structure<'drafts'> {
  drafts: Record<string, DraftRecord>
}
export interface DraftRecord {
  text: string
  number: number
  createdBy: Word
  target?: { mode: Word; document: Word; path: Word; base: Uint8Array; at?: Word }
  closed?: { as: Word; by: Word; heads: Uint8Array; time: number }
}

export interface ViewsDoc extends Structure<'views'> {
  /** One per device, written by that device alone: two devices cannot fight over a cursor. */
  layouts: Record<string, LayoutRecord>
}
export interface LayoutRecord {
  moves: number
  focus?: Word
  views: Record<string, ViewRecord>
}
export interface ViewRecord {
  document: Word
  path: Word
  order: number
  pane: number
  anchor?: Word
  head?: Word
  top?: Word
  fraction?: number
}

export type PreferenceValue = string | number | boolean | readonly PreferenceValue[] | { readonly [key: string]: PreferenceValue }
export interface PreferencesDoc extends Structure<'preferences'> {
  values: Record<string, PreferenceValue>
}

const removedSchema = v.looseObject({ by: wordSchema, heads: packedHeadsSchema, time: v.number() })

export const SHAPES: Readonly<Record<StructureName, v.GenericSchema>> = {
  session: v.looseObject({
    title: v.string(),
    documents: v.record(
      v.string(),
      v.looseObject({ title: v.string(), number: wholeNumber, addedBy: wordSchema, removed: v.optional(removedSchema) }),
    ),
    companions: v.looseObject({ drafts: v.optional(wordSchema), views: v.optional(wordSchema), preferences: v.optional(wordSchema) }),
    lease: v.record(v.string(), v.looseObject({ time: v.number() })),
    history: v.looseObject({
      checkpoints: v.record(
        v.string(),
        v.looseObject({
          number: wholeNumber,
          time: v.number(),
          by: wordSchema,
          reason: wordSchema,
          heads: v.record(v.string(), packedHeadsSchema),
        }),
      ),
      resolved: v.record(v.string(), v.looseObject({ document: wordSchema, choice: wordSchema })),
      reviewed: v.record(v.string(), packedHeadsSchema),
    }),
  }),
  drafts: v.looseObject({
    drafts: v.record(
      v.string(),
      v.looseObject({
        text: v.string(),
        number: wholeNumber,
        createdBy: wordSchema,
        target: v.optional(
          v.looseObject({ mode: wordSchema, document: wordSchema, path: wordSchema, base: packedHeadsSchema, at: v.optional(wordSchema) }),
        ),
        closed: v.optional(v.looseObject({ as: wordSchema, by: wordSchema, heads: packedHeadsSchema })),
      }),
    ),
  }),
  views: v.looseObject({
    layouts: v.record(
      v.string(),
      v.looseObject({
        moves: wholeNumber,
        focus: v.optional(wordSchema),
        views: v.record(
          v.string(),
          v.looseObject({
            document: wordSchema,
            path: wordSchema,
            order: v.number(),
            pane: v.number(),
            anchor: v.optional(wordSchema),
            head: v.optional(wordSchema),
            top: v.optional(wordSchema),
            fraction: v.optional(v.number()),
          }),
        ),
      }),
    ),
  }),
  preferences: v.looseObject({ values: v.record(v.string(), v.unknown()) }),
}
