/**
 * What happened to the group, told from the bytes of its log. Nothing that was evaluated before is believed: every signature is checked
 * and the whole is evaluated again from the genesis, so the same reading serves a device's own log and a file from elsewhere.
 */
import { decodeEntry, isSigned, type SignedEntry } from '../group/index.ts'
import { createGroupGraph, type GroupGraph } from '../group/resolve.ts'
import type { GroupDevice } from '../group/reduce.ts'
import type { RuleName } from '../group/validate.ts'
import type { DeviceId, EntryId, GroupId, MailboxId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_LOG_ENTRIES } from '../wire/limits.ts'
import { createNarrator } from './narrator.ts'

/** Who did something, or to whom. A phrase is a recovery phrase: whoever typed its words. */
export interface AuditParty {
  readonly kind: 'device' | 'phrase'
  readonly id: DeviceId
  /** As it was called then. Undefined for a phrase, and for a device that no entry before that one added. */
  readonly name: string | undefined
}

export type AuditAction =
  | { readonly kind: 'founded' | 'removed' | 'left' | 'promoted' | 'demoted' | 'keys-rotated' | 'key-given' | 'phrase-made' }
  | { readonly kind: 'added'; readonly role: 'admin' | 'member' }
  /** `name`: the new one. */
  | { readonly kind: 'renamed'; readonly name: string }
  /** moved: other addresses. shared: its admin key for another admin. */
  | {
      readonly kind: 'relay-added' | 'relay-moved' | 'relay-shared' | 'relay-given-up'
      readonly relay: DeviceId
      readonly mailbox: MailboxId
    }
  /** A later version wrote it. */
  | { readonly kind: 'not-understood' }

export type AuditVerdict =
  | { readonly kind: 'counts' }
  /** It never counted: by what was known when it was written. */
  | { readonly kind: 'refused'; readonly rule: RuleName }
  /**
   * Something that was not known when it was written took it back. author-removed: `by` removed its author. phrase-used: `by` used the
   * same phrase before. rests-on-voided: `by` is what made its author what it needed to be. no-admin-left: with other removals it
   * would leave no admin.
   */
  | {
      readonly kind: 'voided'
      readonly why: 'author-removed' | 'phrase-used' | 'rests-on-voided' | 'no-admin-left'
      readonly by: EntryId | undefined
    }

export interface AuditEvent {
  readonly entry: EntryId
  readonly action: AuditAction
  readonly by: AuditParty
  readonly about: AuditParty | undefined
  /** Milliseconds since 1970 by the author's clock: its word, and nothing depends on it. */
  readonly at: number
  readonly verdict: AuditVerdict
}

export interface GroupAudit {
  readonly group: GroupId
  /** Causes before effects; of the rest, first what was done first by the clocks of those who did it. */
  readonly events: readonly AuditEvent[]
  /** Everybody ever let in, by seniority, as it ends. */
  readonly devices: readonly GroupDevice[]
  /** Of the log. */
  readonly heads: readonly EntryId[]
  /** An admin's entry is of a later version: what it says is not told here. */
  readonly needsUpdate: boolean
}

/** unsigned: an entry's signature does not hold, or it is none. order: not in the order of the group, or there twice. */
export type LogFault = {
  readonly kind: 'unsigned' | 'gap' | 'order' | 'other-group' | 'no-genesis' | 'too-many'
  /** Which of the entries, counted from 1. */
  readonly entry: number
}

export interface AuditParts {
  readonly hasher?: Hasher | undefined
  readonly verifier?: Verifier | undefined
}

/** `entries`: signed bytes in the order of the group, the genesis first; all there are. Never throws for anything in them. */
export function auditOf(entries: readonly Uint8Array[], { hasher, verifier }: AuditParts = {}): Result<GroupAudit, LogFault> {
  if (entries.length > MAX_LOG_ENTRIES) return failed({ kind: 'too-many', entry: MAX_LOG_ENTRIES + 1 })
  const log: SignedEntry[] = []
  const known = new Set<EntryId>()
  for (const [index, bytes] of entries.entries()) {
    const fault = (kind: LogFault['kind']): Result<GroupAudit, LogFault> => failed({ kind, entry: index + 1 })
    const entry = decodeEntry(bytes, hasher)
    if (!entry.ok) return fault('unsigned')
    const first = log[0] ?? entry.value
    if (first.content.kind !== 'genesis') return fault('no-genesis')
    if (entry.value.group !== first.group) return fault('other-group')
    if (known.has(entry.value.id)) return fault('order')
    if (!isSigned(entry.value, verifier)) return fault('unsigned')
    if (!entry.value.parents.every(parent => known.has(parent))) {
      return fault(entries.slice(index + 1).some(later => isOneOf(later, entry.value.parents, hasher)) ? 'order' : 'gap')
    }
    known.add(entry.value.id)
    log.push(entry.value)
  }
  const [genesis] = log
  if (genesis === undefined) return failed({ kind: 'no-genesis', entry: 1 })
  const graph = createGroupGraph(genesis.group, { maxHeld: log.length })
  graph.addAll(log)
  const misplaced = log.findIndex((entry, index) => graph.ordered()[index]?.id !== entry.id)
  // One that the group would not keep, such as of an author nobody added, leaves a gap in the order too.
  if (misplaced >= 0) return failed({ kind: graph.has((log[misplaced] as SignedEntry).id) ? 'order' : 'gap', entry: misplaced + 1 })
  return ok(tell(graph, genesis.group))
}

function tell(graph: GroupGraph, group: GroupId): GroupAudit {
  const evaluation = graph.evaluation()
  const narrator = createNarrator(graph, evaluation)
  return {
    group,
    events: asToldBy(graph.ordered()).map(narrator.tell),
    devices: evaluation.devices,
    heads: evaluation.heads,
    needsUpdate: evaluation.needsUpdate,
  }
}

/** Causes before effects; what nobody knew to be before the other, by what the clocks said, or by the order of the group. */
function asToldBy(ordered: readonly SignedEntry[]): readonly SignedEntry[] {
  const missing = new Map<EntryId, number>(ordered.map(({ id, parents }) => [id, parents.length]))
  const children = new Map<EntryId, SignedEntry[]>()
  for (const entry of ordered) {
    for (const parent of entry.parents) {
      const under = children.get(parent)
      if (under === undefined) children.set(parent, [entry])
      else under.push(entry)
    }
  }
  const ready = ordered.filter(({ parents }) => parents.length === 0)
  const told: SignedEntry[] = []
  for (let next = takeEarliest(ready); next !== undefined; next = takeEarliest(ready)) {
    told.push(next)
    for (const child of children.get(next.id) ?? []) {
      const left = (missing.get(child.id) as number) - 1
      missing.set(child.id, left)
      if (left === 0) ready.push(child)
    }
  }
  return told
}

function takeEarliest(ready: SignedEntry[]): SignedEntry | undefined {
  const index = ready.reduce((best, { time }, at) => (time < (ready[best] as SignedEntry).time ? at : best), 0)
  return ready.splice(index, 1)[0]
}

function isOneOf(bytes: Uint8Array, ids: readonly EntryId[], hasher: Hasher | undefined): boolean {
  const entry = decodeEntry(bytes, hasher)
  return entry.ok && ids.includes(entry.value.id)
}
