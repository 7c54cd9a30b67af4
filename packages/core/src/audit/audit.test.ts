import { expect, test } from 'vitest'
import { hexId, type MailboxId } from '../lib/ids.ts'
import { signEntry, type KnownContent, type SignedEntry } from '../group/index.ts'
import { createGraph } from '../group/graph.ts'
import { createGroupLogCast, type RelayInLog } from '../testing/group-log.ts'
import { auditOf, type AuditEvent, type GroupAudit } from './audit.ts'
import { ACTION_WORDS, RULE_WORDS, VOID_WORDS } from './words.ts'

const cast = createGroupLogCast(71)
const { laptop, desk, phone, stranger, genesis } = cast

test('[A2] each entry is told once, under the names of its time', () => {
  const deskAdded = cast.add(laptop, [genesis], desk)
  const renamed = cast.rename(desk, [deskAdded], desk, 'studio')
  const promoted = cast.role(laptop, [renamed], desk, 'admin')
  const mailbox: RelayInLog = {
    mailbox: hexId<MailboxId>(new Uint8Array(16).fill(7)),
    relay: stranger.id,
    adminKey: stranger.signing.publicKey,
    addresses: ['/ip4/10.0.0.1/tcp/4001'],
  }
  const relayAdded = cast.relay(desk, [promoted], mailbox)
  const moved = cast.relay(desk, [relayAdded], { ...mailbox, addresses: ['/ip4/10.0.0.2/tcp/4001'] })
  const shared = cast.relay(desk, [moved], { ...mailbox, addresses: ['/ip4/10.0.0.2/tcp/4001'] })
  const phrase = cast.recovery(laptop, [shared], cast.device('paper'))
  const rotated = cast.rotate(desk, [phrase])
  const given = cast.wrap(laptop, [rotated], desk)
  const gone = cast.relay(desk, [phrase, given], { ...mailbox, retired: true })
  const demoted = cast.role(laptop, [gone], desk, 'member')
  const removed = cast.remove(laptop, [demoted], desk)
  const { events } = audited(
    genesis,
    deskAdded,
    renamed,
    promoted,
    relayAdded,
    moved,
    shared,
    phrase,
    rotated,
    given,
    gone,
    demoted,
    removed,
  )
  expect(events.map(lineOf)).toEqual([
    'laptop founded',
    'laptop added desk',
    'desk renamed desk',
    'laptop promoted studio',
    'studio relay-added',
    'studio relay-moved',
    'studio relay-shared',
    'laptop phrase-made a phrase',
    'studio keys-rotated',
    'laptop key-given studio',
    'studio relay-given-up',
    'laptop demoted studio',
    'laptop removed studio',
  ])
  expect(events.every(({ verdict }) => verdict.kind === 'counts')).toBe(true)
})

test('[A2] of what is concurrent what the clocks call earlier is told first, and a cause never after its effect', () => {
  const said = (time: number, parent: SignedEntry, content: KnownContent, by = laptop): SignedEntry =>
    signEntry({ group: genesis.group, parents: [parent.id], time, content }, by.signing)
  const named = (name: string): KnownContent => ({ kind: 'rename', target: laptop.id, name })
  const one = said(20, genesis, named('one'))
  const other = said(10, genesis, named('other'))
  const late = said(5, one, named('after one')) // on a clock that went back
  const { events } = audited(genesis, one, other, late)
  expect(events.map(({ action }) => (action.kind === 'renamed' ? action.name : action.kind))).toEqual([
    'founded',
    'other',
    'one',
    'after one',
  ])
})

test('[A2] what the words of a phrase did is told as the phrase’s, and who left by itself as that', () => {
  const paper = cast.device('paper')
  const named = cast.recovery(laptop, [genesis], paper)
  const newcomer = cast.device('newcomer')
  const back = cast.add(paper, [named], newcomer, 'admin')
  const left = cast.remove(laptop, [back], laptop)
  const { events } = audited(genesis, named, back, left)
  expect(events.map(lineOf)).toEqual(['laptop founded', 'laptop phrase-made a phrase', 'a phrase added newcomer', 'laptop left laptop'])
})

test('[A3] what breaks a rule is told with it', () => {
  const deskAdded = cast.add(laptop, [genesis], desk)
  const grab = cast.role(desk, [deskAdded], desk, 'admin')
  const { events } = audited(genesis, deskAdded, grab)
  expect(events[2]).toMatchObject({ action: { kind: 'promoted' }, verdict: { kind: 'refused', rule: 'needsAdmin' } })
})

test('[A3] what a removal voids is told with that removal, and what rests on it with the word it rested on', () => {
  const deskAdded = cast.add(laptop, [genesis], desk, 'admin')
  const removal = cast.remove(laptop, [deskAdded], desk)
  const behind = cast.add(desk, [deskAdded], phone, 'admin')
  const after = cast.add(phone, [behind], stranger)
  const verdicts = verdictsOf(audited(genesis, deskAdded, removal, behind, after))
  expect(verdicts.get(behind.id)).toEqual({ kind: 'voided', why: 'author-removed', by: removal.id })
  expect(verdicts.get(after.id)).toEqual({ kind: 'voided', why: 'rests-on-voided', by: behind.id })
  expect(verdicts.get(removal.id)).toEqual({ kind: 'counts' })
})

test('[A3] removals that together would leave no admin, and a phrase used twice, are told as that', () => {
  const deskAdded = cast.add(laptop, [genesis], desk, 'admin')
  const two = [cast.remove(laptop, [deskAdded], laptop), cast.remove(desk, [deskAdded], desk)] as const
  const verdicts = [...verdictsOf(audited(genesis, deskAdded, ...two)).values()]
  expect(verdicts).toContainEqual({ kind: 'voided', why: 'no-admin-left', by: undefined })

  const paper = cast.device('paper')
  const named = cast.recovery(laptop, [genesis], paper)
  const uses = [cast.recovery(paper, [named], cast.device('one')), cast.recovery(paper, [named], cast.device('two'))] as const
  const [won, lost] = uses.toSorted((a, b) => (a.id < b.id ? -1 : 1)) as [SignedEntry, SignedEntry]
  expect(verdictsOf(audited(genesis, named, ...uses)).get(lost.id)).toEqual({ kind: 'voided', why: 'phrase-used', by: won.id })
})

test('[A1] an entry that its author did not sign ends the reading, wherever it stands', () => {
  const deskAdded = cast.add(laptop, [genesis], desk)
  const forged = deskAdded.bytes.slice()
  forged[forged.length - 1] = (forged.at(-1) as number) ^ 1
  expect(auditOf([genesis.bytes, forged])).toEqual({ ok: false, error: { kind: 'unsigned', entry: 2 } })
})

test('[A3] every rule and every action has its words', () => {
  for (const words of [RULE_WORDS, VOID_WORDS, ACTION_WORDS]) expect(Object.values(words).every(text => text.length > 3)).toBe(true)
})

function audited(...entries: readonly SignedEntry[]): GroupAudit {
  const audit = auditOf(inOrder(entries).map(({ bytes }) => bytes))
  if (!audit.ok) throw new Error(`not taken: ${JSON.stringify(audit.error)}`)
  return audit.value
}

function inOrder(entries: readonly SignedEntry[]): readonly SignedEntry[] {
  const graph = createGraph<SignedEntry>({
    ...{ maxEntries: 100, maxHeld: 100, admits: () => true, shareOf: () => undefined },
    onLinked: () => undefined,
    onEvicted: () => undefined,
  })
  graph.addAll(entries)
  return graph.ordered()
}

function lineOf({ by, action, about }: AuditEvent): string {
  const nameOf = (party: AuditEvent['by']): string => (party.kind === 'phrase' ? 'a phrase' : (party.name ?? 'nobody'))
  return [nameOf(by), action.kind, about === undefined ? undefined : nameOf(about)].filter(part => part !== undefined).join(' ')
}

function verdictsOf({ events }: GroupAudit): ReadonlyMap<string, AuditEvent['verdict']> {
  return new Map(events.map(({ entry, verdict }) => [entry, verdict]))
}
