/** Tells each entry of an evaluated log as an event. Names and addresses are those in force at that place. */
import { unreachable } from '../lib/assert.ts'
import type { DeviceId, EntryId, MailboxId } from '../lib/ids.ts'
import type { SignedEntry } from '../group/index.ts'
import type { GroupEvaluation, GroupGraph } from '../group/resolve.ts'
import type { AuditAction, AuditEvent, AuditParty, AuditVerdict } from './audit.ts'

export interface Narrator {
  /** Of every entry once, causes before effects. */
  readonly tell: (entry: SignedEntry) => AuditEvent
}

export function createNarrator(graph: Pick<GroupGraph, 'isBefore' | 'ordered'>, evaluation: GroupEvaluation): Narrator {
  const names = new Map<DeviceId, string>()
  const phrases = new Set<DeviceId>()
  const relays = new Map<MailboxId, string>()
  const strikes = strikesOf(evaluation)

  const partyOf = (id: DeviceId): AuditParty => ({ kind: phrases.has(id) ? 'phrase' : 'device', id, name: names.get(id) })
  const verdictOf = (entry: SignedEntry): AuditVerdict => {
    const rule = evaluation.refused.get(entry.id)
    if (rule !== undefined) return { kind: 'refused', rule }
    if (!evaluation.voided.has(entry.id)) return { kind: 'counts' }
    const strike = strikes.get(entry.author)?.find(({ id }) => id !== entry.id && !graph.isBefore(entry.id, id))
    if (strike !== undefined) {
      return { kind: 'voided', why: strike.content.kind === 'remove' ? 'author-removed' : 'phrase-used', by: strike.id }
    }
    const ground = graph
      .ordered()
      .find(({ id, content }) => evaluation.voided.has(id) && makes(content, entry.author) && graph.isBefore(id, entry.id))
    if (ground !== undefined) return { kind: 'voided', why: 'rests-on-voided', by: ground.id }
    return { kind: 'voided', why: entry.content.kind === 'remove' ? 'no-admin-left' : 'rests-on-voided', by: undefined }
  }
  const aboutOf = ({ content }: SignedEntry): AuditParty | undefined => {
    switch (content.kind) {
      case 'add':
        return { kind: 'device', id: content.device, name: content.name }
      case 'remove':
      case 'role':
      case 'rename':
        return partyOf(content.target)
      case 'wrap':
        return partyOf(content.device)
      case 'recovery':
        return { kind: 'phrase', id: content.key, name: undefined }
      case 'genesis':
      case 'relay':
      case 'rotate':
      case 'unknown':
        return undefined
      default:
        return unreachable(content)
    }
  }
  const actionOf = (entry: SignedEntry): AuditAction => {
    const { content } = entry
    switch (content.kind) {
      case 'genesis':
        return { kind: 'founded' }
      case 'add':
        return { kind: 'added', role: content.role }
      case 'remove':
        return { kind: content.target === entry.author ? 'left' : 'removed' }
      case 'role':
        return { kind: content.role === 'admin' ? 'promoted' : 'demoted' }
      case 'rename':
        return { kind: 'renamed', name: content.name }
      case 'rotate':
        return { kind: 'keys-rotated' }
      case 'wrap':
        return { kind: 'key-given' }
      case 'recovery':
        return { kind: 'phrase-made' }
      case 'relay': {
        const { relay, mailbox, retired, addresses } = content
        const before = relays.get(mailbox)
        if (retired) return { kind: 'relay-given-up', relay, mailbox }
        if (before === undefined) return { kind: 'relay-added', relay, mailbox }
        return { kind: before === addresses.join() ? 'relay-shared' : 'relay-moved', relay, mailbox }
      }
      case 'unknown':
        return { kind: 'not-understood' }
      default:
        return unreachable(content)
    }
  }
  const learn = ({ content, author }: SignedEntry, counts: boolean): void => {
    // A phrase is one, and a device has a name, whether or not what said so counts: or the story would have nobody in it.
    if (content.kind === 'genesis') names.set(author, content.name)
    else if (content.kind === 'add' && (counts || !names.has(content.device))) names.set(content.device, content.name)
    else if (content.kind === 'rename' && counts) names.set(content.target, content.name)
    else if (content.kind === 'recovery') phrases.add(content.key)
    else if (content.kind === 'relay' && counts) relays.set(content.mailbox, content.addresses.join())
  }
  return {
    tell(entry) {
      const verdict = verdictOf(entry)
      if (entry.content.kind === 'genesis') learn(entry, true)
      const about = aboutOf(entry)
      const event = { entry: entry.id, action: actionOf(entry), by: partyOf(entry.author), about, at: entry.time, verdict }
      learn(entry, verdict.kind === 'counts')
      return event
    },
  }
}

/** What takes back what its target wrote without knowing of it: removals, and a phrase that was used and named the next one. */
function strikesOf({ counting, removals }: GroupEvaluation): ReadonlyMap<DeviceId, readonly SignedEntry[]> {
  const prevailing = new Set<EntryId>(removals)
  const named = new Set(counting.flatMap(({ content }) => (content.kind === 'recovery' ? [content.key] : [])))
  const strikes = new Map<DeviceId, SignedEntry[]>()
  for (const entry of counting) {
    const { content, author, id } = entry
    const target =
      content.kind === 'remove' && prevailing.has(id)
        ? content.target
        : content.kind === 'recovery' && named.has(author)
          ? author
          : undefined
    if (target !== undefined) strikes.set(target, [...(strikes.get(target) ?? []), entry])
  }
  return strikes
}

/** Whether this is what made `device` what it is: in the group, an admin, or the phrase. */
function makes(content: SignedEntry['content'], device: DeviceId): boolean {
  if (content.kind === 'add') return content.device === device
  if (content.kind === 'role') return content.target === device && content.role === 'admin'
  return content.kind === 'recovery' && content.key === device
}
