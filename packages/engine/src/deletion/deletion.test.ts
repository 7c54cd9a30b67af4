import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { keyFile, openStore } from '@segue/storage'
import { afterAll, expect, test } from 'vitest'
import { openSegue } from '../open-segue.ts'
import type { Segue } from '../segue.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-deletion-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const unlockOf = (name: string): ReturnType<typeof keyFile> => keyFile(path.join(root, `${name}.key`))
const open = (name: string): Promise<Segue> =>
  openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock: unlockOf(name),
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })
const pair = async (inviter: Segue, joiner: Segue): Promise<void> => {
  const invitation = await inviter.pairing.invite()
  const joining = await joiner.pairing.join(invitation.text)
  await invitation.confirm(joining.code)
  expect(await joining.done).toMatchObject({ ok: true })
}
const fileWith = (directory: string, needle: Uint8Array): string | undefined =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => path.join(entry.parentPath, entry.name))
    .find(file => readFileSync(file).includes(Buffer.from(needle)))

/** The sealed bytes of what a closed store holds beside `kept`. */
const sealedIn = async (name: string): Promise<ReadonlyMap<string, Uint8Array>> => {
  const store = await openStore({ directory: path.join(root, name), unlock: unlockOf(name) })
  const sealed = new Map<string, Uint8Array>()
  for await (const docTag of store.chunks.docTags()) {
    for (const { id, bytes } of await store.chunks.getMany((await store.chunks.listDocument(docTag)).map(record => record.id))) {
      sealed.set(id, bytes.slice(-60))
    }
  }
  await store.close()
  return sealed
}

test('what is deleted is in no file of any device, its handles are told, and it stays away after a restart', async () => {
  const [laptop, first] = await Promise.all([open('Laptop'), open('Desk')])
  await pair(laptop, first)
  const kept = await laptop.sessions.create({ title: 'Kept' })
  await kept.documents.create({ title: 'Kept', initial: { text: 'kept' } })
  await kept.flush()
  await first.sessions.list.when(list => list.length === 1)
  const before = { Laptop: new Map<string, Uint8Array>(), Desk: new Map<string, Uint8Array>() }

  const notes = await laptop.sessions.create({ title: 'Notes' })
  const member = await notes.documents.create({ title: 'Secret', initial: { text: 'the canary sings' } })
  for (let i = 0; i < 100; i++) member.handle.change(doc => void (doc.text = `the canary sings ${i}`))
  await notes.durable({ devices: 1 })
  await first.flush()
  await first.close()
  before.Desk = new Map(await sealedIn('Desk'))
  const desk = await open('Desk')
  await desk.sessions.list.when(list => list.length === 2)
  const there = await (await desk.sessions.open(notes.id)).documents.open<{ text: string }>(member.documentId)

  const heard: string[] = []
  there.on('delete', () => heard.push('delete'))
  const [deletion] = await laptop.deletions.delete([{ session: notes.id }])
  expect(deletion).toMatchObject({ session: notes.id, state: 'gone', relays: [] })
  await laptop.deletions.list.when(([each]) => each?.goneAt.length === 2)
  expect(heard).toEqual(['delete'])
  for (const device of [laptop, desk]) {
    expect(device.sessions.list.peek().map(({ title }) => title)).toEqual(['Kept'])
    await expect(device.sessions.open(notes.id)).rejects.toMatchObject({ code: 'DOCUMENT_DELETED' })
    await expect(device.repo.find(member.documentId)).rejects.toMatchObject({ code: 'DOCUMENT_DELETED' })
    await device.deletions.erased()
    await device.close()
  }
  const left = new Set((await sealedIn('Desk')).keys())
  const gone = [...before.Desk].filter(([id]) => !left.has(id))
  expect(gone.length).toBeGreaterThan(5)
  for (const [, bytes] of gone) for (const name of ['Laptop', 'Desk']) expect(fileWith(path.join(root, name), bytes)).toBeUndefined()

  const again = await open('Laptop')
  expect(again.deletions.list.peek()).toMatchObject([{ session: notes.id, state: 'gone' }])
  await expect(again.repo.find(member.documentId)).rejects.toMatchObject({ code: 'DOCUMENT_DELETED' })
  await again.close()
})
