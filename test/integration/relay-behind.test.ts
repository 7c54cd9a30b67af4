/** Relays that hold or show less than they confirmed are noticed, named and healed; and what heartbeats say of devices that do not meet. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createReplica, fromHex, keylessInspector, signingKeysOf, type DeviceId, type MailboxId } from '@segue/core'
import type { ChunkStore } from '@segue/core/ports'
import { createMemoryChunkStore } from '@segue/core/testing'
import type { DocHandle, Segue, SessionId } from '@segue/engine'
import { createNode, systemClock } from '@segue/net'
import { createVolumeEngine } from '@segue/relay'
import { openVolume } from '@segue/storage/volume'
import { expect, onTestFinished, test } from 'vitest'
import { freePort, inSync, pair, scratch, startDevice, type DeviceOptions } from './cast.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'

/** As in core's pace.ts, but hundreds of times faster. */
const QUICK: DeviceOptions = { heartbeatPace: { firstMs: 50, everyMs: 200, heldMs: 400, graceMs: 500 } }

test('[T7] a relay process that is put back to yesterday is named on its devices, gets again what it lost, and then is named no more', async () => {
  const folder = await scratch()
  const [data, yesterday] = [path.join(folder, 'data'), path.join(folder, 'yesterday')]
  const listen = `/ip4/127.0.0.1/tcp/${await freePort()}`
  const first = await startRelayProcess(data, listen)
  const [laptop, desk] = [await startDevice('laptop', QUICK), await startDevice('desk', QUICK)]
  await pair(laptop, desk)
  await laptop.relays.add(await first.invite())
  for (const device of [laptop, desk]) await onRelay(device)
  await first.stop()
  await cp(data, yesterday, { recursive: true })

  const second = await startRelayProcess(data, listen)
  for (const device of [laptop, desk]) device.resume()
  const session = await laptop.sessions.create({ title: 'Letter' })
  await session.documents.create<Note>({ title: 'note', initial: { lines: ['today'] } })
  await session.flush()
  for (const device of [laptop, desk]) await whenAllThere(device)
  await second.stop()
  await rm(data, { recursive: true })
  await cp(yesterday, data, { recursive: true })

  const named = [laptop, desk].map(device => device.relays.list.when(([relay]) => relay?.behind?.kind === 'lost'))
  const counted = laptop.status.when(({ relays }) => relays.behind === 1)
  const third = await startRelayProcess(data, listen)
  for (const device of [laptop, desk]) device.resume()
  await Promise.all([...named, counted])
  for (const device of [laptop, desk]) {
    await device.relays.list.when(([relay]) => relay !== undefined && relay.behind === undefined)
    await whenAllThere(device)
    const told = device.events.peek().map(({ type }) => type)
    expect(told.filter(type => type === 'relay-behind' || type === 'relay-whole')).toEqual(['relay-behind', 'relay-whole'])
  }
  await third.stop()
  await Promise.all([laptop.close(), desk.close()])
  expect(await commitsOn(data)).toBeGreaterThan(await commitsOn(yesterday))
}, 120_000)

test('[T8] a relay that keeps from one device what another left with it is named when the two meet', async () => {
  const home = await relayHome()
  const honest = await home.start()
  const folder = await scratch()
  const places = { laptop: path.join(folder, 'laptop'), desk: path.join(folder, 'desk') }
  const open = (name: 'laptop' | 'desk'): Promise<Segue> => startDevice(name, { ...QUICK, directory: places[name] })
  const [first, second] = [await open('laptop'), await open('desk')]
  await pair(first, second)
  await addRelay(first, honest)
  await onRelay(second)
  const mailbox = first.relays.list.peek()[0]?.mailbox as MailboxId
  const [laptopId, deskId] = [first.device.id, second.device.id]
  await Promise.all([first.close(), second.close()])
  await honest.close()
  const listen = honest.addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  await startLyingRelay(home.directory, mailbox, listen, { from: laptopId, to: deskId })

  const left = await open('laptop')
  const session = await left.sessions.create({ title: 'Letter' })
  await session.documents.create<Note>({ title: 'note', initial: { lines: ['for the desk'] } })
  await session.flush()
  await rest(left)
  await left.close()

  const desk = await open('desk')
  await whenAllThere(desk)
  expect(desk.sessions.list.peek()).toEqual([])
  expect(desk.relays.list.peek()[0]).toMatchObject({ sync: 'in-sync' })
  const laptop = await open('laptop')
  await desk.addAddress(laptopId, laptop.status.peek().addresses[0] ?? '')
  await inSync(laptop, desk)
  const [relay] = await desk.relays.list.when(([one]) => one?.behind?.kind === 'withholds')
  expect(relay?.behind?.devices).toEqual([laptopId])
  expect(desk.status.peek().relays).toMatchObject({ total: 1, behind: 1 })
  expect(desk.events.peek()).toContainEqual(expect.objectContaining({ type: 'relay-behind', kind: 'withholds' }))
  const note = await noteIn(desk, session.id)
  expect(note.doc().lines).toEqual(['for the desk'])
}, 120_000)

test('[T12] [T5] a session taken from a device that is off is confirmed once its heartbeat, heard through the relay, covers that', async () => {
  const relay = await (await relayHome()).start()
  const folder = await scratch()
  const open = (name: string): Promise<Segue> => startDevice(name, { ...QUICK, directory: path.join(folder, name) })
  let [laptop, desk] = [await open('laptop'), await open('desk')]
  await pair(laptop, desk)
  await addRelay(laptop, relay)
  const session = await laptop.sessions.create({ title: 'Letter' })
  await session.flush()
  await inSync(laptop, desk)
  await onRelay(laptop)
  await laptop.close()

  const taken = await desk.handoff.take(session.id).done
  expect(taken).toMatchObject({ kind: 'done', confirmed: false })
  await desk.flush()
  await rest(desk)
  await desk.close()
  laptop = await open('laptop')
  await laptop.devices.when(([, other]) => other?.lastSaid?.hasSame === true)
  await rest(laptop)
  await laptop.close()

  desk = await open('desk')
  expect(await desk.handoff.lease(session.id)).toMatchObject({ holder: desk.device.id, confirmed: false })
  await desk.devices.when(([, other]) => other?.lastSaid?.hasSame === true)
  await expect.poll(async () => (await desk.handoff.lease(session.id)).confirmed, { timeout: 20_000 }).toBe(true)
  expect(desk.devices.peek()[1]).toMatchObject({ state: 'away' })
}, 120_000)

type Note = { lines: string[] }

/** The relay is linked and has, as far as it says, everything. */
async function whenAllThere(device: Segue): Promise<void> {
  await device.relays.list.when(([relay]) => relay?.state === 'linked' && relay.sync === 'in-sync' && relay.unconfirmed === 0)
}

/** Long enough that everything it has to say by heartbeats is said, and on the relay. */
async function rest(device: Segue): Promise<void> {
  await whenAllThere(device)
  await new Promise(resolve => setTimeout(resolve, 2_500))
  await whenAllThere(device)
}

async function noteIn(device: Segue, id: SessionId): Promise<DocHandle<Note>> {
  const session = await device.sessions.open(id)
  const [note] = await session.documents.list.when(documents => documents.length === 1)
  if (note === undefined) throw new Error('there is one note')
  return session.documents.open<Note>(note.documentId)
}

/** What lies in the folder of a relay that does not run. */
async function commitsOn(directory: string): Promise<number> {
  const volume = await openVolume(directory)
  const engine = createVolumeEngine(volume)
  let commits = 0
  for (const { id } of await engine.mailboxes()) {
    for await (const chunk of (await engine.open(id)).since(0)) commits += Number(chunk.class === 'commit')
  }
  await volume.close()
  return commits
}

/** The command as a process of its own. Its first start on a folder prints an invite. */
async function startRelayProcess(data: string, listen: string): Promise<{ invite(): Promise<string>; stop(): Promise<void> }> {
  const entry = fileURLToPath(new URL('../bin/segue-relay.js', import.meta.resolve('@segue/relay')))
  const settings = ['--data', data, '--listen', listen, '--ops', 'off', '--log-level', 'info']
  const child = spawn(process.execPath, [entry, ...settings, 'serve'], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', (text: Buffer) => (said += String(text)))
  for await (const line of createInterface({ input: child.stdout })) if (line.includes('relay-started')) break
  child.stdout.resume()
  return {
    async invite() {
      await expect.poll(() => said).toMatch(INVITE)
      return INVITE.exec(said)?.[0] ?? ''
    },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

const INVITE = /segue-relay1:[\w-]+/

/**
 * A relay's key, its address, what it stored, and the replica without keys that it is; but a view of its own for the device that it lies
 * to, into which nothing goes that another device brings.
 */
async function startLyingRelay(
  directory: string,
  mailbox: MailboxId,
  listen: readonly string[],
  lie: { readonly from: DeviceId; readonly to: DeviceId },
): Promise<void> {
  const volume = await openVolume(directory)
  const stored = await createVolumeEngine(volume).open(mailbox)
  const shown: ChunkStore = createMemoryChunkStore()
  for await (const { id } of stored.since(0)) {
    const chunk = await stored.get(id)
    if (chunk !== undefined) await shown.apply({ put: [chunk] })
  }
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
  const replicaOn = (store: ChunkStore): ReturnType<typeof createReplica> =>
    createReplica({ store, inspector: keylessInspector, clock: systemClock, random, keyless: true })
  const [whole, view] = [await replicaOn(stored), await replicaOn(shown)]
  await view.recount()
  const filter = whole.subscribe({ onArrived: (chunks, from) => void (from === lie.from ? undefined : view.add(chunks)) })
  const forth = view.subscribe({ onArrived: chunks => void whole.add(chunks) })
  const node = await createNode({
    signing: signingKeysOf(fromHex((await readFile(path.join(directory, 'relay.key'), 'utf8')).trim())),
    listen,
    allowPublic: true,
    host: { mayConnect: () => true, onLink: link => (link.peer === lie.to ? view : whole).attach(link) },
  })
  onTestFinished(async () => {
    filter()
    forth()
    await node.close()
    await Promise.all([whole.close(), view.close()])
    await volume.close()
  })
}
