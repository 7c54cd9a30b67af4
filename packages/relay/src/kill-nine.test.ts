/** A real relay process killed at random moments while a device writes to it. */
import path from 'node:path'
import type { SealedChunk } from '@segue/core/ports'
import { expect, test } from 'vitest'
import { chunks, mailboxId, scratch, shareMailboxAt, startDevice, type TestDevice } from './testing/cast.ts'
import { spawnRelay } from '../test-support/relay-process.ts'

/** 500 in a soak. */
const ROUNDS = Number(process.env['SEGUE_KILL_ROUNDS'] ?? 50)
const MAILBOX = mailboxId(1)

test(`[B12] a relay killed ${ROUNDS} times at random has everything it ever confirmed`, { timeout: 20 * 60_000 }, async () => {
  const directory = path.join(await scratch(), 'data')
  const [laptop, phone] = [await startDevice('laptop'), await startDevice('phone')]
  const spares = [spawnRelay(), spawnRelay()] // they load while another one works
  let running = spawnRelay()
  let relay = await running.go({ directory, listen: ['/ip4/127.0.0.1/tcp/0'], isFirst: true })
  const place = { ...relay }
  const listen = relay.addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  await shareMailboxAt(relay, relay.invite ?? '', MAILBOX, [laptop, phone])
  laptop.connect(relay)

  const writer = createWriter(laptop, relay.id)
  let missing = 0
  for (let round = 0; round < ROUNDS; round++) {
    const before = writer.confirmed().length
    await writer.untilConfirmed(before + 1)
    await writer.untilConfirmed(before + 1 + Math.floor(Math.random() * 8))
    await running.kill()
    running = spares.shift() ?? spawnRelay()
    if (round + spares.length + 1 < ROUNDS) spares.push(spawnRelay())
    const expected = writer.confirmed().map(chunk => chunk.id)
    relay = await running.go({ directory, listen, mailbox: MAILBOX, expected })
    missing += relay.missing
    laptop.node.resume()
  }
  await writer.stop()
  await laptop.close()
  expect(missing).toBe(0)
  phone.connect(place)
  await phone.has(...writer.confirmed())
  if (process.env['SEGUE_KILL_ROUNDS'] !== undefined) process.stdout.write(`${writer.confirmed().length} chunks confirmed\n`)
  expect(writer.confirmed().length).toBeGreaterThan(3 * ROUNDS)
})

/** Three chunks a document, a few documents under way at a time; a document counts as confirmed from when the relay said so. */
function createWriter(device: TestDevice, relay: TestDevice['id']) {
  const waiting = new Map<string, readonly SealedChunk[]>()
  const confirmed: SealedChunk[] = []
  const stopping = new AbortController()
  let next = 0
  const look = (): void => {
    for (const [name, written] of waiting) {
      if (!device.replica.confirmedAt(relay, chunks.docTag(name))) continue
      waiting.delete(name)
      confirmed.push(...written)
    }
  }
  const unsubscribe = device.replica.confirmations.subscribe(look)
  const write = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const name = `document ${next++}`
      const written = [0, 1, 2].map(part => chunks.commit(name, `part ${part}`, { bytes: part === 2 ? 5_000 : 100 }))
      await device.replica.add(written)
      waiting.set(name, written) // not before: of what is not durable here, the relay cannot be said to lack anything
      look()
      if (waiting.size >= 16) await device.replica.confirmations.when(() => stopping.signal.aborted || waiting.size < 16)
    }
  }
  const writing = write()
  return {
    confirmed: (): readonly SealedChunk[] => [...confirmed],
    untilConfirmed: (count: number): Promise<number> => device.replica.confirmations.when(() => confirmed.length >= count),
    async stop(): Promise<void> {
      stopping.abort()
      await device.replica.add([chunks.commit('the end', '')])
      await writing
      unsubscribe()
    },
  }
}
