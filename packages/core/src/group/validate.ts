/**
 * Which entries count. Each rule is a named property of an entry and the facts of its causal past, nothing else, so it has the
 * same answer on every device and for ever. The name is what the person sees when a change is refused.
 */
import { equalBytes } from '../lib/bytes.ts'
import type { EntryContent, SignedEntry } from './entry.ts'
import { activeDevices, type GroupFacts } from './facts.ts'

export type RuleName =
  | 'authorWasAdded'
  | 'authorWasActive'
  | 'needsAdmin'
  | 'deviceIsNew'
  | 'targetIsKnown'
  | 'leavesAnAdmin'
  | 'namesItselfOrIsAdmin'
  | 'mailboxKeepsItsKey'

export const RULES: Readonly<Record<RuleName, (entry: SignedEntry, past: GroupFacts) => boolean>> = {
  authorWasAdded: (entry, past) => past.devices.has(entry.author),
  authorWasActive: (entry, past) => activeDevices(past).has(entry.author),
  needsAdmin: (entry, past) => past.devices.get(entry.author)?.role.value === 'admin',
  deviceIsNew: ({ content }, past) => content.kind !== 'add' || !past.devices.has(content.device),
  targetIsKnown: ({ content }, past) => !('target' in content) || past.devices.has(content.target),
  leavesAnAdmin: ({ content }, past) =>
    content.kind !== 'role' ||
    content.role === 'admin' ||
    [...activeDevices(past).values()].some(device => device.id !== content.target && device.role.value === 'admin'),
  namesItselfOrIsAdmin: (entry, past) =>
    entry.content.kind !== 'rename' || entry.content.target === entry.author || RULES.needsAdmin(entry, past),
  mailboxKeepsItsKey({ content }, past) {
    const made = content.kind === 'relay' ? past.relays.get(content.mailbox)?.made : undefined
    return made === undefined || content.kind !== 'relay' || (made.relay === content.relay && equalBytes(made.adminKey, content.adminKey))
  },
}

/** The rules of each kind, in the order in which they are told to a person. The genesis rests on nothing. */
export const RULES_OF: Readonly<Record<EntryContent['kind'], readonly RuleName[]>> = {
  genesis: [],
  add: ['authorWasAdded', 'authorWasActive', 'needsAdmin', 'deviceIsNew'],
  role: ['authorWasAdded', 'authorWasActive', 'needsAdmin', 'targetIsKnown', 'leavesAnAdmin'],
  rename: ['authorWasAdded', 'authorWasActive', 'targetIsKnown', 'namesItselfOrIsAdmin'],
  relay: ['authorWasAdded', 'authorWasActive', 'needsAdmin', 'mailboxKeepsItsKey'],
  unknown: ['authorWasAdded', 'authorWasActive'],
}

/** The first rule that the entry breaks, given the facts of its causal past; undefined if it counts. */
export function brokenRule(entry: SignedEntry, past: GroupFacts): RuleName | undefined {
  return RULES_OF[entry.content.kind].find(name => !RULES[name](entry, past))
}
