/** What people do with their devices during a simulated day: nobody waits for anybody, and every wait has an end. */
import * as A from '@automerge/automerge'
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { isSegueError, SESSION_KINDS, type Handoff, type SessionId } from '@segue/core'
import type { SeededRandom } from '@segue/core/testing'
import type { SegueSession } from '@segue/engine/testing'
import type { Device, Process } from './device.ts'
import type { Oracle } from './oracle.ts'
import type { TimeLine } from './timeline.ts'

export interface People {
  /** One random thing on one random device, or on this one. Returns at once; what it began goes on. */
  act(device?: Device): void
  /** Something to begin with. */
  begin(process: Process): Promise<SessionId>
  readonly sessions: readonly SessionId[]
  /** What others made is theirs as well from now on. */
  welcome(others: People): void
  /** Every document that anybody made. */
  readonly documents: ReadonlySet<DocumentId>
  /** Things people began that came to an error of ours, by code. */
  readonly refusals: ReadonlyMap<string, number>
}

const PATIENCE_MS = 5_000
const HANDOFF_MS = 45_000
const MAX_SESSIONS = 3
const MAX_DOCUMENTS = 8

type TextDoc = {
  text: string
  done: Record<string, number>
}

/** `canary`: a word that is in whatever people write, and must show nowhere outside the devices. */
export function createPeople(
  present: () => readonly Device[],
  random: SeededRandom,
  timeline: TimeLine,
  oracle: Oracle,
  canary: string,
): People {
  const sessions: SessionId[] = []
  const documents = new Set<DocumentId>()
  const refusals = new Map<string, number>()
  const { note } = timeline
  let count = 0

  const save = (process: Process, flush: Promise<unknown>): Promise<void> => {
    oracle.promised(process, 'flush', flush, Number.POSITIVE_INFINITY) // a failing disk may hold it up for as long as it fails
    return oracle.flushing(process, flush)
  }
  const open = async (process: Process, id: SessionId): Promise<SegueSession> => {
    const opening = process.runtime.faces.open(id, { signal: timeline.timeout(PATIENCE_MS) })
    oracle.promised(process, 'opening a session with a signal', opening, PATIENCE_MS)
    const session = await opening
    oracle.watchSession(process, session)
    return session
  }
  const change = <Doc>(process: Process, session: SessionId, handle: DocHandle<Doc>, edit: (doc: Doc) => void): void => {
    if (!process.isAlive()) return
    handle.change(edit)
    oracle.made(process, handle.documentId, A.getHeads(handle.doc()), session)
  }
  const made = (process: Process, session: SegueSession, handles: readonly DocHandle<never>[]): void => {
    for (const handle of handles) {
      documents.add(handle.documentId)
      oracle.made(process, handle.documentId, A.getHeads(handle.doc()), session.id)
    }
  }
  const addDocument = async (process: Process, session: SegueSession): Promise<void> => {
    const document = await session.documents.create<TextDoc>({ title: `${canary} document ${++count}`, initial: { text: '', done: {} } })
    made(process, session, [document.handle as unknown as DocHandle<never>, session.handles.session as unknown as DocHandle<never>])
  }
  const createSession = async (process: Process): Promise<SessionId> => {
    const session = await process.runtime.faces.create({ title: `${canary} session ${++count}` })
    oracle.watchSession(process, session)
    const { handles } = session
    made(process, session, [handles.session, handles.drafts, handles.views, handles.preferences] as unknown as DocHandle<never>[])
    await addDocument(process, session)
    await save(process, session.flush())
    sessions.push(session.id)
    note(`${process.device.name} made session ${session.id.slice(0, 6)}`)
    return session.id
  }
  const edit = async (process: Process, id: SessionId): Promise<void> => {
    const session = await open(process, id)
    const listed = session.documents.list.peek()
    if (listed.length === 0) return
    const { documentId } = random.pick(listed)
    const handle = await session.documents.open<TextDoc>(documentId, { signal: timeline.timeout(PATIENCE_MS) })
    for (let left = 1 + random.below(4); left > 0; left--) {
      const word = `${process.device.name} ${canary} ${++count} `
      change(process, id, handle, doc => {
        const at = random.below(doc.text.length + 1)
        A.splice(doc, ['text'], at, random.chance(0.2) ? Math.min(3, doc.text.length - at) : 0, word)
        if (random.chance(0.3)) doc.done[random.pick(['first', 'second'])] = count
      })
    }
    note(`${process.device.name} edited ${documentId.slice(0, 6)}`)
    if (random.chance(0.6)) await save(process, session.flush())
  }
  const arrange = async (process: Process, id: SessionId): Promise<void> => {
    const session = await open(process, id)
    const [listed] = session.documents.list.peek()
    const { preferences, drafts, views } = session
    switch (random.below(4)) {
      case 0:
        preferences.set(random.pick(['theme', 'font']), ++count)
        return made(process, session, [session.handles.preferences as unknown as DocHandle<never>])
      case 1:
        await drafts.create({ text: `${canary} draft ${++count}` })
        return made(process, session, [session.handles.drafts as unknown as DocHandle<never>])
      case 2:
        session.rename(`${canary} session ${++count}`)
        return made(process, session, [session.handles.session as unknown as DocHandle<never>])
      default:
        if (listed !== undefined) await views.open({ document: listed.documentId, selection: { anchor: 0, head: 0 } })
        return made(process, session, [session.handles.views as unknown as DocHandle<never>])
    }
  }
  const follow = (process: Process, what: string, { id, done }: Handoff, withinMs: number = HANDOFF_MS): void => {
    note(`${process.device.name} ${what} ${id.slice(0, 6)}`)
    oracle.promised(process, `${what} ${id.slice(0, 6)}`, done, withinMs)
  }
  const rivals = (): readonly Process[] =>
    present()
      .flatMap(device => device.process() ?? [])
      .filter(() => random.chance(0.6))
  const handOver = async (process: Process, id: SessionId): Promise<void> => {
    const { handoffs } = process.runtime
    const others = present().filter(device => device !== process.device)
    const [known] = handoffs.list.peek()
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2: {
        await open(process, id)
        const include = random.chance(0.2) ? { include: SESSION_KINDS.filter(() => random.chance(0.6)) } : {}
        return follow(process, 'push', handoffs.send(id, { to: random.pick(others).id, expiresInMs: HANDOFF_MS, ...include }))
      }
      case 3:
        return follow(process, 'take', handoffs.take(id, { expiresInMs: HANDOFF_MS }))
      case 4:
        return follow(process, 'take from', handoffs.take(id, { from: random.pick(others).id, expiresInMs: HANDOFF_MS }))
      case 5:
        // whoever is apart from the holder goes on alone after a while
        for (const rival of rivals()) {
          const { runtime, device } = rival
          note(`${device.name} is one of several who take ${id.slice(0, 6)}`)
          const taken = runtime.handoffs.take(id, { from: random.pick(present()).id, expiresInMs: HANDOFF_MS })
          oracle.promised(rival, `rival take ${taken.id.slice(0, 6)}`, taken.done, HANDOFF_MS)
        }
        return
      case 6: {
        const underway = handoffs.list.peek().find(({ state }) => state !== 'ended')
        if (underway === undefined) await open(process, id)
        const one = underway ?? handoffs.send(id, { to: random.pick(others).id, expiresInMs: HANDOFF_MS })
        if ('done' in one) follow(process, 'push', one)
        note(`${process.device.name} cancels ${one.id.slice(0, 6)}`)
        return oracle.promised(process, `cancelling ${one.id.slice(0, 6)}`, handoffs.cancel(one.id), HANDOFF_MS)
      }
      default: {
        if (known === undefined) return
        const again = handoffs.retry(known.id)
        if (again.ok) follow(process, 'retry', again.value)
      }
    }
  }
  const lookBack = async (process: Process, id: SessionId): Promise<void> => {
    const session = await open(process, id)
    const [newest] = session.history.checkpoints()
    const signal = timeline.timeout(PATIENCE_MS)
    if (newest !== undefined && random.chance(0.2)) {
      note(`${process.device.name} reverts ${id.slice(0, 6)}`)
      return void (await session.history.revert(newest.id, { signal }))
    }
    if (random.chance(0.5)) return void (await session.history.takeCheckpoint('manual', { signal }))
    const [conflict] = await session.history.conflicts({ signal })
    if (conflict !== undefined && process.isAlive()) await session.history.accept(conflict.id)
  }
  const tend = async (process: Process): Promise<void> => {
    const { group, keeper, documents: open } = process.runtime
    const now = timeline.clock.now() + process.device.offByMs
    if (random.chance(0.4) && group.isActive(process.device.id)) {
      note(`${process.device.name} renames itself`)
      return keeper.keep(group.rename(process.device.id, `${canary} ${++count}`, now))
    }
    const document = random.pick([...documents])
    const fragments = await open.compact(document)
    note(`${process.device.name} compacted ${document.slice(0, 6)}: ${fragments}`)
  }

  const begin = (process: Process, what: string, work: Promise<unknown>): void => {
    work.catch((error: unknown) => {
      if (!process.isAlive()) return
      const code = isSegueError(error) ? error.code : error instanceof Error ? error.message : String(error)
      refusals.set(`${what}: ${code}`, (refusals.get(`${what}: ${code}`) ?? 0) + 1)
      note(`${process.device.name} ${what} came to ${code}`)
    })
  }
  return {
    act(device) {
      const running = (device === undefined ? present() : [device]).flatMap(each => each.process() ?? [])
      if (running.length === 0) return
      const process = random.pick(running)
      const session = random.pick(sessions)
      const dice = random.below(100)
      if (dice < 45) return begin(process, 'edit', edit(process, session))
      if (dice < 60) return begin(process, 'arrange', arrange(process, session))
      if (dice < 78) return begin(process, 'hand over', handOver(process, session))
      if (dice < 84) return begin(process, 'look back', lookBack(process, session))
      if (dice < 92) return begin(process, 'tend', tend(process))
      if (dice < 95) return begin(process, 'flush', save(process, process.runtime.documents.flush()))
      if (dice < 97 && sessions.length < MAX_SESSIONS) return begin(process, 'create', createSession(process))
      if (documents.size >= MAX_DOCUMENTS * sessions.length) return
      return begin(
        process,
        'add',
        open(process, session).then(opened => addDocument(process, opened)),
      )
    },
    begin: createSession,
    welcome(others) {
      for (const id of others.sessions) if (!sessions.includes(id)) sessions.push(id)
      for (const id of others.documents) documents.add(id)
    },
    sessions,
    documents,
    refusals,
  }
}
