import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createRecoveryPhrase, isSegueError } from '@segue/core'
import { keyFile, openStore } from '@segue/storage'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSegue } from '../open-segue.ts'
import { systemRandom } from '../platform/system-random.ts'
import type { Segue } from '../segue.ts'
import { makeRecoveryPhrase } from './phrases.ts'
import { restoreSegue, type Restored, type RestoreOptions } from './restore-segue.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-restore-'))
const unlockOf = (name: string): ReturnType<typeof keyFile> => keyFile(path.join(root, `${name}.key`))
const open = (name: string): Promise<Segue> =>
  openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock: unlockOf(name),
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })
let words: string
const restore = (name: string, from: string, more: Partial<RestoreOptions> = {}): Promise<Restored> => {
  mkdirSync(path.join(root, name), { recursive: true, mode: 0o700 })
  return restoreSegue({
    directory: path.join(root, name, 'store'),
    device: { name },
    unlock: keyFile(path.join(root, name, 'key')),
    words,
    from: { file: from },
    onNewPhrase: () => undefined,
    ...more,
  })
}
const openRestored = (name: string): Promise<Segue> =>
  openSegue({
    directory: path.join(root, name, 'store'),
    device: { name },
    unlock: keyFile(path.join(root, name, 'key')),
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })

/** What is in it: the SHA-256 of every text, and the heads of its document. */
async function contentOf(segue: Segue): Promise<readonly unknown[]> {
  await segue.sessions.whenListed()
  const found: unknown[] = []
  for (const { id, title } of segue.sessions.list.peek()) {
    const session = await segue.sessions.open(id)
    for (const { documentId, title: name } of session.documents.list.peek()) {
      const handle = await session.documents.open<{ text: string }>(documentId)
      const text = await session.documents.exportText(documentId)
      found.push([title, name, createHash('sha256').update(text).digest('hex'), [...handle.heads()].sort()])
    }
  }
  return found.sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
}

const backup = path.join(root, 'laptop.backup')
let content: readonly unknown[]
let laptopId: string
beforeAll(async () => {
  const laptop = await open('laptop')
  laptopId = laptop.device.id
  const phrase = makeRecoveryPhrase()
  words = phrase.words
  await expect(laptop.backup.write(backup)).rejects.toMatchObject({ code: 'RECOVERY_NO_PHRASE' })
  expect(readdirSync(root).filter(name => name.startsWith('laptop.backup'))).toEqual([])
  await laptop.recovery.set(phrase.keys)
  for (const title of ['Trip', 'Taxes']) {
    const session = await laptop.sessions.create({ title })
    for (let i = 0; i < 3; i++) {
      const { handle } = await session.documents.create<{ text: string; n: number }>({
        title: `${title} ${i}`,
        initial: { text: '', n: 0 },
      })
      for (let edit = 0; edit < 40; edit++) handle.change(doc => void ((doc.text += `${title} ${i}.${edit} `), doc.n++))
    }
  }
  expect(laptop.status.peek().backup).toEqual({ isOnlyHere: true, lastAt: undefined })
  const progress: number[] = []
  const written = await laptop.backup.write(backup, { onProgress: ({ chunks }) => progress.push(chunks) })
  expect(written).toMatchObject({ bytes: statSync(backup).size, leftOut: 0 })
  expect(progress.at(-1)).toBe(written.chunks)
  expect(laptop.status.peek().backup).toEqual({ isOnlyHere: false, lastAt: written.at })
  content = await contentOf(laptop)
  expect(content.length).toBe(6)
  await laptop.close()
}, 60_000)
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('[W7] [W8] words and a backup bring everything back on an empty machine, which is an admin now; the lost one is out, the words are used up', async () => {
  let next = ''
  const restored = await restore('desk', backup, { onNewPhrase: shown => void (next = shown) })
  expect(restored).toMatchObject({ kept: [], removed: [laptopId], leftOut: 0 })
  const desk = await openRestored('desk')
  expect(await contentOf(desk)).toEqual(content)
  expect(desk.devices.peek()).toMatchObject([{ id: restored.device, role: 'admin', isThisDevice: true }])
  expect(desk.recovery.phrase).toMatchObject({})
  const again = path.join(root, 'desk.backup')
  await desk.backup.write(again)
  await desk.close()
  await expect(restore('attic', again)).rejects.toMatchObject({ code: 'BACKUP_OTHER_PHRASE' })
  await restore('attic', again, { words: next })
  const attic = await openRestored('attic')
  expect(await contentOf(attic)).toEqual(content)
  await attic.close()
}, 60_000)

test('[W3] chunks come back in the order in which they came, the log among them', async () => {
  await restore('ordered', backup)
  const orderIn = async (directory: string, key: string): Promise<readonly string[]> => {
    const store = await openStore({ directory, unlock: keyFile(key) })
    const ids: string[] = []
    for await (const { id, class: kind } of store.chunks.since(0)) if (kind === 'log' || kind === 'commit') ids.push(`${kind} ${id}`)
    await store.close()
    return ids
  }
  const before = await orderIn(path.join(root, 'laptop'), path.join(root, 'laptop.key'))
  const after = await orderIn(path.join(root, 'ordered', 'store'), path.join(root, 'ordered', 'key'))
  expect(before.filter(each => each.startsWith('log')).length).toBeGreaterThan(1)
  expect(before.length).toBeGreaterThan(20)
  expect(after.filter(id => before.includes(id))).toEqual(before.filter(id => after.includes(id)))
  expect(after.slice(-4).every(each => each.startsWith('log'))).toBe(true)
})

test('[W8] who is named stays', async () => {
  const restored = await restore('keeper', backup, { keep: devices => devices.map(({ id }) => id) })
  expect(restored).toMatchObject({ kept: [laptopId], removed: [] })
}, 30_000)

async function whatIsWrong(given: Partial<RestoreOptions>, from = backup): Promise<string> {
  const name = 'nothing'
  rmSync(path.join(root, name), { recursive: true, force: true })
  try {
    await restore(name, from, given)
    return 'restored'
  } catch (error) {
    if (!isSegueError(error)) throw error
    expect(readdirSync(path.join(root, name))).toEqual([])
    return error.message
  }
}

test('[W9] a wrong word is named, and nothing is written', async () => {
  const typed = words.split(' ')
  expect(await whatIsWrong({ words: typed.slice(1).join(' ') })).toContain('there are 23, and 24 are needed')
  expect(await whatIsWrong({ words: typed.with(6, 'sague').join(' ') })).toContain('word 7 is not in the list')
  const swapped = typed[0] === typed[1] ? typed.with(0, typed[2] ?? '') : typed.with(0, typed[1] ?? '').with(1, typed[0] ?? '')
  expect(await whatIsWrong({ words: swapped.join(' ') })).toMatch(/do not belong together|do not open/)
  expect(await whatIsWrong({ words: createRecoveryPhrase(systemRandom) })).toContain('These words do not open that backup')
})

test('[W9] a wrong file, one that is cut short and one that is damaged are told apart, and nothing is written', async () => {
  const file = readFileSync(backup)
  const other = path.join(root, 'other')
  const asFile = async (bytes: Uint8Array): Promise<string> => {
    writeFileSync(other, bytes)
    return whatIsWrong({}, other)
  }
  expect(await asFile(Buffer.from('a photo of a cat'))).toContain('not a backup made by Segue')
  expect(await asFile(file.subarray(0, file.length - 100))).toContain('damaged, cut short')
  expect(await asFile(file.subarray(0, 300))).toContain('damaged, cut short')
  file[file.length >> 1] = (file[file.length >> 1] ?? 0) ^ 4
  expect(await asFile(file)).toContain('damaged, cut short')
  expect(await whatIsWrong({}, path.join(root, 'nowhere'))).toContain('no such file')
})

test('[W9] a store that is there is not touched', async () => {
  mkdirSync(path.join(root, 'full', 'store'), { recursive: true, mode: 0o700 })
  writeFileSync(path.join(root, 'full', 'store', 'format'), 'x')
  await expect(restore('full', backup)).rejects.toMatchObject({ code: 'RESTORE_NOT_EMPTY' })
  expect(readdirSync(path.join(root, 'full', 'store'))).toEqual(['format'])
})

test('[W10] what killed restores left behind is taken away, and none of it is gone on with', async () => {
  const left = [`store.restoring-${process.pid}-0a1b2c3d`, 'store.restoring-999999999-0a1b2c3d', 'store.restoring-']
  for (const name of left) {
    mkdirSync(path.join(root, 'tidy', name), { recursive: true, mode: 0o700 })
    writeFileSync(path.join(root, 'tidy', name, 'format'), 'x')
  }
  await restore('tidy', backup)
  expect(readdirSync(path.join(root, 'tidy')).sort()).toEqual(['key', 'store'])
}, 30_000)

test('[W10] whoever says no when the new words are shown has changed nothing', async () => {
  const refusing = restore('shy', backup, { onNewPhrase: () => Promise.reject(new Error('I have no pen')) })
  await expect(refusing).rejects.toThrow('I have no pen')
  expect(readdirSync(path.join(root, 'shy')).filter(name => name !== 'key')).toEqual([])
  await restore('shy', backup)
}, 30_000)

test('[W1] a backup replaces a backup, and nothing else', async () => {
  const mac = await openRestored('keeper')
  const photo = path.join(root, 'photo.jpg')
  writeFileSync(photo, 'a photo of a cat')
  await expect(mac.backup.write(photo)).rejects.toMatchObject({ code: 'BACKUP_IN_THE_WAY' })
  await expect(mac.backup.write(root)).rejects.toMatchObject({ code: 'BACKUP_IN_THE_WAY' })
  await expect(mac.backup.write(path.join(root, 'no', 'such', 'folder'))).rejects.toMatchObject({ code: 'BACKUP_FAILED' })
  expect(readFileSync(photo, 'utf8')).toBe('a photo of a cat')
  const own = path.join(root, 'own.backup')
  await mac.backup.write(own)
  const first = readFileSync(own)
  await mac.backup.write(own)
  expect(readFileSync(own).equals(first)).toBe(false)
  expect(statSync(own).mode & 0o777).toBe(0o600)
  const stopped = AbortSignal.abort(new Error('not now'))
  await expect(mac.backup.write(own, { signal: stopped })).rejects.toThrow('not now')
  expect(existsSync(`${own}.new`)).toBe(false)
  chmodSync(own, 0o600)
  await mac.close()
}, 30_000)

test('[W1] a backup goes into a stream as well', async () => {
  const mac = await openRestored('keeper')
  const pieces: Uint8Array[] = []
  await mac.backup.write(new WritableStream({ write: piece => void pieces.push(piece.slice()) }))
  await mac.close()
  const file = path.join(root, 'streamed.backup')
  writeFileSync(file, Buffer.concat(pieces))
  // made by the device that recovered, it is for the new words
  expect(await whatIsWrong({}, file)).toContain('These words do not open that backup')
}, 30_000)
