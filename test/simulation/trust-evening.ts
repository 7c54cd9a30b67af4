/** What must hold in the evening of a day of trust: for those who stay everything that always must, and I5 for those who do not. */
import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import { documentIdOf, isKeyLost, openGroup, type DeviceId, type Group, type GroupState, type LateEdit, type SessionId } from '@segue/core'
import { nativeVerifier, type RelayStatus } from '@segue/engine/testing'
import { carryBetween } from './courier.ts'
import { startUp, type Day } from './day.ts'
import { answerAll, checkDeletions, settleDeletions, withoutDeleted } from './deletion-evening.ts'
import { deletedFor } from './deletion-world.ts'
import type { Device, Process } from './device.ts'
import { HEAL_MS, checkContents, checkGroup, checkHolders, checkLeases, checkQuiet, checkRestart, converge, running } from './evening.ts'
import { wasGivenInGoodFaith } from './given-in-good-faith.ts'
import type { Acknowledged } from './oracle.ts'
import { commitsOf } from './trust-world.ts'

export async function checkTrustEvening(day: Day): Promise<void> {
  const { devices, network, timeline, oracle, people, random } = day
  const { clock, note } = timeline
  note('evening')
  for (const device of devices) {
    device.failDisk(false)
    device.offByMs = 0
    if (device.process() === undefined) await startUp(day, device)
  }
  retire(day)
  const present = devices.filter(device => device.process() !== undefined)
  network.reunite()
  const redial = (): void => {
    network.dial(1)
    day.relays.links.dial(1)
    answerAll(day)
    clock.after(REDIAL_MS, redial)
  }
  redial()
  await clock.advance(NEWS_MS)
  const staying = whoStays(day, present)
  const stay = present.filter(({ id }) => staying.has(id))
  const gone = present.filter(({ id }) => !staying.has(id))
  note(`stay: ${stay.map(({ name }) => name).join(' ')}; out: ${gone.map(({ name }) => name).join(' ')}`)
  const inner: Day = { ...day, devices: stay }
  await converge({ ...inner, relays: await withinReach(inner) }, 'after healing')
  for (let left = 3; left > 0 && gone.length > 0; left--) people.act(random.pick(gone))
  await clock.advance(WRITTEN_MS)
  // What they wrote to the log before they heard may count, and nobody listens to them; once a courier brings it others stay.
  const theirs = running(gone).flatMap(({ runtime }) => runtime.group.entries().map(({ bytes }) => bytes))
  const together = running(stay)[0]?.runtime.group.evaluateWith(theirs)
  const isSettled = together !== undefined && activeIn(together).join() === [...staying].join()
  if (gone.length > 0 && isSettled) await carryBetween(day, running(gone), running(stay))
  await clock.advance(LONGEST_WORK_MS)
  oracle.checkPromises()
  await settleDeletions(inner)
  for (const { runtime } of running(stay)) await timeline.during(runtime.documents.late?.settled() ?? Promise.resolve(), 120_000)
  await clock.advance(REVIEW_MS)
  await settleDeletions(inner)
  await moveMailboxes(inner)
  await converge(inner, 'after the last handoff')

  checkGroup(inner)
  checkDuties(inner)
  await checkRemoved(inner, gone)
  await checkLate(inner)
  await checkConfirmed(inner)
  await checkMailboxes(inner, gone)
  for (const device of gone) {
    network.cutAllOf(device)
    day.relays.links.cutAllOf(device)
    device.crash()
  }
  const owed = owedBy(inner)
  await checkDeletions({ ...inner, oracle: { ...oracle, acknowledged: owed } })
  const left = withoutDeleted({ ...inner, oracle: { ...oracle, acknowledged: owed } })
  // Without those that left with a device that is out.
  const sessions = left.people.sessions.filter(id => owed.some(({ document }) => document === documentIdOf(id)))
  const known: Day = { ...left, people: { ...left.people, sessions } }
  await checkHolders(known)
  await checkContents(left)
  await checkLeases(known)
  await checkQuiet({ ...known, people: { ...known.people, sessions: await wholeSessions(known) } })
  await checkRestart(left)
  for (const surprise of network.surprises()) oracle.violate('quiet logs', `a link was closed: ${surprise}`)
}

/** The copies of a machine are found and switched off; what they had time to tell is told. */
function retire({ network, relays, trust, timeline }: Day): void {
  for (const clone of trust.clones) {
    if (clone.process() === undefined) continue
    network.cutAllOf(clone)
    relays.links.cutAllOf(clone)
    clone.crash()
    timeline.note(`${clone.name} is switched off`)
  }
}

/**
 * Those who, each by its own log, belong together. Two such circles come of a day only where each holds all the others for removed, or
 * never heard of them: then nobody dials anybody, and nothing can be settled. [I6] Whoever is in none must be out by what all know together.
 */
function whoStays({ oracle, timeline }: Day, present: readonly Device[]): ReadonlySet<DeviceId> {
  const all = running(present)
  const circles = new Map<string, ReadonlySet<DeviceId>>()
  const seenBy = ({ runtime }: Process): readonly DeviceId[] => activeIn(runtime.group.state.peek())
  for (const process of all) {
    const circle = seenBy(process)
    if (!circle.includes(process.device.id)) continue
    const theirs = all.filter(({ device }) => circle.includes(device.id))
    if (theirs.every(each => seenBy(each).join() === circle.join())) circles.set(circle.join(), new Set(circle))
  }
  const [largest, ...others] = [...circles.values()].toSorted((a, b) => b.size - a.size)
  if (others.length > 0) timeline.note(`the group fell into ${circles.size}`)
  const witness = all.find(({ device }) => largest?.has(device.id))
  if (largest === undefined || witness === undefined) {
    const views = all.map(process => `${process.device.name} sees ${seenBy(process).length}`)
    oracle.violate('I6', `no two agree on who belongs: ${views.join('; ')}`)
    return new Set()
  }
  for (const { device, runtime } of all) {
    if ([...circles.values()].some(circle => circle.has(device.id))) continue
    const together = witness.runtime.group.evaluateWith(runtime.group.entries().map(({ bytes }) => bytes))
    const isIn = together === undefined || activeIn(together).includes(device.id)
    if (isIn) oracle.violate('I6', `${device.name} belongs by what it knows, and nobody lets it in`)
  }
  return largest
}

function activeIn({ devices }: Pick<GroupState, 'devices'>): readonly DeviceId[] {
  return devices.flatMap(({ id, active }) => (active ? [id] : []))
}

/**
 * Without those whose mailbox the group does not get out of in the usual way, so that whoever is on no list of it stays outside meanwhile:
 * somebody who is out has settled the group in another one by a word that does not count, or no admin who stays was given the key.
 */
async function withinReach({ devices, relays, timeline }: Day): Promise<Day['relays']> {
  const group = running(devices)[0]?.runtime.group
  const named = group?.state.peek().relays ?? []
  const all = await Promise.all(
    relays.all.map(async relay => {
      const inUse = named.filter(({ id, retired }) => id === relay.id && !retired)
      for (const { mailbox } of inUse) {
        const next = await timeline.during(relay.successor(mailbox))
        const isOutrun = next !== undefined && !named.some(each => each.mailbox === next)
        if (group !== undefined && !isOutrun && !isKeyLost(group, mailbox)) return [relay]
      }
      timeline.note(`${relay.name} is out of reach`)
      return []
    }),
  )
  return { ...relays, all: all.flat() }
}

/** Where somebody who is out knows the key of a mailbox, the group is in a new one after a while, if it must be by a person's doing. */
async function moveMailboxes({ devices, relays, timeline, oracle }: Day): Promise<void> {
  if (relays.all.length === 0) return
  const stay = running(devices)
  const isMoved = (): boolean =>
    stay.every(({ runtime }) => runtime.group.state.peek().relays.every(({ retired, needsMove }) => retired || !needsMove))
  const lostOn = ({ relays: { list } }: Process): readonly RelayStatus[] =>
    list.peek().filter(({ problem }) => problem === 'RELAY_KEY_LOST')
  const isLost = (): boolean => stay.some(each => lostOn(each).length > 0)
  try {
    const took = await timeline.clock.runUntil(() => isMoved() || isLost(), { limitMs: MOVE_MS })
    for (const admin of stay) {
      for (const { id } of lostOn(admin)) {
        const relay = relays.all.find(each => each.id === id)
        if (relay === undefined) continue
        timeline.note(`${admin.device.name} adds relay ${relay.name} again`)
        await timeline.during(admin.relays.add(await timeline.during(relay.invite())))
      }
      if (isLost()) await timeline.clock.advance(NEWS_MS) // others need not do the same
    }
    if (!isMoved()) await timeline.clock.runUntil(isMoved, { limitMs: MOVE_MS })
    timeline.note(`in a mailbox of its own after ${took} ms`)
  } catch {
    oracle.violate('mailbox', 'the group is still in a mailbox whose key is known to somebody who is out')
  }
}

/** Whatever became of mailboxes meanwhile, everybody knows in the end that all of it is there. */
async function checkConfirmed({ devices, relays, timeline, oracle }: Day): Promise<void> {
  const left = (): readonly string[] =>
    running(devices).flatMap(({ device, runtime }) =>
      relays.all.flatMap(({ id, name }) => {
        const unconfirmed = runtime.replica.peers.peek().get(id)?.unconfirmed
        return unconfirmed === 0 ? [] : [`${device.name} has ${unconfirmed} on ${name}`]
      }),
    )
  try {
    await timeline.clock.runUntil(() => left().length === 0, { limitMs: HEAL_MS })
  } catch {
    oracle.violate('mailbox', `unconfirmed for ever: ${left().join('; ')}`)
  }
}

/** The mailbox that the group's log names holds what the group holds, and takes whoever stays and nobody else. */
async function checkMailboxes({ devices, relays, oracle, timeline }: Day, gone: readonly Device[]): Promise<void> {
  const [process] = running(devices)
  if (process === undefined) return
  for (const relay of relays.all) {
    const inUse = process.runtime.group.state.peek().relays.filter(each => each.id === relay.id && !each.retired)
    const held = await timeline.during(relay.fingerprints())
    if (!inUse.some(({ mailbox }) => held.get(mailbox) === process.runtime.replica.fingerprint())) {
      oracle.violate('mailbox', `${relay.name} does not hold what devices hold`)
    }
    for (const { name, id } of devices)
      if (relay.hostFor(id)?.mayConnect(id) !== true) oracle.violate('mailbox', `${relay.name} does not take ${name}`)
    // The one that was left still lets in whom it let in; nobody writes to it.
    for (const { name, id } of held.size > 1 ? [] : gone) {
      const isOut = process.runtime.group.removalOf(id) !== undefined
      if (isOut && relay.hostFor(id)?.mayConnect(id) === true) oracle.violate('mailbox', `${relay.name} still takes ${name}, which is out`)
    }
    for (const bytes of await relay.bytes()) relays.look(bytes, relay.name)
  }
}

/** Everybody has the keys they need, nobody is locked out of the administration. */
function checkDuties({ devices, oracle }: Day): void {
  for (const { device, runtime } of running(devices)) {
    const { group } = runtime
    const left = group.duties()
    if (left.length > 0) oracle.violate('duties', `${device.name} still sees ${JSON.stringify(left)}`)
    if (!group.state.peek().devices.some(({ active, role }) => active && role === 'admin')) oracle.violate('I6', 'nobody is an admin')
  }
}

/** [I5] With all it holds, the whole log and everybody's disk before it, it opens nothing that was written by who knew it was out. */
async function checkRemoved({ devices, oracle, trust, timeline }: Day, gone: readonly Device[]): Promise<void> {
  const [witness] = running(devices)
  if (witness === undefined) return
  const everything = [...running(devices), ...running(gone)].flatMap(({ runtime }) => runtime.group.entries())
  for (const { device, runtime } of running(gone)) {
    const { id, secret, entries } = runtime.group
    if (witness.runtime.group.removalOf(device.id) === undefined) continue // its adding was void: it never belonged
    const known = new Map([...entries(), ...everything].map(entry => [entry.id, entry]))
    const theirs: Group = openGroup({
      identity: device.identity,
      random: { bytes: length => new Uint8Array(length) },
      verifier: nativeVerifier,
      ...{ id, secret, entries: [...known.values()].map(({ bytes }) => bytes) },
    })
    /** What it was given the key of by somebody who had it in the group. */
    const excused = new Set<string>()
    // Who is out itself seals as before.
    const forbidden = trust.changes.filter(({ author, knew }) => knew.has(device.id) && devices.some(({ id }) => id === author))
    for (const document of new Set(forbidden.map(change => change.document))) {
      const hashes = new Set(forbidden.flatMap(change => (change.document === document ? [change.hash] : [])))
      for (const other of running(devices)) {
        for (const { hash, epoch } of await commitsOf(other.device.chunks(), other, document)) {
          const opens = hashes.has(hash) && (theirs.keyring.secretOf(epoch) ?? runtime.group.keyring.secretOf(epoch)) !== undefined
          if (!opens || excused.has(hash)) continue
          if (wasGivenInGoodFaith(runtime.group, [...known.values()], device.identity, epoch)) excused.add(hash)
          else oracle.violate('I5', `${device.name} is out and opens ${hash.slice(0, 6)} of ${document.slice(0, 6)}`)
        }
      }
      const doc = await timeline.during(runtime.documents.read(document))
      for (const hash of hashes) {
        if (A.hasHeads(doc, [hash]) && !excused.has(hash))
          oracle.violate('I5', `${device.name} is out and shows ${hash.slice(0, 6)} of ${document.slice(0, 6)}`)
      }
    }
  }
}

/** [I5] Of what a removed device wrote only what somebody held is applied; the rest is listed where it lies; all list the same. */
async function checkLate({ devices, oracle, trust, timeline }: Day): Promise<void> {
  // Of two machines under one key the one's claims take the place of the other's: who saw which decides what nobody claims (D27).
  // What lay aside of a document that was deleted since stays with who held it then: who was added later never had it.
  const deleted = new Set(running(devices).flatMap(each => [...deletedFor(each)]))
  const isListedAlike = ({ kind, document }: LateEdit): boolean =>
    !deleted.has(document) && (kind === 'quarantined' || trust.clones.size === 0)
  const lists = running(devices).map(({ device, runtime }) => ({
    device,
    late: (runtime.documents.late?.list.peek() ?? []).filter(isListedAlike),
  }))
  const described = new Set(lists.map(({ late }) => JSON.stringify(late.map(summaryOf))))
  if (described.size > 1) {
    const each = lists.map(({ device, late }) => `${device.name}: ${JSON.stringify(late.map(summaryOf))}`)
    oracle.violate('I5', `late edits are listed in ${described.size} ways: ${each.join(' | ')}`)
  }
  const [process] = running(devices)
  if (process === undefined) return
  const { group, documents } = process.runtime
  const gone = deletedFor(process)
  const builtOn = new Set(trust.changes.flatMap(({ author, after }) => (group.removalOf(author) === undefined ? after : [])))
  for (const change of trust.changes) {
    const { author, document, hash, heldBy } = change
    if (group.removalOf(author) === undefined || heldBy.size > 0 || builtOn.has(change) || gone.has(document)) continue
    if (!A.hasHeads(await timeline.during(documents.read(document)), [hash])) continue
    // What no person made may have been held without what it was written after, and brings that with it.
    if (!(await pastOf(process, document, trust.lying.get(document) ?? [])).has(hash)) {
      oracle.violate('I5', `${hash.slice(0, 6)} by ${group.device(author)?.name} is in ${document.slice(0, 6)} and nobody held it`)
    }
  }
}

/** These changes and what they depend on, as far as they lie there by themselves. */
async function pastOf(process: Process, document: DocumentId, hashes: Iterable<string>): Promise<ReadonlySet<string>> {
  const depsOf = new Map((await commitsOf(process.device.chunks(), process, document)).map(({ hash, deps }) => [hash, deps]))
  const past = new Set<string>()
  const below = [...hashes]
  for (let hash = below.pop(); hash !== undefined; hash = below.pop()) {
    if (past.has(hash)) continue
    past.add(hash)
    below.push(...(depsOf.get(hash) ?? []))
  }
  return past
}

function summaryOf({ id, kind, edits }: LateEdit): object {
  return { id, kind, edits }
}

/** Those of which no part left with a device that is out: the others are listed and do not open. */
async function wholeSessions({ devices, people, timeline }: Day): Promise<readonly SessionId[]> {
  const { documents } = (running(devices)[0] as Process).runtime
  const whole: SessionId[] = []
  for (const id of people.sessions) {
    const { companions = {} } = (await timeline.during(documents.read(documentIdOf(id)))) as { companions?: Record<string, unknown> }
    const heads = Object.values(companions).map(part => timeline.during(documents.headsOf(String(part) as DocumentId)))
    if ((await Promise.all(heads)).every(each => each.length > 0)) whole.push(id)
  }
  return whole
}

/** What was acknowledged and must be here: by who stays, and by who is out where somebody who stays had it when it learned of that. */
function owedBy({ devices, oracle, trust }: Day): readonly Acknowledged[] {
  const staying = new Set<DeviceId>(devices.flatMap(({ id }) => (trust.wentBack.has(id) || trust.isTwin(id) ? [] : [id])))
  return oracle.acknowledged.filter(each => {
    if (trust.isTwin(each.device)) return false
    const where = trust.holdersOf(each)
    if (where !== undefined && ![...where].some(id => staying.has(id))) return false
    if (devices.some(({ id }) => id === each.device)) return true
    return each.heads.every(head => trust.changes.some(({ hash, keptBy }) => hash === head && [...keptBy].some(id => staying.has(id))))
  })
}

const REDIAL_MS = 1_500
/** Within which everybody heard who is out: they need not hold the same yet. */
const NEWS_MS = 20_000
/** An edit and its claim are on the disk of who wrote it. */
const WRITTEN_MS = 5_000
const LONGEST_WORK_MS = 50_000
/** A grace for each of several admins, and some of them try twice. */
const MOVE_MS = 10 * 60_000
/** An edit without a claim is not listed sooner. */
const REVIEW_MS = 40_000
