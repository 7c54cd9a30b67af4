/** Bits that rotted on one device's disk: what the other device holds comes back from it. */
import path from 'node:path'
import type { Segue, SegueSession, SessionId } from '@segue/engine'
import { Level } from 'level'
import { expect, test, vi } from 'vitest'
import { pair, scratch, startDevice } from './cast.ts'

test.each([
  ['found while the other device is there', 'before'],
  ['found before the other device is met', 'after'],
] as const)('[I2] damaged chunks are fetched again from the other device, %s', async (_, laptopStarts) => {
  const [laptopFolder, deskFolder] = [path.join(await scratch(), 'laptop'), path.join(await scratch(), 'desk')]
  const laptop = await startDevice('Laptop', { directory: laptopFolder })
  const desk = await startDevice('Desk', { directory: deskFolder })
  await pair(laptop, desk)
  const session = await laptop.sessions.create({ title: 'Report' })
  const { documentId, handle } = await session.documents.create({ title: 'Text', initial: { text: '' } })
  for (let i = 0; i < 20; i++) {
    handle.change(doc => void (doc.text += `line ${i}\n`))
    await session.flush()
  }
  const { documentId: large } = await session.documents.importText({ title: 'large.txt', bytes: Buffer.alloc(200_000, 'lorem ipsum ') })
  const text = handle.doc().text
  await session.flush()
  const onDesk = await desk.sessions.open(session.id)
  await expect.poll(async () => (await onDesk.documents.exportText(large)).length, { timeout: 20_000 }).toBe(200_000)
  await desk.flush()
  const address = laptop.status.peek().addresses[0] ?? ''
  await desk.close()
  if (laptopStarts === 'after') await laptop.close()

  expect(await flipEverySecondChunk(deskFolder)).toBeGreaterThan(10)
  const again = await startDevice('Desk', { directory: deskFolder })
  const mostDamage = followDamage(again)
  if (laptopStarts === 'after') await restart()
  const reopened = await openOnceMended(again, session.id)
  const report = await reopened.documents.open<{ text: string }>(documentId)
  await expect.poll(() => report.doc().text, { timeout: 20_000 }).toBe(text)
  await expect.poll(async () => (await reopened.documents.exportText(large)).length, { timeout: 20_000 }).toBe(200_000)
  await again.status.when(({ storage }) => storage.damaged === 0)
  expect(mostDamage()).toBeGreaterThan(0)

  async function restart(): Promise<void> {
    await again.status.when(({ storage }) => storage.damaged > 0)
    const port = Number(/tcp\/(\d+)/.exec(address)?.[1])
    await startDevice('Laptop', { directory: laptopFolder, network: { listen: [`/ip4/127.0.0.1/tcp/${port}`] } })
  }
})

/** While its first change is missing, a document is nothing that could be opened. */
function openOnceMended(device: Segue, session: SessionId): Promise<SegueSession> {
  return vi.waitFor(() => device.sessions.open(session), { timeout: 30_000, interval: 100 })
}

function followDamage(device: Segue): () => number {
  let most = device.status.peek().storage.damaged
  device.status.subscribe(({ storage }) => (most = Math.max(most, storage.damaged)))
  return () => most
}

/** One bit in every second head (`h`) and every large chunk's bytes (`b`). */
async function flipEverySecondChunk(directory: string): Promise<number> {
  const level = new Level<Uint8Array, Uint8Array>(path.join(directory, 'level'), { keyEncoding: 'view', valueEncoding: 'view' })
  try {
    let flipped = 0
    for (const prefix of ['h', 'b']) {
      const range = { gte: Buffer.from(prefix), lt: Buffer.from([prefix.charCodeAt(0) + 1]) }
      const entries = await level.iterator(range).all()
      for (const [key, value] of entries.filter((_, i) => i % 2 === 0)) {
        const damaged = Uint8Array.from(value)
        damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 1
        await level.put(key, damaged)
        flipped += 1
      }
    }
    return flipped
  } finally {
    await level.close()
  }
}
