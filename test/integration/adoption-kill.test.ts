/** `kill -9` at any point of going over to another group: afterwards the machine is in one of the two, with all that it had. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Automerge, openSegue, type DocumentId, type Segue, type SessionId } from '@segue/engine'
import { createSeededRandom } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { optionsOf, scratch, startDevice } from './cast.ts'

const ROUNDS = 5
const SESSIONS = 6

interface Work {
  readonly session: SessionId
  readonly document: DocumentId
  readonly heads: readonly string[]
}

async function work(device: Segue): Promise<readonly Work[]> {
  const made: Work[] = []
  for (let i = 0; i < SESSIONS; i++) {
    const session = await device.sessions.create({ title: `Notes ${i}` })
    const { documentId, handle } = await session.documents.create({ title: 'Notes', initial: { text: '' } })
    for (let n = 0; n < 40; n++) handle.change(doc => void (doc.text = `${i} ${n}`))
    await session.flush()
    made.push({ session: session.id, document: documentId, heads: Automerge.getHeads(handle.doc()) })
  }
  return made
}

test('[J3] [J4] killed at any point, it is in one group or the other, and has everything', async () => {
  const root = await scratch()
  const original = path.join(root, 'phone')
  const phone = await startDevice('phone', { directory: original })
  const made = await work(phone)
  await phone.close()
  const random = createSeededRandom(23)
  const places = new Set<string>()

  for (let round = 0; round < ROUNDS; round++) {
    const directory = path.join(root, `phone-${round}`)
    await cp(original, directory, { recursive: true })
    await cp(`${original}.key`, `${directory}.key`)
    const laptop = await startDevice('laptop', { directory: path.join(root, `laptop-${round}`) }) // a key that was let in once is no stranger
    const invitation = await laptop.pairing.invite()
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../bundle/adoption-process.js', import.meta.url)), directory, invitation.text],
      {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      },
    )
    const gone = once(child, 'exit')
    const [{ code }] = (await once(child, 'message')) as [{ readonly code: string }]
    const confirming = invitation.confirm(code)
    // The first dies at once, the last is through; the others somewhere between.
    if (round < ROUNDS - 1) await sleep(round === 0 ? 0 : 1_500 * ((random.bytes(1)[0] ?? 0) / 255))
    else await once(child, 'message')
    child.kill('SIGKILL')
    await gone
    await confirming.catch(() => undefined)
    await invitation.close()

    const again = await openSegue(optionsOf('phone', directory))
    places.add(again.devices.peek().some(({ id }) => id === laptop.device.id) ? 'joined' : 'own')
    await again.sessions.whenListed()
    for (const { session, document, heads } of made) {
      const opened = await again.sessions.open(session)
      const handle = await opened.documents.open<{ text: string }>(document)
      expect(Automerge.getHeads(handle.doc())).toEqual(heads)
    }
    await again.close()
    await laptop.close()
    await rm(directory, { recursive: true })
  }
  expect(places.has('joined')).toBe(true)
}, 120_000)
