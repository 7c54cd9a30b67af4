/**
 * Which entries count. Each rule is a named property of an entry and the facts of its causal past, nothing else, so it has the
 * same answer on every device and for ever. The name is what the person sees when a change is refused. What removals void on top of
 * that is in `worlds.ts`.
 */
import { equalBytes } from '../lib/bytes.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { EntryContent, SignedEntry } from './entry.ts'
import { adminsOf, isActiveIn, isAdminIn, type GroupFacts } from './facts.ts'

export type RuleName =
  | 'authorWasAdded'
  | 'authorWasActive'
  | 'needsAdmin'
  | 'deviceIsNew'
  | 'targetIsKnown'
  | 'targetIsMember'
  | 'leavesAnAdmin'
  | 'namesItselfOrIsAdmin'
  | 'mailboxKeepsItsKey'
  | 'wrapsForMembersOnly'
  | 'recoveryKeyIsNew'

export const RULES: Readonly<Record<RuleName, (entry: SignedEntry, past: GroupFacts) => boolean>> = {
  authorWasAdded: ({ author }, past) => past.devices.has(author) || past.recoveryKeys.has(author),
  authorWasActive: ({ author }, past) => isActiveIn(past, author) || isPhrase(past, author),
  needsAdmin: ({ author }, past) => isAdminIn(past, author) || isPhrase(past, author),
  deviceIsNew: ({ content }, past) =>
    content.kind !== 'add' || !(past.devices.has(content.device) || past.recoveryKeys.has(content.device)),
  targetIsKnown: ({ content }, past) => !('target' in content) || past.devices.has(content.target),
  targetIsMember: ({ content }, past) => !('target' in content) || isMember(past, content.target),
  leavesAnAdmin({ author, content }, past) {
    if (content.kind !== 'remove' && (content.kind !== 'role' || content.role === 'admin')) return true
    return isPhrase(past, author) || adminsOf(past).some(device => device.id !== content.target)
  },
  namesItselfOrIsAdmin: (entry, past) =>
    entry.content.kind !== 'rename' || entry.content.target === entry.author || RULES.needsAdmin(entry, past),
  mailboxKeepsItsKey({ content }, past) {
    const made = content.kind === 'relay' ? past.relays.get(content.mailbox)?.made : undefined
    return made === undefined || content.kind !== 'relay' || (made.relay === content.relay && equalBytes(made.adminKey, content.adminKey))
  },
  wrapsForMembersOnly({ content }, past) {
    const mayOpen = (device: DeviceId): boolean => isMember(past, device) || isPhrase(past, device)
    if (content.kind === 'wrap') return mayOpen(content.device)
    if (content.kind === 'rotate') return content.epoch.wraps.every(wrap => mayOpen(wrap.device))
    if (content.kind !== 'remove') return true
    return content.epoch.wraps.every(wrap => wrap.device !== content.target && mayOpen(wrap.device))
  },
  recoveryKeyIsNew: ({ content }, past) =>
    content.kind !== 'recovery' || !(past.recoveryKeys.has(content.key) || past.devices.has(content.key)),
}

/** The rules of each kind, in the order in which they are told to a person. The genesis rests on nothing. */
export const RULES_OF: Readonly<Record<EntryContent['kind'], readonly RuleName[]>> = {
  genesis: [],
  add: ['authorWasAdded', 'authorWasActive', 'needsAdmin', 'deviceIsNew'],
  role: ['authorWasAdded', 'authorWasActive', 'needsAdmin', 'targetIsKnown', 'targetIsMember', 'leavesAnAdmin'],
  rename: ['authorWasAdded', 'authorWasActive', 'targetIsKnown', 'namesItselfOrIsAdmin'],
  relay: ['authorWasAdded', 'authorWasActive', 'needsAdmin', 'mailboxKeepsItsKey'],
  remove: ['authorWasAdded', 'authorWasActive', 'needsAdmin', 'targetIsKnown', 'targetIsMember', 'leavesAnAdmin', 'wrapsForMembersOnly'],
  rotate: ['authorWasAdded', 'authorWasActive', 'wrapsForMembersOnly'],
  wrap: ['authorWasAdded', 'authorWasActive', 'wrapsForMembersOnly'],
  recovery: ['authorWasAdded', 'authorWasActive', 'needsAdmin', 'recoveryKeyIsNew'],
  unknown: ['authorWasAdded', 'authorWasActive'],
}

/** The first rule that the entry breaks, given the facts of its causal past; undefined if it counts. */
export function brokenRule(entry: SignedEntry, past: GroupFacts): RuleName | undefined {
  return RULES_OF[entry.content.kind].find(name => !RULES[name](entry, past))
}

/** Whether the entry counts only because its author is an admin. */
export function restsOnRole({ author, content }: SignedEntry): boolean {
  return content.kind === 'rename' ? content.target !== author : RULES_OF[content.kind].includes('needsAdmin')
}

/** Whether this is the key of the phrase in force. */
export function isPhrase(facts: GroupFacts, key: DeviceId): boolean {
  return facts.recovery?.recovery.id === key
}

function isMember(facts: GroupFacts, device: DeviceId): boolean {
  return facts.devices.has(device) && !facts.removed.has(device)
}
