/** I4 for a device's files, and the same for the wire between two devices: 64 canaries, looked for in every form. */
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Segue, SegueSession } from '@segue/engine'
import { Level } from 'level'
import { expect, test } from 'vitest'
import { createCanaries, createCanarySearch, formsOf, type Leak } from './canary.ts'
import { freePort, inSync, pair, scratch, startDevice } from './cast.ts'
import { startTap, type Tap } from './tap.ts'

test('the search finds a canary in each form, wherever it begins', () => {
  const [canary = '', other = ''] = createCanaries(2)
  const search = createCanarySearch([canary, other])
  expect(formsOf(canary).size).toBe(11)
  for (const [form, needle] of formsOf(canary)) {
    const leaks = search(Buffer.concat([randomBytes(501), needle, randomBytes(7)]), 'here')
    expect(leaks).toContainEqual({ canary, form, where: 'here' })
  }
  for (const offset of [0, 1, 2]) {
    const encoded = Buffer.from(Buffer.concat([randomBytes(30 + offset), Buffer.from(canary), randomBytes(40)]).toString('base64'))
    expect(search(encoded, 'there').map(leak => leak.canary)).toContain(canary)
  }
  expect(search(randomBytes(100_000), 'nowhere')).toEqual([])
})

test('[I4] [N29] neither the files of two devices nor the wire between them hold any of 64 canaries', async () => {
  const canaries = createCanaries(64)
  const unused = [...canaries]
  const next = (): string => unused.shift() ?? expect.fail('more places than canaries')
  const folder = await scratch()
  const devices: { readonly segue: Segue; readonly tap: Tap; readonly directory: string }[] = []
  for (const name of ['laptop', 'desk']) {
    const directory = path.join(folder, name)
    const port = await freePort()
    const tap = await startTap(port)
    const network = { listen: [`/ip4/127.0.0.1/tcp/${port}`], announce: [tap.address] }
    devices.push({ segue: await startDevice(`${name} ${next()}`, { directory, network }), tap, directory })
  }
  const [{ segue: laptop }, { segue: desk }] = devices as [(typeof devices)[0], (typeof devices)[0]]

  await pair(laptop, desk)
  await laptop.rename(next())
  const session = await fill(laptop, next)
  for (let i = 0; i < 3; i++) await laptop.sessions.create({ title: next() })
  expect(unused).toEqual([])
  await session.flush()
  await inSync(laptop, desk)
  const handoff = laptop.handoff.send(session.id, { to: desk.device.id })
  expect((await handoff.done).kind).toBe('done')
  const shown = await everythingOn(desk, session)
  expect(canaries.filter(canary => !shown.includes(canary))).toEqual([canaries[0]]) // the name the laptop had before
  await inSync(laptop, desk)

  for (const { segue, tap } of devices) expect(segue.status.peek().addresses).toEqual([`${tap.address}/p2p/${segue.device.id}`])
  await laptop.close()
  await desk.close()

  const search = createCanarySearch(canaries)
  const leaks: Leak[] = []
  let fileBytes = 0
  for (const { directory } of devices) {
    for (const [name, bytes] of [...(await filesIn(directory)), ...(await valuesIn(directory))]) {
      leaks.push(...search(bytes, name))
      fileBytes += bytes.length
    }
  }
  const wire = devices.flatMap(({ tap }) => tap.carried())
  for (const bytes of wire) leaks.push(...search(bytes, 'wire'))
  expect(leaks).toEqual([])
  // Both really kept it, and it really went through the taps.
  expect(fileBytes).toBeGreaterThan(2 * NOISE_BYTES)
  expect(wire.reduce((sum, bytes) => sum + bytes.length, 0)).toBeGreaterThan(NOISE_BYTES)
})

const NOISE_BYTES = 100_000

/** 58 canaries into every place of a session. */
async function fill(device: Segue, next: () => string): Promise<SegueSession> {
  const session = await device.sessions.create({ title: next() })
  for (let i = 0; i < 6; i++) {
    const text = `${next()} and ${next()}`
    const { handle, documentId } = await session.documents.create({ title: next(), initial: { text, nested: { [next()]: [next()] } } })
    handle.change(doc => void (doc.text = `${doc.text}, then ${next()}`))
    if (i === 0) await session.views.open({ document: documentId, selection: { anchor: 5, head: 9 } })
  }
  for (let i = 0; i < 4; i++) {
    const noise = i === 0 ? randomBytes(NOISE_BYTES / 2).toString('hex') : ''
    await session.documents.importText({ title: `${next()}.txt`, bytes: Buffer.from(`${noise}${next()}\n`) })
  }
  for (let i = 0; i < 7; i++) await session.drafts.create({ text: `I think ${next()}` })
  for (let i = 0; i < 3; i++) session.preferences.set(next(), next())
  return session
}

/** All that this device can show: what was sealed away does come out again. */
async function everythingOn(device: Segue, { id }: SegueSession): Promise<string> {
  const session = await device.sessions.open(id)
  const shown: unknown[] = [device.devices.peek(), device.sessions.list.peek(), session.drafts.list.peek(), session.preferences.all.peek()]
  for (const { documentId, title } of session.documents.list.peek()) {
    const handle = await session.documents.open<unknown>(documentId)
    shown.push(title, handle.doc())
  }
  return JSON.stringify(shown)
}

async function filesIn(directory: string): Promise<readonly (readonly [string, Buffer])[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const names = entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
  return Promise.all(names.map(async name => [name, await readFile(name)] as const))
}

/** What Level keeps, as it was before Level compressed it. */
async function valuesIn(directory: string): Promise<readonly (readonly [string, Uint8Array])[]> {
  const level = new Level<Uint8Array, Uint8Array>(path.join(directory, 'level'), { keyEncoding: 'view', valueEncoding: 'view' })
  try {
    const entries = await level.iterator().all()
    return [[`${directory}: keys and values`, Buffer.concat(entries.flat())]]
  } finally {
    await level.close()
  }
}
