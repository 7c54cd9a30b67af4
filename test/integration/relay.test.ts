/** Devices that are not awake together, and one relay between them. */
import { randomBytes } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { DocHandle, Segue, SessionId } from '@segue/engine'
import { openVolume } from '@segue/storage/volume'
import { expect, test } from 'vitest'
import { createCanaries, createCanarySearch, type Leak } from './canary.ts'
import { pair, scratch, startDevice } from './cast.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'

test('three devices that are never awake together end up with the same, through one relay', async () => {
  const relay = await (await relayHome()).start()
  const cast = await sleepers('laptop', 'desk', 'phone')
  const { id } = await cast.awake('laptop', async laptop => {
    const session = await laptop.sessions.create({ title: 'Trip' })
    await session.documents.create<Note>({ title: 'note', initial: { lines: ['first'] } })
    await cast.awake('desk', async desk => {
      await pair(laptop, desk)
      await addRelay(laptop, relay)
      await onRelay(desk) // it hears of the relay from the laptop, and goes there by itself
    })
    // the desk is off when the phone is let in: it hears so, and of the phone, from the relay
    await cast.awake('phone', phone => pair(laptop, phone))
    await onRelay(laptop)
    return session
  })

  for (const name of ['desk', 'phone', 'laptop']) {
    await cast.awake(name, async device => {
      await onRelay(device)
      expect(device.devices.peek().map(each => each.state)).toEqual(['here', 'away', 'away'])
      expect(device.devices.peek().map(each => each.path)).toEqual([undefined, 'mailbox', 'mailbox'])
      const session = await device.sessions.open(id)
      const note = await noteIn(device, id)
      note.change(doc => void doc.lines.push(`from the ${name}`))
      await session.flush()
      await session.durability.when(({ saved, onRelays }) => saved === 'saved' && onRelays.includes(relay.id))
      expect(session.durability.peek()).toMatchObject({ holders: [], isSafeToClose: false })
      await onRelay(device)
    })
  }
  for (const name of ['phone', 'desk']) {
    await cast.awake(name, async device => {
      await onRelay(device)
      expect(await linesOf(device, id)).toEqual(['first', 'from the desk', 'from the phone', 'from the laptop'])
    })
  }
}, 120_000)

test('a device starts and works while the relay is down, and goes there when it is up again', async () => {
  const home = await relayHome()
  const relay = await home.start()
  const cast = await sleepers('laptop')
  await cast.awake('laptop', laptop => addRelay(laptop, relay))
  await relay.close()
  await cast.awake('laptop', async laptop => {
    expect(laptop.status.peek().relays).toMatchObject({ total: 1, linked: 0, behind: 0 })
    const session = await laptop.sessions.create({ title: 'Alone' })
    await session.flush()
    expect(session.durability.peek()).toMatchObject({ saved: 'saved', onRelays: [] })
    const again = await home.start()
    laptop.resume()
    await session.durability.when(({ onRelays }) => onRelays.includes(again.id))
    expect(laptop.relays.list.peek()).toMatchObject([{ id: relay.id, state: 'linked', hasGoneBack: false }])
  })
}, 60_000)

test('a relay whose operator revoked the account is not merely away: the device says so, also when the relay is added again', async () => {
  const relay = await (await relayHome()).start()
  const cast = await sleepers('laptop')
  await cast.awake('laptop', async laptop => {
    await addRelay(laptop, relay)
    await onRelay(laptop)
    const isRevokedThere = laptop.relays.list.when(([first]) => first?.problem === 'RELAY_REVOKED')
    await relay.operations.revoke({ what: laptop.device.id })
    const session = await laptop.sessions.create({ title: 'Not there' })
    await session.flush()
    await isRevokedThere
    expect(laptop.status.peek().relays).toMatchObject({ total: 1, linked: 0, revoked: 1, full: 0 })
    const { invite } = await relay.operations.invite({})
    await expect(laptop.relays.add(invite)).rejects.toMatchObject({ code: 'RELAY_REVOKED' })
  })
}, 60_000)

test('a handoff to a device that sleeps waits on the relay, and the source learns that it was taken without meeting it', async () => {
  const relay = await (await relayHome()).start()
  const cast = await sleepers('laptop', 'desk')
  const ids = await cast.awake('laptop', async laptop => {
    const { device } = await cast.awake('desk', async desk => {
      await pair(laptop, desk)
      await addRelay(laptop, relay)
      await onRelay(desk)
      return desk
    })
    const session = await laptop.sessions.create({ title: 'Letter' })
    const { documentId } = await session.documents.create<Note>({ title: 'note', initial: { lines: ['Dear'] } })
    await session.views.open({ document: documentId, selection: { anchor: 0, head: 0 } })
    const handoff = laptop.handoff.send(session.id, { to: device.id })
    expect(await handoff.done).toMatchObject({ kind: 'queued' })
    await laptop.handoff.list.when(([first]) => first?.onRelays.includes(relay.id) === true)
    expect(laptop.handoff.list.peek()[0]).toMatchObject({ state: 'queued' })
    return { session: session.id, handoff: handoff.id, desk: device.id }
  })

  await cast.awake('desk', async desk => {
    await desk.handoff.list.when(([first]) => first?.state === 'ended')
    expect(await desk.handoff.follow(ids.handoff)?.done).toMatchObject({ kind: 'done', holder: ids.desk, confirmed: true })
    expect(await linesOf(desk, ids.session)).toEqual(['Dear'])
    expect((await desk.sessions.open(ids.session)).views.layout().views).toHaveLength(1)
    await onRelay(desk)
  })

  await cast.awake('laptop', async laptop => {
    expect(await laptop.handoff.follow(ids.handoff)?.done).toMatchObject({ kind: 'done', holder: ids.desk })
    expect(laptop.devices.peek()[1]).toMatchObject({ state: 'away' })
    expect(await laptop.handoff.lease(ids.session)).toMatchObject({ holder: ids.desk })
  })
}, 120_000)

test('a session is pulled from a device that is off, with the age of its state; its later edits merge when it wakes', async () => {
  const home = await relayHome()
  const relay = await home.start()
  const cast = await sleepers('laptop', 'desk')
  const id = await cast.awake('laptop', async laptop => {
    await cast.awake('desk', async desk => {
      await pair(laptop, desk)
      await addRelay(laptop, relay)
      await onRelay(desk)
    })
    const session = await laptop.sessions.create({ title: 'Letter' })
    await session.documents.create<Note>({ title: 'note', initial: { lines: ['Dear'] } })
    await session.flush()
    await onRelay(laptop)
    return session.id
  })
  const before = Date.now()
  await cast.awake('desk', async desk => {
    await onRelay(desk)
    const outcome = await desk.handoff.take(id).done
    expect(outcome).toMatchObject({ kind: 'done', confirmed: false, holder: desk.device.id })
    const ageMs = outcome.kind === 'done' ? (outcome.ageMs ?? -1) : -1
    expect(ageMs).toBeGreaterThanOrEqual(0)
    expect(ageMs).toBeLessThan(Date.now() - before + 60_000)
    await setSubject(desk, id, 'from the desk')
    await onRelay(desk)
  })
  await relay.close() // so that what the laptop writes next is written without having heard of it
  await cast.awake('laptop', laptop => setSubject(laptop, id, 'later, on the laptop'))
  await home.start()
  await cast.awake('laptop', async laptop => {
    await onRelay(laptop)
    const session = await laptop.sessions.open(id)
    const [conflict, ...more] = await session.history.conflicts()
    const sides = [conflict?.ours.excerpt, conflict?.theirs.excerpt]
    expect(new Set(sides)).toEqual(new Set(['from the desk', 'later, on the laptop']))
    expect(more).toEqual([])
    expect(await laptop.handoff.lease(id)).toMatchObject({ holder: (laptop.devices.peek()[1] as { readonly id: string }).id })
  })
}, 120_000)

test('only an admin adds a relay; an invite is used once; a relay given up is left by all, and a new invite makes a new mailbox', async () => {
  const relay = await (await relayHome()).start()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await pair(laptop, desk)
  const { invite } = await relay.operations.invite({})
  await expect(laptop.relays.add('nonsense')).rejects.toMatchObject({ code: 'RELAY_INVITE_INVALID' })
  await expect(desk.relays.add(invite)).rejects.toMatchObject({ code: 'NEEDS_ADMIN' })
  await laptop.relays.add(invite)
  const [first] = await laptop.relays.list.when(([one]) => one?.members === 'current')
  await desk.relays.list.when(([one]) => one?.state === 'linked')
  expect((await laptop.relays.add(invite)).mailbox).toBe(first?.mailbox) // in use: nothing is made
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 1, accounts: 1 })
  const stranger = await startDevice('stranger')
  await expect(stranger.relays.add(invite)).rejects.toMatchObject({ code: 'RELAY_INVITE_USED' })

  await expect(desk.relays.remove(relay.id)).rejects.toMatchObject({ code: 'NEEDS_ADMIN' })
  await laptop.relays.remove(relay.id)
  await desk.relays.list.when(relays => relays.length === 0)
  expect(laptop.relays.list.peek()).toEqual([])
  await expect(laptop.relays.remove(relay.id)).rejects.toMatchObject({ code: 'RELAY_UNKNOWN' })
  await expect.poll(async () => (await relay.operations.status({})).linkedDevices).toBe(0)
  await addRelay(laptop, relay)
  expect(laptop.relays.list.peek()[0]?.mailbox).not.toBe(first?.mailbox)
})

test('[R43] a relay that is full says so on the devices, which go on; with more room it gets what it lacks', async () => {
  const relay = await (await relayHome({ bytes: 60_000 })).start()
  const laptop = await startDevice('laptop')
  await addRelay(laptop, relay)
  const session = await laptop.sessions.create({ title: 'Much' })
  await session.documents.importText({ title: 'much.txt', bytes: Buffer.from(randomBytes(60_000).toString('hex')) })
  await laptop.relays.list.when(([one]) => one?.problem === 'RELAY_QUOTA')
  await session.flush()
  expect(session.durability.peek()).toMatchObject({ saved: 'saved', onRelays: [] })
  await relay.operations.terms({ account: laptop.device.id, quotas: { bytes: 1e9 } })
  await session.durability.when(({ onRelays }) => onRelays.includes(relay.id))
  await laptop.relays.list.when(([one]) => one !== undefined && one.problem === undefined && one.unconfirmed === 0)
})

test('a device that slept hears on the relay itself that it is given up, and a cancelled handoff is withdrawn there', async () => {
  const relay = await (await relayHome()).start()
  const cast = await sleepers('laptop', 'desk')
  const ids = await cast.awake('laptop', async laptop => {
    const desk = await cast.awake('desk', async device => {
      await pair(laptop, device)
      await addRelay(laptop, relay)
      await onRelay(device)
      return device.device.id
    })
    const session = await laptop.sessions.create({ title: 'Letter' })
    const handoff = laptop.handoff.send(session.id, { to: desk })
    expect((await handoff.done).kind).toBe('queued')
    await laptop.handoff.list.when(([first]) => first?.onRelays.includes(relay.id) === true)
    expect(await laptop.handoff.cancel(handoff.id)).toMatchObject({ ok: true, value: { kind: 'cancelled' } })
    await laptop.flush()
    await onRelay(laptop)
    return { session: session.id, laptop: laptop.device.id }
  })
  await cast.awake('desk', async desk => {
    await onRelay(desk)
    await desk.sessions.list.when(sessions => sessions.length === 1)
    expect(desk.handoff.list.peek()).toEqual([])
    expect(await desk.handoff.lease(ids.session)).toMatchObject({ holder: ids.laptop })
  })
  await cast.awake('laptop', async laptop => {
    await onRelay(laptop)
    await laptop.relays.remove(relay.id)
  })
  await cast.awake('desk', async desk => {
    await desk.relays.list.when(relays => relays.length === 0)
    expect(desk.status.peek().relays).toMatchObject({ total: 0, linked: 0, behind: 0 })
  })
}, 120_000)

test('[I4] what two devices did through a relay is nowhere in its folder, in no form', async () => {
  const home = await relayHome()
  const relay = await home.start()
  const canaries = createCanaries(16)
  const [nameOfDevice = '', title = '', draft = '', preference = '', ...lines] = canaries
  const [laptop, desk] = [await startDevice(nameOfDevice), await startDevice('desk')]
  await pair(laptop, desk)
  await addRelay(laptop, relay)
  const session = await laptop.sessions.create({ title })
  await session.documents.create<Note>({ title: 'note', initial: { lines } })
  await session.drafts.create({ text: draft })
  session.preferences.set('theme', preference)
  await session.flush()
  await desk.close()
  const handoff = laptop.handoff.send(session.id, { to: desk.device.id })
  expect((await handoff.done).kind).toBe('queued')
  await laptop.handoff.list.when(([first]) => first?.onRelays.includes(relay.id) === true)
  const { storedBytes } = await relay.operations.status({})
  expect(storedBytes).toBeGreaterThan(5_000)
  await laptop.close()
  await relay.close()

  const search = createCanarySearch(canaries)
  const leaks: Leak[] = []
  const entries = await readdir(home.directory, { recursive: true, withFileTypes: true })
  for (const entry of entries.filter(each => each.isFile())) {
    const file = path.join(entry.parentPath, entry.name)
    leaks.push(...search(await readFile(file), file))
  }
  const volume = await openVolume(home.directory)
  const stored = await volume.read(view => view.entries({ gte: new Uint8Array([0]), lt: new Uint8Array([255]) }))
  await volume.close()
  leaks.push(...search(Buffer.concat(stored.flat()), 'keys and values'))
  expect(stored.length).toBeGreaterThan(20)
  expect(leaks).toEqual([])
})

type Note = { lines: string[]; subject?: string }

interface Sleepers {
  /** Opens the device, and closes it when `task` is done. */
  awake<T>(name: string, task: (device: Segue) => Promise<T>): Promise<T>
}

/** Devices with a folder each, that are only open while something is done with them. */
async function sleepers(...names: readonly string[]): Promise<Sleepers> {
  const folder = await scratch()
  return {
    async awake(name, task) {
      if (!names.includes(name)) throw new Error(`${name} is not in the cast`)
      const device = await startDevice(name, { directory: path.join(folder, name) })
      try {
        return await task(device)
      } finally {
        await device.close()
      }
    },
  }
}

async function noteIn(device: Segue, id: SessionId): Promise<DocHandle<Note>> {
  const session = await device.sessions.open(id)
  const [note] = await session.documents.list.when(documents => documents.length === 1)
  if (note === undefined) throw new Error('there is one note')
  return session.documents.open<Note>(note.documentId)
}

async function linesOf(device: Segue, id: SessionId): Promise<readonly string[]> {
  return [...(await noteIn(device, id)).doc().lines]
}

async function setSubject(device: Segue, id: SessionId, subject: string): Promise<void> {
  const note = await noteIn(device, id)
  note.change(doc => void (doc.subject = subject))
  await device.flush()
}
