/** `kill -9` while a backup is written and while one is restored, at any point: what is there under its name is whole. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readBackup, recoveryKeysOf } from '@segue/core'
import { createSeededRandom } from '@segue/core/testing'
import { keyFile, makeRecoveryPhrase, openSegue, type Segue } from '@segue/engine'
import { expect, onTestFinished, test } from 'vitest'
import { optionsOf, scratch, startDevice } from './cast.ts'

type Place = 'begins' | 'goes on' | 'shows' | 'is through'
interface Running {
  /** Resolves when it has said so `times` times, or is gone. */
  says(place: Place, times?: number): Promise<void>
  kill(): Promise<void>
}

function run(...args: readonly string[]): Running {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../bundle/recovery-process.js', import.meta.url)), ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const gone = once(child, 'exit')
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await gone
  }
  onTestFinished(kill)
  return {
    async says(place, times = 1) {
      let heard = 0
      const said = new Promise<void>(resolve => {
        child.on('message', at => {
          if (at === place && ++heard === times) resolve()
        })
      })
      await Promise.race([said, gone])
    },
    kill,
  }
}

interface Prepared {
  readonly root: string
  readonly directory: string
  readonly file: string
  readonly words: string
  readonly documents: number
}

async function prepare(): Promise<Prepared> {
  const root = await scratch()
  const directory = path.join(root, 'laptop')
  const laptop = await startDevice('laptop', { directory })
  const { words, keys } = makeRecoveryPhrase()
  await laptop.recovery.set(keys)
  const random = createSeededRandom(17)
  const session = await laptop.sessions.create({ title: 'Archive' })
  const documents = 4
  for (let i = 0; i < documents; i++) {
    const text = Buffer.from(random.bytes(100_000)).toString('base64')
    await session.documents.importText({ title: `box ${i}`, bytes: new TextEncoder().encode(text) })
  }
  const file = path.join(root, 'everything.backup')
  await laptop.backup.write(file)
  await laptop.close()
  return { root, directory, file, words, documents }
}

async function isWhole(file: string, words: string): Promise<boolean> {
  const keys = recoveryKeysOf(words)
  if (!keys.ok) return false
  let chunks = 0
  for await (const item of readBackup(createReadStream(file), keys.value)) if (item.kind === 'chunk') chunks++
  return chunks > 0
}

test('[W1] a backup that is killed while it is written leaves the one before it, whole', { timeout: 120_000 }, async () => {
  const { root, directory, file, words } = await prepare()
  const random = createSeededRandom(4)
  for (let round = 0; round < 4; round++) {
    const writer = run('backup', directory, file)
    await writer.says(round % 2 === 0 ? 'goes on' : 'begins', 1 + random.below(6))
    await sleep(random.below(20)) // anywhere
    await writer.kill()
    expect(await isWhole(file, words)).toBe(true)
  }
  // what the killed ones left is in nobody's way
  await rm(file)
  const writer = run('backup', directory, file)
  await writer.says('is through')
  await writer.kill()
  expect(await isWhole(file, words)).toBe(true)
  expect(path.dirname(file)).toBe(root)
})

test(
  '[W10] a restore that is killed leaves nothing in its place, or all of it; the next one goes through',
  { timeout: 300_000 },
  async () => {
    const { root, file, words, documents } = await prepare()
    const directory = path.join(root, 'attic')
    const open = async (): Promise<Segue> => {
      const attic = await openSegue({ ...optionsOf('attic', directory), unlock: keyFile(`${directory}.key`) })
      onTestFinished(() => attic.close())
      return attic
    }
    const assertWhole = async (): Promise<void> => {
      const attic = await open()
      await attic.sessions.whenListed()
      const [listed] = attic.sessions.list.peek()
      const session = await attic.sessions.open(listed?.id as never)
      const members = session.documents.list.peek()
      expect(members.length).toBe(documents)
      for (const { documentId } of members) expect((await session.documents.exportText(documentId)).length).toBeGreaterThan(100_000)
      await attic.close()
    }
    const random = createSeededRandom(5)
    const stages: readonly (readonly [Place, number])[] = [
      ['goes on', 1],
      ['goes on', 2],
      ['shows', 1],
      ['shows', 1],
      ['is through', 1],
    ]
    for (const [place, times] of stages) {
      const restoring = run('restore', directory, file, words)
      await restoring.says(place, times)
      if (place === 'shows') await sleep(random.below(5))
      await restoring.kill()
      if (existsSync(directory)) {
        await assertWhole()
        await rm(directory, { recursive: true })
      } else expect(place).not.toBe('is through')
    }
    const restoring = run('restore', directory, file, words)
    await restoring.says('is through')
    await restoring.kill()
    await assertWhole()
  },
)
