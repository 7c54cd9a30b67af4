import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { keyFile } from '@segue/storage'
import * as A from '@automerge/automerge'
import { afterAll, expect, test } from 'vitest'
import { openSegue } from '../open-segue.ts'
import type { JoinOutcome, Segue } from '../segue.ts'
import type { AdoptionPreview } from './adoption.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-adoption-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const open = (name: string): Promise<Segue> =>
  openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock: keyFile(path.join(root, `${name}.key`)),
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })
const join = async (inviter: Segue, joiner: Segue, adopt?: (preview: AdoptionPreview) => boolean): Promise<JoinOutcome> => {
  const invitation = await inviter.pairing.invite()
  try {
    const joining = await joiner.pairing.join(invitation.text, adopt === undefined ? {} : { adopt })
    await invitation.confirm(joining.code)
    return await joining.done
  } finally {
    await invitation.close()
  }
}
const write = async (at: Segue, title: string): Promise<{ id: string; heads: readonly string[]; document: string }> => {
  const session = await at.sessions.create({ title })
  const { handle, documentId } = await session.documents.create({ title: `${title}.md`, initial: { text: title } })
  for (let i = 0; i < 5; i++) handle.change(doc => void (doc.text = `${title} ${i}`))
  await session.drafts.create({ text: `draft of ${title}` })
  await session.flush()
  return { id: session.id, document: documentId, heads: A.getHeads(handle.doc()) }
}

test('[J1] [J2] [J5] a machine with work and company brings all of it along, under the same ids, and its old group hears that it left', async () => {
  const [laptop, desk, phone] = (await Promise.all(['Laptop', 'Desk', 'Phone'].map(open))) as [Segue, Segue, Segue]
  expect(await join(desk, phone)).toMatchObject({ ok: true })
  const own = [await write(phone, 'Notes'), await write(phone, 'Letter')]
  await desk.sessions.list.when(list => list.length === 2)
  const theirs = await write(laptop, 'Notes')
  await desk.flush()

  await desk.devices.promote(phone.device.id, { typed: 'Phone' })
  await phone.devices.when(list => list.some(device => device.isThisDevice && device.role === 'admin'))
  await expect(join(laptop, phone)).rejects.toMatchObject({ code: 'PAIRING_ALREADY_MEMBER' })
  await expect(join(laptop, phone, () => false)).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(phone.sessions.list.peek()).toHaveLength(2)

  let preview: AdoptionPreview | undefined
  const outcome = await join(laptop, phone, shown => {
    preview = shown
    return true
  })
  expect(preview).toMatchObject({ documents: 2, incomplete: [], otherDevices: ['Desk'], leaving: 'removes-itself' })
  expect(outcome).toMatchObject({ ok: true, adopted: { documents: 2, deletedThere: 0 } })
  for (const device of [phone, laptop]) {
    await device.sessions.list.when(list => list.length === 3)
    for (const { id, document, heads } of [...own, theirs]) {
      const session = await device.sessions.open(id as never)
      const handle = await session.documents.open<{ text: string }>(document as never)
      expect(A.getHeads(handle.doc())).toEqual(heads)
      expect(session.drafts.list.peek()).toHaveLength(1)
    }
  }
  expect(phone.pairing.adopted.peek()?.sameTitles).toEqual(['Notes'])
  await desk.devices.when(list => list.length === 1)
  expect(desk.sessions.list.peek()).toHaveLength(2)
  await Promise.all([laptop, desk, phone].map(device => device.close()))
}, 30_000)

test('[J1] [J5] a member is told that an admin takes it out, the last admin of others that nobody can', async () => {
  const [laptop, desk] = (await Promise.all(['Laptop 2', 'Desk 2'].map(open))) as [Segue, Segue]
  await write(laptop, 'Notes')
  expect(await join(laptop, desk)).toMatchObject({ ok: true })
  const other = await open('Other 2')
  const previews: AdoptionPreview[] = []
  for (const device of [laptop, desk]) {
    const asked = join(other, device, preview => {
      previews.push(preview)
      return false
    })
    await expect(asked).rejects.toMatchObject({ code: 'CANCELLED' })
  }
  expect(previews.map(({ leaving }) => leaving)).toEqual(['last-admin', 'needs-an-admin'])
  await Promise.all([laptop, desk, other].map(device => device.close()))
}, 30_000)
