/** What must hold at the end of a day (and some of it at any time), by the names of the invariants. */
import * as A from '@automerge/automerge'
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { startUp, type Day } from './day.ts'
import { answerAll, checkDeletions, checkGone, settleDeletions, withoutDeleted } from './deletion-evening.ts'
import { deletedFor } from './deletion-world.ts'
import type { Device, Process } from './device.ts'
import { checkStrangers, comeOver } from './strangers.ts'
import { checkNames } from './relay-names.ts'
import type { Acknowledged, Oracle } from './oracle.ts'
import { areRelaysInStep, checkRelays, healRelays, takeTurns } from './relay-evening.ts'

/** Virtual time within which healed devices must agree. */
export const HEAL_MS = 40_000
/** Longer than any handoff of a day may take. */
const HANDOFFS_END_MS = 50_000
const SETTLE_MS = 30_000
/** Two minutes after a relay confirmed everything it is said once, and answered by none. */
const HEARTBEATS_END_MS = 240_000
const QUIET_MS = 120_000
/** A heartbeat, which counts apart, says no sooner what is new. */
const BEFORE_HEARTBEATS_MS = 4_000
/** What the product notices of a dead link and dials again. */
const REDIAL_MS = 500

/** [I8] Nobody else may believe to be the one that drives; asked of all in one instant. */
export async function checkHolders({ devices, people, oracle }: Day): Promise<void> {
  for (const session of people.sessions) {
    const sure: string[] = []
    for (const process of running(devices)) {
      const lease = await now(process.runtime.handoffs.lease(session))
      if (lease?.confirmed === true && lease.holder === process.device.id) sure.push(process.device.name)
    }
    if (sure.length > 1) oracle.violate('I8', `${sure.join(' and ')} both drive ${session.slice(0, 6)}, confirmed`)
  }
}

/** [I2] What this device acknowledged before it died is there, on its own disk. */
export async function checkDisk({ oracle, timeline, trust }: Day, process: Process): Promise<void> {
  const gone = deletedFor(process)
  const isOwn = ({ device, document }: Acknowledged): boolean => device === process.device.id && !gone.has(document)
  const own = oracle.acknowledged.filter(each => isOwn(each) && !trust.isExcused(each, process.device))
  const lacking = await timeline.during(lackingOn(process, own))
  if (lacking.length > 0) oracle.violate('I2', `${process.device.name} came up again without ${lacking.join(' ')}`)
}

export async function checkEvening(day: Day): Promise<void> {
  const { devices, network, relays, timeline, oracle } = day
  const { clock, note } = timeline
  note('evening')
  await healRelays(day)
  if (day.kind === 'shifts') await takeTurns(day)
  for (const device of devices) {
    device.failDisk(false)
    device.offByMs = 0
    if (device.process() === undefined) await startUp(day, device)
  }
  network.reunite()
  const redial = (): void => {
    network.dial(1)
    relays.links.dial(1)
    answerAll(day)
    clock.after(REDIAL_MS, redial)
  }
  redial()
  await comeOver(day)
  await converge(day, 'after healing')
  await clock.advance(HANDOFFS_END_MS)
  oracle.checkPromises()
  await settleDeletions(day)
  await converge(day, 'after the last handoff')
  await checkDeletions(day)
  const left = withoutDeleted(day)
  await checkHolders(left)
  await checkContents(left)
  await checkStrangers(left)
  checkGroup(day)
  await checkLeases(left)
  await checkQuiet(left)
  await checkNames(day)
  await checkRestart(left)
  await checkRelays(day)
  // Who is let in before it comes over has no proof yet.
  const refused = day.kind === 'adoption' ? [] : network.refusedProofs()
  for (const surprise of [...network.surprises(), ...refused, ...relays.links.surprises()]) {
    const isLeaving = day.kind === 'adoption' && surprise.endsWith(': shutting-down')
    if (!isLeaving) oracle.violate('quiet logs', `a link was closed: ${surprise}`)
  }
}

/** [I1] All hold the same and know it. */
export async function converge(day: Day, when: string): Promise<void> {
  const { devices, network, timeline, oracle } = day
  const links = (devices.length * (devices.length - 1)) / 2
  const isSame = (): boolean => {
    if (network.openLinks(devices) < links || !areRelaysInStep(day)) return false
    const all = running(devices)
    const [first] = all
    return all.every(({ runtime: { replica } }) => {
      if (replica.fingerprint() !== first?.runtime.replica.fingerprint() || replica.durability.peek().pending > 0) return false
      if (replica.log().fingerprint !== first.runtime.replica.log().fingerprint) return false
      const peers = [...replica.peers.peek()].flatMap(([id, sync]) => (devices.some(device => device.id === id) ? [sync] : []))
      return peers.length === devices.length - 1 && peers.every(({ state, behind }) => state === 'in-sync' && behind === 0)
    })
  }
  try {
    const took = await timeline.clock.runUntil(isSame, { limitMs: HEAL_MS })
    timeline.note(`converged ${when} in ${took} ms`)
  } catch {
    const states = running(devices).map(({ device, runtime: { replica } }) => {
      const peers = [...replica.peers.peek()].map(
        ([id, { state, behind }]) => `${nameOf([...devices, ...day.relays.all], id)}=${state}-${behind}`,
      )
      return `${device.name} ${replica.fingerprint().slice(0, 6)} log ${replica.log().count} pending ${replica.durability.peek().pending} [${peers.join(' ')}]`
    })
    oracle.violate('I1', `not the same ${HEAL_MS / 1_000} s ${when}, ${network.openLinks(devices)} of ${links} links: ${states.join('; ')}`)
  }
}

/** [I1] Every document has the same heads everywhere; [I3] and contains what was acknowledged anywhere. */
export async function checkContents(
  { devices, people, oracle, timeline, random }: Day,
  owed: Oracle['acknowledged'] = oracle.acknowledged,
): Promise<void> {
  for (const document of people.documents) {
    const heads = new Map<string, string>()
    for (const { device, runtime } of running(devices)) {
      heads.set(device.name, (await timeline.during(runtime.documents.headsOf(document))).join())
    }
    if (new Set(heads.values()).size !== 1) oracle.violate('I1', `${document} differs: ${JSON.stringify([...heads])}`)
  }
  const process = random.pick(running(devices)) // the others have the same heads
  const lacking = await timeline.during(lackingOn(process, owed))
  if (lacking.length > 0) oracle.violate('I3', `${process.device.name} lacks ${lacking.join(' ')}`)
}

/** [I6] One answer about who belongs. */
export function checkGroup({ devices, oracle }: Day): void {
  const states = running(devices).map(({ runtime }) => runtime.group.state.peek())
  const described = new Set(
    states.map(state => JSON.stringify(state, (_key, value: unknown) => (value instanceof Uint8Array ? [...value].join() : value))),
  )
  if (described.size !== 1) oracle.violate('I6', `${described.size} answers about the group: ${[...described].join(' | ')}`)
  const belong = new Set(devices.map(({ id }) => id)).size
  if (states.some(state => state.devices.filter(({ active }) => active).length !== belong))
    oracle.violate('I6', 'a device is missing in the group')
}

/** [I8] One holder. */
export async function checkLeases({ devices, people, oracle, timeline }: Day): Promise<void> {
  for (const session of people.sessions) {
    const holders = new Map<string, string>()
    for (const { device, runtime } of running(devices)) {
      const { holder } = await timeline.during(runtime.handoffs.lease(session))
      holders.set(device.name, nameOf(devices, holder))
    }
    if (new Set(holders.values()).size !== 1) oracle.violate('I8', `${session.slice(0, 6)} is held by ${JSON.stringify([...holders])}`)
  }
  for (const { device, runtime } of running(devices)) {
    for (const { id, state } of runtime.handoffs.list.peek()) {
      if (state !== 'ended') oracle.violate('I10', `${device.name}: handoff ${id.slice(0, 6)} is still ${state}`)
    }
  }
}

/** [I7] Next to nothing is said when nothing happens, and little about one edit. */
export async function checkQuiet(day: Day): Promise<void> {
  const { devices, network, relays, oracle, timeline } = day
  const { clock } = timeline
  // Opening a document asks for it first, and ends in claims: that is over by the time of the edit.
  const isAsked = devices.length === 3 && relays.all.length === 0
  if (isAsked) await openSomething(day)
  // The checks before this one opened documents as well; and devices say last what relays hold.
  await clock.advance(relays.all.length === 0 ? SETTLE_MS : SETTLE_MS + HEARTBEATS_END_MS)
  const links = network.openLinks() + relays.links.openLinks()
  const before = network.frames() + relays.links.frames()
  await clock.advance(QUIET_MS)
  const quiet = network.frames() + relays.links.frames() - before
  // one message per link in 30 s, and a heartbeat a minute from each end
  const allowed = links * (QUIET_MS / 30_000 + 2 * (QUIET_MS / 60_000))
  if (quiet > allowed) oracle.violate('I7', `${quiet} frames in ${QUIET_MS / 1_000} quiet seconds on ${links} links, ${allowed} allowed`)
  const handle = isAsked ? await openSomething(day) : undefined
  if (handle === undefined) return
  await clock.advance(1_000)
  const beforeEdit = network.frames()
  handle.change(doc => A.splice(doc, ['text'], 0, 0, 'x'))
  await clock.advance(BEFORE_HEARTBEATS_MS)
  const said = network.frames() - beforeEdit
  if (said > 20) oracle.violate('I7', `${said} frames about one edit among three devices`)
}

/** A document of the first session, on the first device. What left with a device that is out is listed, and nowhere. */
async function openSomething({ devices, people, timeline }: Day): Promise<DocHandle<{ text: string }> | undefined> {
  const [process] = running(devices)
  const [session] = people.sessions
  if (process === undefined || session === undefined) return undefined
  const face = await timeline.during(process.runtime.faces.open(session, { signal: timeline.timeout(5_000) }))
  for (const { documentId } of face.documents.list.peek()) {
    if ((await timeline.during(process.runtime.documents.headsOf(documentId))).length === 0) continue
    return timeline.during(face.documents.open<{ text: string }>(documentId, { signal: timeline.timeout(5_000) }))
  }
  return undefined
}

/** [I9] Read again from disk, bundled or not, every document is what it was. */
export async function checkRestart(day: Day): Promise<void> {
  const { devices, network, relays, people, oracle, timeline, random } = day
  const device = random.pick(devices)
  const process = device.process()
  if (process === undefined) return
  const before = new Map<DocumentId, string>()
  await timeline.during(process.runtime.documents.flush())
  for (const document of people.documents) before.set(document, (await timeline.during(process.runtime.documents.headsOf(document))).join())
  network.cutAllOf(device)
  relays.links.cutAllOf(device)
  device.crash()
  const again = await device.start()
  for (const [document, heads] of before) {
    const read = (await timeline.during(again.runtime.documents.headsOf(document))).join()
    if (read !== heads) oracle.violate('I9', `${device.name} reads ${document} from disk as ${read}, it was ${heads}`)
  }
  await checkGone(day, again)
}

export async function lackingOn(
  { runtime }: Process,
  acknowledged: readonly { readonly document: DocumentId; readonly heads: readonly string[] }[],
): Promise<readonly string[]> {
  const lacking: string[] = []
  const owed = new Map<DocumentId, Set<string>>()
  for (const { document, heads } of acknowledged) {
    const hashes = owed.get(document) ?? new Set()
    owed.set(document, hashes)
    for (const head of heads) hashes.add(head)
  }
  for (const [document, hashes] of owed) {
    const has = await now(runtime.documents.open<unknown>(document).then(handle => (hash: string) => A.hasHeads(handle.doc(), [hash])))
    for (const hash of hashes) if (has?.(hash) !== true) lacking.push(`${document.slice(0, 6)}:${hash.slice(0, 6)}`)
  }
  return lacking
}

/** What `work` gives without any time passing; undefined when it needs more. */
async function now<Value>(work: Promise<Value>): Promise<Value | undefined> {
  const isSettled = work.then(
    () => true,
    () => true,
  )
  const settled = await Promise.race([isSettled, new Promise<false>(done => setImmediate(() => setImmediate(() => done(false))))])
  return settled ? work.catch(() => undefined) : undefined
}

export function running(devices: readonly Device[]): readonly Process[] {
  return devices.flatMap(device => device.process() ?? [])
}

function nameOf(devices: readonly { readonly id: string; readonly name: string }[], id: string | undefined): string {
  return devices.find(device => device.id === id)?.name ?? 'nobody'
}
