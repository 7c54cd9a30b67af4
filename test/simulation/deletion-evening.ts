/** What must hold of deletions in the evening: gone is gone, everywhere, for good; the rest is untouched, and what nobody saw is kept. */
import type { DocumentId } from '@automerge/automerge-repo'
import { documentIdOf, isSegueError } from '@segue/core'
import type { Day } from './day.ts'
import { answer } from './deletion-acts.ts'
import { tombstonesOn } from './deletion-world.ts'
import type { Process } from './device.ts'
import { lackingOn, running } from './evening.ts'

/** From now on whoever is asked answers, sooner or later. */
export function answerAll(day: Day): void {
  for (const process of running(day.devices)) answer(day, process)
}

/** Answers until nobody is asked any more. */
export async function settleDeletions(day: Day): Promise<void> {
  for (let left = 20; left > 0; left--) {
    const isAsked = running(day.devices).some(
      ({ runtime: { deletions } }) => deletions.edits.peek().length > 0 || deletions.list.peek().some(({ state }) => state !== 'gone'),
    )
    if (!isAsked) return
    answerAll(day)
    await day.timeline.clock.advance(1_000)
  }
}

/** The day without what is gone by now: for everything else all holds that always must. */
export function withoutDeleted(day: Day): Day {
  const gone = goneIn(day)
  if (gone.size === 0) return day
  const sessions = day.people.sessions.filter(id => !gone.has(documentIdOf(id)))
  const documents = new Set([...day.people.documents, ...listedIn(day)].filter(id => !gone.has(id)))
  const acknowledged = day.oracle.acknowledged.filter(({ document }) => !gone.has(document))
  return { ...day, people: { ...day.people, sessions, documents }, oracle: { ...day.oracle, acknowledged } }
}

export async function checkDeletions(day: Day): Promise<void> {
  const { devices, oracle, timeline, deletions, random } = day
  const all = running(devices)
  const described = new Set(all.map(process => idsOf(process).join()))
  if (described.size > 1) oracle.violate('deleted', `deletions are listed in ${described.size} ways: ${[...described].join(' | ')}`)
  for (const process of all) {
    const { device, runtime } = process
    for (const { id, state, goneAt, why } of runtime.deletions.list.peek()) {
      if (state !== 'gone') oracle.violate('deleted', `${device.name}: ${id.slice(0, 6)} is ${state} ${why ?? ''}`)
      // Two machines under one key write over each other's.
      const missing = devices.filter(other => !goneAt.includes(other.id) && !day.trust.isTwin(other.id))
      if (missing.length > 0)
        oracle.violate('deleted', `${device.name} has no receipt for ${id.slice(0, 6)} from ${missing.map(({ name }) => name).join(' ')}`)
    }
    for (const { title } of runtime.deletions.edits.peek()) oracle.violate('deleted', `${device.name} still asks about ${title}`)
    const ids = new Set(idsOf(process))
    for (const [id, by] of deletions.owed) {
      const isOwed = devices.some(other => other.id === by) && !day.trust.wentBack.has(by) && !day.trust.isTwin(by)
      if (isOwed && !ids.has(id)) oracle.violate('deleted', `${device.name} does not know of ${id.slice(0, 6)}, which was deleted for good`)
    }
    await checkGone(day, process)
  }
  const [first] = all
  if (first === undefined || idsOf(first).length === 0) return
  // [X4] What the tombstones do not know is in a copy.
  const ids = new Set(idsOf(first))
  const tombstones = (await tombstonesOn(first, random)).filter(({ id }) => ids.has(id))
  const letGo = new Set(
    tombstones.flatMap(({ id, documents }) => (deletions.discarded.has(id) ? documents.map(({ documentId }) => documentId) : [])),
  )
  const gone = goneIn(day)
  const copies = listedIn(day).filter(id => !day.people.documents.has(id) && !gone.has(id))
  for (const each of oracle.acknowledged) {
    if (!gone.has(each.document) || letGo.has(each.document) || day.trust.isExcused(each)) continue
    if (day.strangers.came.has(each.device)) continue // what had been deleted here before does not come along
    for (const hash of deletions.beyond(each, tombstones, id => !day.people.documents.has(id))) {
      let isKept = false
      for (const document of copies) {
        isKept ||= (await timeline.during(lackingOn(first, [{ document, heads: [hash] }]))).length === 0
      }
      if (!isKept)
        oracle.violate('deleted', `${hash.slice(0, 6)} of ${each.document.slice(0, 6)} was new to who deleted it, and is nowhere`)
    }
  }
}

/** Neither listed nor opened nor on the disk. */
export async function checkGone({ oracle, timeline }: Day, { device, runtime }: Process): Promise<void> {
  const gone = runtime.deletions.list.peek().flatMap(({ documents, session }) => documents.map(document => ({ document, session })))
  const listed = new Set([
    ...runtime.index.documents.peek().map(({ id }) => id),
    ...runtime.index.sessions.peek().map(({ documentId }) => documentId),
  ])
  for (const { document } of gone) {
    if (listed.has(document)) oracle.violate('deleted', `${device.name} lists ${document.slice(0, 6)}, which is deleted`)
    const held = await device.chunks().listDocument(runtime.documents.docTagOf(document))
    if (held.length > 0)
      oracle.violate('deleted', `${device.name} holds ${held.length} chunks of ${document.slice(0, 6)}, which is deleted`)
  }
  for (const { document, session } of gone.slice(0, 3)) {
    const opening: Promise<unknown> =
      session !== undefined && documentIdOf(session) === document
        ? runtime.faces.open(session, { signal: timeline.timeout(1_000) })
        : runtime.documents.open(document, { signal: timeline.timeout(1_000) })
    const said = await timeline.during(
      opening.then(
        () => 'opened',
        (error: unknown) => (isSegueError(error) ? error.code : String(error)),
      ),
    )
    if (said !== 'DOCUMENT_DELETED') oracle.violate('deleted', `${device.name} opens ${document.slice(0, 6)}, which is deleted: ${said}`)
  }
}

function goneIn(day: Day): ReadonlySet<DocumentId> {
  return new Set(running(day.devices).flatMap(({ runtime }) => runtime.deletions.list.peek().flatMap(({ documents }) => documents)))
}

function listedIn(day: Day): readonly DocumentId[] {
  return [...new Set(running(day.devices).flatMap(({ runtime }) => runtime.index.documents.peek().map(({ id }) => id)))]
}

function idsOf({ runtime }: Process): readonly string[] {
  return runtime.deletions.list
    .peek()
    .map(({ id }) => id)
    .toSorted()
}
