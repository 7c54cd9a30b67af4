/** I4 for a relay: what devices seal shows nowhere on it, in no form; and its logs name nobody. */
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { Writable } from 'node:stream'
import { createDeviceInspector, createDocuments, createIdentity, createInlineWorker, foundGroup } from '@segue/core'
import { createMemoryChunkStore } from '@segue/core/testing'
import { systemClock } from '@segue/net'
import { createLog } from '@segue/relay'
import { openVolume } from '@segue/storage/volume'
import { expect, onTestFinished, test } from 'vitest'
import { mailboxId, random, scratch, shareMailbox, startDevice, startRelay, type RelayPlace } from '@segue/relay/testing'
import { createCanaries, createCanarySearch, type Leak } from './canary.ts'
import { freePort } from './cast.ts'
import { startTap } from './tap.ts'

const MAILBOX = mailboxId(1)

test('[B19] [I4] files, backup, logs, figures and wire of a relay hold none of 32 canaries; the logs name nobody unless asked to', async () => {
  const canaries = createCanaries(32)
  const [nameOfDevice = '', ...rest] = canaries
  const folder = await scratch()
  const [plain, named] = [createSink(), createSink()]
  const logs = [
    createLog({ level: 'debug', withIds: false, destination: plain }),
    createLog({ level: 'debug', withIds: true, destination: named }),
  ]
  const both =
    (severity: 'debug' | 'info' | 'warn' | 'error') => (event: string, fields?: Parameters<(typeof logs)[number]['info']>[1]) => {
      for (const log of logs) log[severity](event, fields)
    }
  const logger = { debug: both('debug'), info: both('info'), warn: both('warn'), error: both('error') }
  const port = await freePort()
  const directory = path.join(folder, 'data')
  const relay = await startRelay({ directory, listen: [`/ip4/127.0.0.1/tcp/${port}`], ops: { host: '127.0.0.1', port: 0 }, logger })
  const tap = await startTap(port)
  const place = { id: relay.id, addresses: [tap.address] }

  const laptop = await startSealedDevice(nameOfDevice, place)
  await shareMailbox(relay, MAILBOX, [laptop.device])
  const handles = await Promise.all(
    rest.map(canary =>
      laptop.documents.create<Note>(doc => {
        doc.title = canary
        doc.text = `${canary} and more`.repeat(20)
      }),
    ),
  )
  for (const [i, handle] of handles.entries()) handle.change(doc => void (doc.text = `edited ${rest[i]}`))
  await laptop.documents.flush()
  laptop.device.connect(place)
  await laptop.onRelay()
  const stranger = await startDevice('stranger')
  await stranger.ask(place, { v: 1, type: 'claim', token: new Uint8Array(32) })
  stranger.connect(place)
  await relay.operations.backup({ path: path.join(folder, 'backup') })
  const figures = await (await fetch(`http://${relay.opsAddress}/metrics`)).text()
  const { storedBytes } = await relay.operations.status({})
  await laptop.close()
  await relay.close()

  const search = createCanarySearch(canaries)
  const leaks: Leak[] = [
    ...search(Buffer.from(figures), 'figures'),
    ...search(plain.bytes(), 'log'),
    ...search(named.bytes(), 'log with ids'),
  ]
  const files = await filesIn(folder)
  for (const [name, bytes] of files) leaks.push(...search(bytes, name))
  for (const bytes of tap.carried()) leaks.push(...search(bytes, 'wire'))
  const volume = await openVolume(directory)
  const entries = await volume.read(view => view.entries({ gte: new Uint8Array([0]), lt: new Uint8Array([255]) }))
  await volume.close()
  leaks.push(...search(Buffer.concat(entries.flat()), 'keys and values'))
  expect(leaks).toEqual([])
  // All of it did go there.
  expect(storedBytes).toBeGreaterThan(20_000)
  expect(entries.length).toBeGreaterThan(60)
  expect(tap.carried().reduce((sum, bytes) => sum + bytes.length, 0)).toBeGreaterThan(storedBytes)

  const ids = [laptop.device.id, stranger.id, relay.id, MAILBOX]
  for (const text of [plain.text(), figures]) expect(ids.filter(id => text.includes(id))).toEqual([])
  expect(plain.text()).toContain('"event":"stream-refused"')
  expect(named.text()).toContain(stranger.id)
  for (const line of plain.text().trim().split('\n'))
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), event: expect.any(String) })
})

interface Note {
  title: string
  text: string
}

interface Sink extends Writable {
  bytes(): Buffer
  text(): string
}

function createSink(): Sink {
  const parts: Buffer[] = []
  const sink = new Writable({
    write(part: Buffer, _encoding, done) {
      parts.push(part)
      done()
    },
  })
  return Object.assign(sink, { bytes: () => Buffer.concat(parts), text: () => Buffer.concat(parts).toString() })
}

/** Everything real: keys, a group, Automerge documents, sealed chunks. */
async function startSealedDevice(name: string, relay: RelayPlace) {
  const identity = createIdentity({ name, random })
  const group = foundGroup({ identity, random, time: Date.now() })
  const store = createMemoryChunkStore()
  const worker = createInlineWorker()
  const inspector = createDeviceInspector({ keyring: group.keyring, worker, chunkStore: store })
  const device = await startDevice(name, { identity, store, inspector })
  await device.replica.add(group.entries().map(entry => group.toChunk(entry)))
  const documents = createDocuments({
    replica: device.replica,
    keyring: group.keyring,
    identity,
    clock: systemClock,
    random,
    worker,
    chunkStore: store,
    logger: createLog({ level: 'silent', withIds: false }),
  })
  onTestFinished(() => documents.close())
  return {
    device,
    documents,
    /** Resolves when the relay holds everything. */
    onRelay: () => device.replica.peers.when(peers => peers.get(relay.id)?.state === 'in-sync' && peers.get(relay.id)?.unconfirmed === 0),
    async close(): Promise<void> {
      await documents.close()
      await device.close()
    },
  }
}

async function filesIn(folder: string): Promise<readonly (readonly [string, Buffer])[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const names = entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
  return Promise.all(names.map(async name => [name, await readFile(name)] as const))
}
