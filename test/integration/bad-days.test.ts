/** Bad input and bad days of a whole device, each answered by name and with nothing lost. */
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openSegue, passphrase } from '@segue/engine'
import { expect, test } from 'vitest'
import { freePort, inSync, optionsOf, pair, scratch, startDevice } from './cast.ts'
import { startChild } from './device-child.ts'

const DAY_MS = 24 * 60 * 60 * 1_000

test('a store of a newer format is refused by name, and nothing in it changes', async () => {
  const directory = path.join(await scratch(), 'store')
  await (await startDevice('Laptop', { directory })).close()
  await writeFile(path.join(directory, 'format'), 'segue-store 999\n')
  const before = await fingerprintOf(directory)
  await expect(openSegue(optionsOf('Laptop', directory))).rejects.toMatchObject({ code: 'STORE_NEWER' })
  expect(await fingerprintOf(directory)).toBe(before)
})

test('a wrong passphrase is refused by name and changes nothing; the right one opens it', async () => {
  const directory = path.join(await scratch(), 'store')
  const laptop = { ...optionsOf('Laptop', directory), unlock: passphrase('correct horse') }
  const first = await openSegue(laptop)
  await first.sessions.create({ title: 'Behind the passphrase' })
  await first.close()
  const before = await fingerprintOf(directory)
  await expect(openSegue({ ...laptop, unlock: passphrase('correct house') })).rejects.toMatchObject({ code: 'UNLOCK_WRONG' })
  expect(await fingerprintOf(directory)).toBe(before)
  const again = await openSegue(laptop)
  expect(again.sessions.list.peek().map(({ title }) => title)).toEqual(['Behind the passphrase'])
  await again.close()
})

test('a second process is told that the store is open already, and disturbs nobody', async () => {
  const directory = path.join(await scratch(), 'store')
  const first = await startChild({ name: 'laptop', directory, port: await freePort() })
  await expect(openSegue(optionsOf('Laptop', directory))).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  const session = await first.ask({ type: 'create-session', title: 'Undisturbed', text: 'still writing' })
  await first.kill()
  const second = await startDevice('Laptop', { directory })
  expect(second.sessions.list.peek().map(({ id }) => id)).toEqual([session])
})

test('a file that is not text, and one over 1 MiB, are refused by name and leave nothing in the session', async () => {
  const laptop = await startDevice('Laptop')
  const session = await laptop.sessions.create({ title: 'Files' })
  const picture = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), randomBytes(1_000)])
  await expect(session.documents.importText({ title: 'picture.png', bytes: picture })).rejects.toMatchObject({ code: 'DOCUMENT_NOT_TEXT' })
  await expect(session.documents.importText({ title: 'book.txt', bytes: Buffer.alloc(1_048_577, 'a') })).rejects.toMatchObject({
    code: 'DOCUMENT_TOO_LARGE',
    message: 'A text document holds 1 MiB at most; this one has 1025 KiB. Split it, or wait for attachments.',
  })
  expect(session.documents.list.peek()).toEqual([])
  const empty = await session.documents.importText({ title: 'empty.txt', bytes: new Uint8Array() })
  expect(await session.documents.exportText(empty.documentId)).toEqual(new Uint8Array())
})

test.each([
  ['ahead', DAY_MS],
  ['behind', -DAY_MS],
])('a device whose clock is a day %s pairs, syncs, hands over and takes back', async (_, aheadMs) => {
  const laptop = await startDevice('Laptop')
  const desk = await startDevice('Desk', { aheadMs })
  await pair(laptop, desk)
  const session = await laptop.sessions.create({ title: 'What time is it' })
  const { documentId, handle } = await session.documents.create({ title: 'Text', initial: { text: 'on the laptop' } })
  await session.flush()
  await inSync(laptop, desk)

  expect(await laptop.handoff.send(session.id, { to: desk.device.id }).done).toMatchObject({ kind: 'done', holder: desk.device.id })
  const onDesk = await desk.sessions.open(session.id)
  const text = await onDesk.documents.open<{ text: string }>(documentId)
  expect((await onDesk.lease()).holder).toBe(desk.device.id)
  text.change(doc => void (doc.text = 'on the desk'))
  await desk.flush()
  expect(await laptop.handoff.take(session.id).done).toMatchObject({ kind: 'done', holder: laptop.device.id })
  expect(handle.doc().text).toBe('on the desk')
  await onDesk.lease().then(({ holder }) => expect(holder).toBe(laptop.device.id))
})

/** Of every file's name and content, without Level's own diary. */
async function fingerprintOf(directory: string): Promise<string> {
  const hash = createHash('sha256')
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries
    .filter(entry => entry.isFile() && !entry.name.startsWith('LOG'))
    .map(entry => path.join(entry.parentPath, entry.name))
  for (const file of files.toSorted()) hash.update(file).update(await readFile(file))
  return hash.digest('hex')
}
