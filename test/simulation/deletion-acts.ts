/** What people delete for good, and what they answer where they are asked. */
import { isSegueError, type DeletionTarget } from '@segue/core'
import type { Day } from './day.ts'
import type { Process } from './device.ts'
import { running } from './evening.ts'

/** Somebody deletes a document or a session, or looks at what others deleted. Returns at once; what it began goes on. */
export function deletionAct(day: Day): void {
  const { devices, strangers, random } = day
  const all = running(strangers.without(devices))
  if (all.length === 0) return
  const process = random.pick(all)
  if (random.chance(0.4) && answer(day, process)) return
  const target = pickTarget(day, process)
  if (target === undefined) return
  const what = 'session' in target ? `session ${target.session.slice(0, 6)}` : `document ${target.document.slice(0, 6)}`
  const { deletions } = process.runtime
  attempt(day, process, `deletes ${what}`, async () => {
    day.deletions.promised(process, await deletions.delete([target], { confirmed: random.chance(0.8) }))
  })
}

/** One thing that a person is asked on this device. False: nothing is asked. */
export function answer(day: Day, process: Process): boolean {
  const { random } = day
  const { deletions } = process.runtime
  const waiting = deletions.list.peek().filter(({ state }) => state === 'waiting')
  const edits = deletions.edits.peek()
  if (waiting.length > 0 && (edits.length === 0 || random.chance(0.5))) {
    const { id } = random.pick(waiting)
    if (random.chance(0.6)) attempt(day, process, `follows ${id.slice(0, 6)}`, () => deletions.goOn(id))
    else attempt(day, process, `keeps all of ${id.slice(0, 6)}`, () => deletions.keep(id))
    return true
  }
  if (edits.length === 0) return false
  const { deletion } = random.pick(edits)
  if (random.chance(0.9)) attempt(day, process, `keeps the edits of ${deletion.slice(0, 6)}`, () => deletions.keepEdits(deletion))
  else {
    day.deletions.discarded.add(deletion)
    attempt(day, process, `lets the edits of ${deletion.slice(0, 6)} go`, () => deletions.discardEdits(deletion))
  }
  return true
}

function pickTarget({ random, people }: Day, { runtime: { index } }: Process): DeletionTarget | undefined {
  const sessions = index.sessions.peek()
  // The last one seldom: there would be little left of the day.
  if (sessions.length > 0 && random.chance(sessions.length > 1 ? 0.4 : 0.1)) return { session: random.pick(sessions).id }
  const documents = index.documents.peek().filter(({ id }) => people.documents.has(id))
  return documents.length === 0 ? undefined : { document: random.pick(documents).id }
}

function attempt({ timeline, oracle }: Day, process: Process, what: string, work: () => Promise<unknown>): void {
  const { note } = timeline
  note(`${process.device.name} ${what}`)
  const done = work()
  oracle.promised(process, what, done, Number.POSITIVE_INFINITY) // a failing disk holds it up for as long as it fails
  done.then(
    () => note(`${process.device.name} ${what}: done`),
    (error: unknown) => {
      if (!process.isAlive()) return
      note(`${process.device.name} ${what}: ${isSegueError(error) ? error.code : String(error)}`)
      if (!isSegueError(error))
        oracle.violate('I10', `${process.device.name} ${what}: ${error instanceof Error ? error.stack : String(error)}`)
    },
  )
}
