/** The rules in plain words, for a person who never read them. `Record`s without holes: a new rule does not compile without its words. */
import type { RuleName } from '../group/validate.ts'
import type { AuditAction, AuditVerdict } from './audit.ts'

/** Why an entry never counted. */
export const RULE_WORDS: Readonly<Record<RuleName, string>> = {
  authorWasAdded: 'its author had not been let in',
  authorWasActive: 'its author was out, or waiting for a place',
  needsAdmin: 'its author was no admin',
  deviceIsNew: 'that key was in the group already, or had been before',
  targetIsKnown: 'nobody knew of that device',
  targetIsMember: 'that device was out already',
  leavesAnAdmin: 'no admin would have been left',
  namesItselfOrIsAdmin: 'only an admin may name another device',
  mailboxKeepsItsKey: 'a mailbox keeps its relay and its key',
  wrapsForMembersOnly: 'it gave keys to somebody outside the group',
  recoveryKeyIsNew: 'that phrase had been used before',
}

/** Why an entry was taken back by something it did not know of. */
export const VOID_WORDS: Readonly<Record<Extract<AuditVerdict, { kind: 'voided' }>['why'], string>> = {
  'author-removed': 'its author was being removed, and this was not known to who removed it',
  'phrase-used': 'the same recovery phrase had been used, and replaced, elsewhere',
  'rests-on-voided': 'what its author needed for it was itself taken back',
  'no-admin-left': 'with other removals it would have left no admin',
}

/** What was done, as a verb; the parties go around it. */
export const ACTION_WORDS: Readonly<Record<AuditAction['kind'], string>> = {
  founded: 'founded the group',
  added: 'let in',
  removed: 'removed',
  left: 'left the group',
  promoted: 'made an admin of',
  demoted: 'made a member of',
  renamed: 'renamed',
  'keys-rotated': 'changed the keys',
  'key-given': 'gave a key to',
  'phrase-made': 'named a recovery phrase',
  'relay-added': 'began to use a relay',
  'relay-moved': 'said where a relay is now',
  'relay-shared': 'gave another admin the key of a relay’s mailbox',
  'relay-given-up': 'gave up a relay',
  'not-understood': 'wrote something that a later version understands',
}
