/** What a removed device goes on to write, on whole devices: whoever had not heard builds on it, and a person sees that. */
import path from 'node:path'
import * as A from '@automerge/automerge'
import type { AutomergeUrl, DocHandle, LateEditInReview, Segue } from '@segue/engine'
import { expect, test } from 'vitest'
import { createAheadClock, type AheadClock } from './ahead-clock.ts'
import { inSync, pair, scratch, startDevice } from './cast.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'

/**
 * The grace passes in steps, with a pause between them for whatever else waits for an answer: all are in this process, on this clock. On a
 * machine so slow that links end by it time stands still for a while, so that they come back.
 */
const STEP_MS = 3_000
const STEPS = 15
const STEPS_AND_REST = 40

interface Page extends Record<string, unknown> {
  text: string
}

test('an edit of a removed device that another built on before it heard is taken everywhere, listed, and reviewed once for all', async () => {
  const folder = await scratch()
  const clock = createAheadClock()
  const start = (name: string): Promise<Segue> => startDevice(name, { clock, directory: path.join(folder, name) })
  let [laptop, desk, phone] = [await start('Laptop'), await start('Desk'), await start('Phone')]
  await pair(laptop, desk)
  await pair(laptop, phone)
  const session = await laptop.sessions.create({ title: 'Trip' })
  const { handle } = await session.documents.create<Page>({ title: 'Plan', initial: { text: 'a' } })
  const { url } = handle
  await session.flush()
  await inSync(laptop, phone)
  await inSync(laptop, desk)

  // The laptop removes the phone while nobody is there to hear it.
  await phone.close()
  await desk.close()
  await laptop.devices.remove(phone.device.id, { typed: 'Phone' })
  await laptop.close()
  ;[desk, phone] = [await start('Desk'), await start('Phone')]
  await meet(desk, phone)
  const page = async (device: Segue): Promise<DocHandle<Page>> => device.repo.find<Page>(url)
  await write(phone, url, ' LATE')
  await expect.poll(async () => (await page(desk)).doc().text, { timeout: 20_000 }).toBe('a LATE')
  await write(desk, url, ' on top')
  await inSync(desk, phone)
  await phone.close()
  laptop = await start('Laptop')
  await meet(laptop, desk)

  await expect.poll(async () => (await page(laptop)).doc().text, { timeout: 20_000 }).toBe('a LATE on top')
  const listed = (device: Segue): Promise<readonly LateEditInReview[]> => device.lateEdits.review()
  const late = { kind: 'built-on', title: 'Plan', session: session.id, authorName: 'Phone', suggested: 'accept', edits: 1 }
  for (const device of [laptop, desk]) {
    await whenDue(device, clock)
    await expect.poll(() => listed(device), { timeout: 60_000 }).toMatchObject([late])
  }
  expect(await listed(laptop)).toEqual(await listed(desk))
  await laptop.lateEdits.accept((await listed(laptop))[0]?.id ?? '')
  for (const device of [laptop, desk]) await expect.poll(() => listed(device), { timeout: 20_000 }).toEqual([])
}, 150_000)

test('a late edit that a relay took before it heard is in no document, listed on every device, and in the document when a person accepts it', async () => {
  const folder = await scratch()
  const clock = createAheadClock()
  const start = (name: string): Promise<Segue> => startDevice(name, { clock, directory: path.join(folder, name) })
  const home = await relayHome()
  const relay = await home.start()
  let [laptop, desk, phone] = [await start('Laptop'), await start('Desk'), await start('Phone')]
  await pair(laptop, desk)
  await pair(laptop, phone)
  await addRelay(laptop, relay)
  const session = await laptop.sessions.create({ title: 'Trip' })
  const { handle } = await session.documents.create<Page>({ title: 'Plan', initial: { text: 'a' } })
  const { url } = handle
  await session.flush()
  await inSync(laptop, phone)
  await inSync(laptop, desk)
  for (const device of [laptop, desk, phone]) await onRelay(device)

  // The laptop removes the phone while the relay does not hear it either.
  await phone.close()
  await desk.close()
  await relay.close()
  await laptop.devices.remove(phone.device.id, { typed: 'Phone' })
  await laptop.close()
  const unaware = await home.start()
  phone = await start('Phone')
  await phone.relays.list.when(all => all.some(({ state }) => state === 'linked'))
  await write(phone, url, ' LATE')
  await onRelay(phone)
  await phone.close()
  await unaware.close()
  // The desk hears of the removal before it has anything of the relay.
  ;[laptop, desk] = [await start('Laptop'), await start('Desk')]
  await meet(laptop, desk)
  const again = await home.start()
  for (const device of [laptop, desk]) device.resume()
  for (const device of [laptop, desk]) await device.relays.list.when(all => all.some(({ state }) => state === 'linked'))
  for (const device of [laptop, desk]) await onRelay(device)

  const listed = (device: Segue): Promise<readonly LateEditInReview[]> => device.lateEdits.review()
  const late = { kind: 'quarantined', title: 'Plan', session: session.id, authorName: 'Phone', suggested: 'discard', edits: 1 }
  const textOn = async (device: Segue): Promise<string> => (await device.repo.find<Page>(url)).doc().text
  for (const device of [laptop, desk]) {
    await whenDue(device, clock)
    await expect.poll(() => listed(device), { timeout: 60_000 }).toMatchObject([late])
    expect(await textOn(device)).toBe('a')
  }
  await desk.lateEdits.accept((await listed(desk))[0]?.id ?? '')
  for (const device of [laptop, desk]) {
    await expect.poll(() => textOn(device), { timeout: 20_000 }).toBe('a LATE')
    await expect.poll(() => listed(device), { timeout: 20_000 }).toEqual([])
  }
  await again.close()
}, 150_000)

async function whenDue(device: Segue, clock: AheadClock): Promise<void> {
  let looks = 0
  const look = (): readonly unknown[] => {
    if (looks++ % STEPS_AND_REST < STEPS) clock.skip(STEP_MS)
    return device.lateEdits.list.peek()
  }
  await expect.poll(look, { timeout: 60_000, interval: 250 }).toHaveLength(1)
}

async function meet(one: Segue, other: Segue): Promise<void> {
  for (const address of other.status.peek().addresses) await one.addAddress(other.device.id, address)
  await inSync(one, other)
}

/** With its claim, which `flush` writes at once. */
async function write(device: Segue, url: AutomergeUrl, text: string): Promise<void> {
  const handle = await device.repo.find<Page>(url)
  handle.change(doc => A.splice(doc, ['text'], doc.text.length, 0, text))
  await device.flush()
}
