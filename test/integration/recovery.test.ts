/** All devices lost: from the words and a relay, or the words and a file, on an empty machine. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import {
  makeRecoveryPhrase,
  openSegue,
  restoreSegue,
  type RelayStatus,
  type Restored,
  type RestoreOptions,
  type Segue,
} from '@segue/engine'
import { expect, onTestFinished, test } from 'vitest'
import { optionsOf, pair, scratch, startDevice } from './cast.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'

async function write(device: Segue, title: string): Promise<void> {
  const session = await device.sessions.create({ title })
  for (const name of ['plan', 'list']) {
    const bytes = new TextEncoder().encode(`${title} ${name} on ${device.device.name}\n`.repeat(300))
    const { handle } = await session.documents.importText({ title: name, bytes })
    for (let i = 0; i < 20; i++) handle.change(doc => void (doc.text = `${i}${doc.text}`))
  }
  await device.flush()
}

/** Every text by its SHA-256, with the heads of its document. */
async function contentOf(device: Segue): Promise<readonly string[]> {
  await device.sessions.whenListed()
  const found: string[] = []
  for (const { id, title } of device.sessions.list.peek()) {
    const session = await device.sessions.open(id)
    for (const { documentId, title: name } of session.documents.list.peek()) {
      const { heads } = { heads: (await session.documents.open(documentId)).heads() }
      const text = await session.documents.exportText(documentId)
      found.push(`${title}/${name} ${createHash('sha256').update(text).digest('hex')} ${[...heads].sort().join()}`)
    }
  }
  return found.sort()
}

async function restore(
  options: Pick<RestoreOptions, 'words' | 'from'> & Partial<RestoreOptions>,
): Promise<Restored & { directory: string; words: string }> {
  const directory = path.join(await scratch(), 'store')
  let words = ''
  const { unlock } = optionsOf('attic', directory)
  const restored = await restoreSegue({
    directory,
    device: { name: 'attic' },
    ...(unlock === undefined ? {} : { unlock }),
    onNewPhrase: shown => void (words = shown),
    ...options,
  })
  return { ...restored, directory, words }
}

async function openRestored(directory: string): Promise<Segue> {
  const device = await openSegue(optionsOf('attic', directory))
  onTestFinished(() => device.close())
  return device
}

test(
  '[W7] [W8] [W9] words and a relay bring everything back on an empty machine; the relay lets it in, and the lost ones out',
  { timeout: 120_000 },
  async () => {
    const home = await relayHome()
    const relay = await home.start()
    const laptop = await startDevice('laptop')
    const desk = await startDevice('desk')
    await pair(laptop, desk)
    await addRelay(laptop, relay)
    await write(laptop, 'Trip')
    const { words, keys } = makeRecoveryPhrase()
    await laptop.recovery.set(keys)
    await write(desk, 'Taxes')
    await expect.poll(async () => (await contentOf(laptop)).length, { timeout: 20_000 }).toBe(4)
    const content = await contentOf(laptop)
    await onRelay(laptop)
    const [place] = relay.addresses as [string]
    const [{ mailbox }] = laptop.relays.list.peek() as [RelayStatus]
    await laptop.close()
    await desk.close()

    const wrong = makeRecoveryPhrase().words
    const nothing = path.join(await scratch(), 'store')
    await expect(restore({ directory: nothing, words: wrong, from: { relay: place } })).rejects.toMatchObject({
      code: 'RECOVERY_NOT_THERE',
    })
    expect(await readdir(path.dirname(nothing))).toEqual([])

    const restored = await restore({ words, from: { relay: place } })
    expect(restored).toMatchObject({ kept: [], leftOut: 0, untold: [] })
    expect(new Set(restored.removed)).toEqual(new Set([laptop.device.id, desk.device.id]))
    const attic = await openRestored(restored.directory)
    expect(await contentOf(attic)).toEqual(content)
    // The lost admins know the mailbox's key, so there is to be a new one; until it is filled the phrase finds the old one.
    await attic.relays.list.when(relays => relays.some(each => each.mailbox !== mailbox))
    await onRelay(attic)

    // the words were used up; the new ones do the same
    await expect(restore({ words, from: { relay: place } })).rejects.toMatchObject({ code: 'RECOVERY_NOT_THERE' })
    await write(attic, 'Garden')
    await onRelay(attic)
    const now = await contentOf(attic)
    await attic.close()
    const again = await restore({ words: restored.words, from: { relay: place } })
    const cellar = await openRestored(again.directory)
    expect(await contentOf(cellar)).toEqual(now)
  },
)

test('[W7] who recovers from a file finds a device that was kept, and both have everything', { timeout: 120_000 }, async () => {
  const home = await relayHome()
  const relay = await home.start()
  const laptop = await startDevice('laptop')
  const desk = await startDevice('desk')
  await pair(laptop, desk)
  await addRelay(laptop, relay)
  const { words, keys } = makeRecoveryPhrase()
  await laptop.recovery.set(keys)
  await write(laptop, 'Trip')
  const file = path.join(await scratch(), 'everything.backup')
  await laptop.backup.write(file)
  await write(desk, 'Taxes')
  await onRelay(desk)
  await laptop.close()

  const restored = await restore({
    words,
    from: { file },
    keep: devices => devices.flatMap(({ id, name }) => (name === 'desk' ? [id] : [])),
  })
  expect(restored).toMatchObject({ kept: [desk.device.id], removed: [laptop.device.id], untold: [] })
  const attic = await openRestored(restored.directory)
  await expect.poll(async () => (await contentOf(attic)).length, { timeout: 30_000 }).toBe(4)
  expect(await contentOf(attic)).toEqual(await contentOf(desk))
  await desk.devices.when(devices => devices.some(({ id, role }) => id === attic.device.id && role === 'admin'))
})

test('[W12] a device that was kept takes from the restored one what only the lost one had written', { timeout: 120_000 }, async () => {
  const place = path.join(await scratch(), 'desk')
  const laptop = await startDevice('laptop')
  const first = await startDevice('desk', { directory: place })
  await pair(laptop, first)
  const { words, keys } = makeRecoveryPhrase()
  await laptop.recovery.set(keys)
  await expect.poll(() => first.recovery.phrase?.by, { timeout: 10_000 }).toBe(laptop.device.id)
  await first.close()
  await write(laptop, 'Trip')
  const file = path.join(await scratch(), 'everything.backup')
  await laptop.backup.write(file)
  const content = await contentOf(laptop)
  await laptop.close()

  const restored = await restore({
    words,
    from: { file },
    keep: devices => devices.flatMap(({ id, name }) => (name === 'desk' ? [id] : [])),
  })
  const attic = await openRestored(restored.directory)
  const desk = await startDevice('desk', { directory: place })
  const [address = ''] = desk.status.peek().addresses
  await attic.addAddress(desk.device.id, address)
  await expect.poll(() => contentOf(desk), { timeout: 60_000 }).toEqual(content)
})

test('[W11] a relay that could not be told then lets the machine in as soon as it is back', { timeout: 120_000 }, async () => {
  const home = await relayHome()
  const relay = await home.start()
  const laptop = await startDevice('laptop')
  await addRelay(laptop, relay)
  const { words, keys } = makeRecoveryPhrase()
  await laptop.recovery.set(keys)
  await write(laptop, 'Trip')
  const file = path.join(await scratch(), 'everything.backup')
  await laptop.backup.write(file)
  await onRelay(laptop)
  const content = await contentOf(laptop)
  await laptop.close()
  await relay.close()

  const restored = await restore({ words, from: { file } })
  expect(restored.untold).toEqual([relay.id])
  const attic = await openRestored(restored.directory)
  expect(await contentOf(attic)).toEqual(content)
  const back = await home.start()
  await onRelay(attic)
  expect(attic.relays.list.peek()).toMatchObject([{ id: back.id, state: 'linked', members: 'current' }])
})
