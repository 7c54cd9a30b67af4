/** Two devices that cannot dial each other, and the relay that both reach: what goes through it, and how they get past it. */
import path from 'node:path'
import type { DocHandle, Segue, SessionId } from '@segue/engine'
import { expect, test } from 'vitest'
import { freePort, pair, scratch, startDevice } from './cast.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'

const NOWHERE = { listen: [], webrtc: false }

/** Both were on one network once, and are no longer. */
async function startApart(deskListens: readonly string[] = []): Promise<{
  readonly laptop: Segue
  readonly desk: Segue
  readonly restartRelay: () => Promise<void>
}> {
  const home = await relayHome()
  let relay = await home.start()
  const directories = { laptop: path.join(await scratch(), 'store'), desk: path.join(await scratch(), 'store') }
  const before = {
    laptop: await startDevice('laptop', { directory: directories.laptop }),
    desk: await startDevice('desk', { directory: directories.desk }),
  }
  await pair(before.laptop, before.desk)
  await addRelay(before.laptop, relay)
  await onRelay(before.desk)
  await Promise.all([before.laptop.close(), before.desk.close()])
  const laptop = await startDevice('laptop', { directory: directories.laptop, network: NOWHERE })
  const desk = await startDevice('desk', { directory: directories.desk, network: { listen: deskListens, announce: [], webrtc: false } })
  return {
    laptop,
    desk,
    async restartRelay() {
      await relay.close()
      relay = await home.start()
    },
  }
}

const linkedBy = (device: Segue, wanted: string): Promise<unknown> =>
  device.devices.when(devices => devices.some(({ isThisDevice, path: way }) => !isThisDevice && way === wanted))

test('they link through the relay, hand a session over on it, and again after the relay restarted', async () => {
  const { laptop, desk, restartRelay } = await startApart()
  await Promise.all([linkedBy(laptop, 'relayed'), linkedBy(desk, 'relayed')])
  expect(laptop.status.peek().devices).toMatchObject({ linked: 1 })
  const session = await laptop.sessions.create({ title: 'Letter' })
  await session.documents.create<Note>({ title: 'note', initial: { lines: ['Dear'] } })
  const note = await noteIn(laptop, session.id)
  const there = await laptop.handoff.send(session.id, { to: desk.device.id }).done
  expect(there.kind).toBe('done')
  await restartRelay()
  await Promise.all([linkedBy(laptop, 'relayed'), linkedBy(desk, 'relayed')])
  note.change(doc => void doc.lines.push('all'))
  const opened = await desk.sessions.open(session.id)
  const back = await desk.handoff.send(session.id, { to: laptop.device.id }).done
  expect([opened.id, back.kind]).toEqual([session.id, 'done'])
}, 60_000)

test('a device that has only the code, on another network, pairs through the relay: shown as remote, and asked about twice', async () => {
  const relay = await (await relayHome()).start()
  const laptop = await startDevice('laptop', { network: NOWHERE })
  const desk = await startDevice('desk', { network: NOWHERE })
  await addRelay(laptop, relay)
  const invitation = await laptop.pairing.invite()
  const joining = await desk.pairing.join(invitation.text)
  expect(invitation.state.peek()).toMatchObject({ kind: 'open', waiting: [{ name: 'desk', isRemote: true }] })
  expect(await invitation.confirm(joining.code)).toMatchObject({ ok: false, code: 'PAIRING_REMOTE', triesLeft: 3 })
  expect(laptop.devices.peek()).toHaveLength(1)
  expect(await invitation.confirm(joining.code, { mayBeRemote: true })).toMatchObject({ ok: true })
  expect(await joining.done).toEqual({ ok: true, inviter: laptop.device.id })
  await invitation.close()
  await Promise.all([linkedBy(laptop, 'relayed'), linkedBy(desk, 'relayed')])
  const late = await startDevice('late', { network: NOWHERE })
  await expect(late.pairing.join(invitation.text)).rejects.toMatchObject({ code: 'PAIRING_EXPIRED' })
}, 60_000)

test('a relay that restarts while the code is shown keeps nobody out', async () => {
  const home = await relayHome()
  const relay = await home.start()
  const laptop = await startDevice('laptop', { network: NOWHERE })
  const desk = await startDevice('desk', { network: NOWHERE })
  await addRelay(laptop, relay)
  const invitation = await laptop.pairing.invite()
  await relay.close()
  await home.start()
  const joining = await desk.pairing.join(invitation.text)
  expect(await invitation.confirm(joining.code, { mayBeRemote: true })).toMatchObject({ ok: true })
  expect((await joining.done).ok).toBe(true)
}, 60_000)

test('who does not want that says so: then the code names no relay', async () => {
  const relay = await (await relayHome()).start()
  const laptop = await startDevice('laptop', { network: NOWHERE })
  const desk = await startDevice('desk', { network: NOWHERE })
  await addRelay(laptop, relay)
  const invitation = await laptop.pairing.invite({ remote: false })
  await expect(desk.pairing.join(invitation.text)).rejects.toMatchObject({ code: 'UNREACHABLE' })
}, 60_000)

test('when a way past the relay appears they take it, and nothing written meanwhile is missing', async () => {
  const port = await freePort()
  const { laptop, desk } = await startApart([`/ip4/127.0.0.1/tcp/${port}`])
  await linkedBy(laptop, 'relayed')
  const session = await laptop.sessions.create({ title: 'List' })
  await session.documents.create<Note>({ title: 'note', initial: { lines: [] } })
  const note = await noteIn(laptop, session.id)
  const lines = Array.from({ length: 60 }, (_, i) => `line ${i}`)
  for (const [i, line] of lines.entries()) {
    note.change(doc => void doc.lines.push(line))
    if (i === 20) await laptop.addAddress(desk.device.id, `/ip4/127.0.0.1/tcp/${port}`)
    await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all([linkedBy(laptop, 'lan'), linkedBy(desk, 'lan')])
  const read = await noteIn(desk, session.id)
  await expect.poll(() => read.doc().lines.length, { timeout: 30_000 }).toBe(lines.length)
  expect([...read.doc().lines]).toEqual(lines)
}, 60_000)

/** Not an interface: a document is a record, which an interface is not. */
type Note = { lines: string[] }

async function noteIn(device: Segue, id: SessionId): Promise<DocHandle<Note>> {
  const session = await device.sessions.open(id)
  const [note] = await session.documents.list.when(documents => documents.length === 1)
  if (note === undefined) throw new Error('there is one note')
  return session.documents.open<Note>(note.documentId)
}
