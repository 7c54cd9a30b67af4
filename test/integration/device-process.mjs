/**
 * A device as a process of its own, for tests that kill it: `node device-process.mjs NAME DIRECTORY PORT`, on the built engine. It does what
 * the test asks for over IPC (device-protocol.ts has the types) and reports an edit only once it is on its disk. Plain JavaScript, because
 * it is started dozens of times and a loader would cost as much as the device.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { keyFile, openSegue } from '@segue/engine'

/** Faster than anybody types; a loop without a pause makes a history of tens of thousands, which every restart has to read. */
const PAUSE_MS = 80

const [name = '', directory = '', port = ''] = process.argv.slice(2)
const segue = await openSegue({
  directory,
  device: { name },
  unlock: keyFile(`${directory}.key`),
  network: { mdns: false, listen: [`/ip4/127.0.0.1/tcp/${port}`] },
})
const work = { isWanted: false, done: Promise.resolve() }

const say = report => void process.send?.(report)
process.on('message', ({ number, request }) => {
  answers[request.type](request).then(
    value => say({ type: 'answer', number, value }),
    error => say({ type: 'failed', number, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
say({ type: 'ready', id: segue.device.id })

const answers = {
  async 'create-session'({ title, text }) {
    const session = await segue.sessions.create({ title })
    const { documentId } = await session.documents.create({ title, initial: { text, runs: {} } })
    await session.drafts.create({ text: `draft of ${title}` })
    await session.views.open({ document: documentId, selection: { anchor: 1, head: 1 } })
    await session.flush()
    return session.id
  },
  async 'start-editing'({ session, run }) {
    const handle = await documentOf(await segue.sessions.open(session))
    work.isWanted = true
    work.done = edit(handle, run) // when it fails the process ends, which the test sees
  },
  async 'stop-editing'() {
    work.isWanted = false
    await work.done
  },
  async show({ session: id }) {
    const signal = AbortSignal.timeout(2_000)
    const session = await segue.sessions.open(id, { signal }).catch(() => undefined)
    const shown = session && (await documentOf(session, signal).catch(() => undefined))?.doc()
    if (shown === undefined) return undefined
    const { holder } = await session.lease()
    return {
      text: shown.text,
      runs: Object.fromEntries(Object.entries(shown.runs).map(([run, tens]) => [run, Object.values(tens).flat()])),
      drafts: session.drafts.list.peek().map(({ text }) => text),
      holder,
      views: session.views.layout().views.length,
      isArriving: session.arriving.peek() !== undefined,
    }
  },
  async remove({ device, name: typed, diesAfterMs }) {
    const die = () => process.kill(process.pid, 'SIGKILL')
    segue.devices.subscribe(devices => {
      if (diesAfterMs === undefined || devices.some(({ id }) => id === device)) return
      if (diesAfterMs === 0) die()
      else setTimeout(die, diesAfterMs)
    })
    await segue.devices.remove(device, { typed })
  },
  async trouble() {
    return {
      notices: segue.notices.peek().map(({ kind, subject }) => ({ kind, subject })),
      isRemoved: segue.status.peek().removed !== undefined,
      linked: segue.status.peek().devices.linked,
    }
  },
  async send({ session, to }) {
    return segue.handoff.send(session, { to }).id
  },
  async 'die-in'({ session, milestone }) {
    const look = () => {
      const isThere = segue.handoff.list
        .peek()
        .some(entry => entry.session === session && entry.milestone === milestone && entry.state === 'underway')
      if (isThere) process.kill(process.pid, 'SIGKILL')
    }
    segue.handoff.list.subscribe(look)
    look()
  },
  async handoffs() {
    return segue.handoff.list
      .peek()
      .map(({ id, session, milestone, state, outcome }) => ({ id, session, milestone, state, outcome: outcome?.kind }))
  },
}

/** Numbers by run, then by ten: small objects, because applying a change costs time by the size of what it touches. */
async function edit(handle, run) {
  for (let number = 0; work.isWanted; number++) {
    handle.change(({ runs }) => {
      const ten = String(Math.floor(number / 10))
      runs[run] ??= {}
      runs[run][ten] ??= []
      runs[run][ten].push(number)
    })
    await segue.flush()
    say({ type: 'saved', run, number })
    await sleep(PAUSE_MS)
  }
}

async function documentOf(session, signal) {
  const [first] = session.documents.list.peek()
  if (first === undefined) throw new Error('the session has no document')
  return session.documents.open(first.documentId, { signal })
}
