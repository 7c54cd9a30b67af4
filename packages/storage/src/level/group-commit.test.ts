/** Which calls share a write, with a disk that is let go by hand. */
import { isSegueError, utf8 } from '@segue/core'
import { expect, test } from 'vitest'
import { createGroupCommit, type GroupCommit, type Transaction } from './group-commit.ts'

test('[L2] what is asked for while a write is under way is prepared meanwhile, on top of it, and shares the next', async () => {
  const disk = createDisk()
  const first = put(disk.commits, 'a', () => '1')
  await turns()
  const others = ['b', 'c', 'd'].map(key => put(disk.commits, key, read => `${read('a')}${key}`))
  await turns()
  expect(disk.underWay()).toEqual(['a=1'])
  disk.land()
  await first
  expect(disk.underWay()).toEqual(['b=1b', 'c=1c', 'd=1d'])
  disk.land()
  await Promise.all([...others, disk.commits.idle()])
})

test('[L9] what was prepared on top of a write that failed is prepared anew on what is there', async () => {
  const disk = createDisk()
  const failing = put(disk.commits, 'a', () => '1')
  await turns()
  const next = put(disk.commits, 'b', read => `after ${read('a')}`)
  const refused = disk.commits.commit(transaction => {
    if (transaction.get(utf8('a')) === undefined) throw new Error('there is no a')
  })
  await turns()
  disk.fail()
  await expect(failing).rejects.toSatisfy(error => isSegueError(error, 'STORE_FAILED'))
  await turns()
  expect([disk.recoveries(), disk.underWay()]).toEqual([1, ['b=after undefined']])
  disk.land()
  await next
  await expect(refused).rejects.toThrow('there is no a')
})

test('[L2] many that ask again together after a write that was quick go in two halves, and resolve in order', async () => {
  const disk = createDisk()
  const resolved: number[] = []
  const ask = (): Promise<unknown> =>
    Promise.all(Array.from({ length: 20 }, (_, i) => put(disk.commits, String(i), () => '').then(() => resolved.push(i))))
  const once = ask()
  await turns()
  expect(disk.underWay().length).toBe(20)
  disk.land()
  await once
  disk.later(50)
  const again = ask()
  await turns()
  expect(disk.underWay().length).toBe(10)
  disk.land()
  await turns()
  expect(disk.underWay().length).toBe(10)
  disk.land()
  await again
  expect(resolved).toEqual([...Array(20).keys(), ...Array(20).keys()])
})

function createDisk() {
  const stored = new Map<string, Uint8Array>()
  let written: string[] = []
  let [land, fail] = [(): void => undefined, (): void => undefined]
  let [recoveries, now] = [0, 0]
  const commits = createGroupCommit({
    now: () => now,
    read: key => stored.get(text(key)),
    write: writes => {
      const all = [...writes].flatMap(({ key, value }) => (value === undefined ? [] : [[text(key), value] as const]))
      written = all.map(([key, value]) => `${key}=${text(value)}`)
      return new Promise((resolve, reject) => {
        land = () => {
          for (const [key, value] of all) stored.set(key, value)
          resolve()
        }
        fail = () => reject(new Error('the disk is full'))
      })
    },
    recover: async () => void recoveries++,
  })
  return {
    commits,
    underWay: () => written,
    land: () => land(),
    fail: () => fail(),
    recoveries: () => recoveries,
    later: (ms: number) => void (now += ms),
  }
}

function put(commits: GroupCommit, key: string, value: (read: (key: string) => string | undefined) => string): Promise<void> {
  return commits.commit((transaction: Transaction) => {
    const read = (other: string): string | undefined => {
      const stored = transaction.get(utf8(other))
      return stored && text(stored)
    }
    transaction.put(utf8(key), utf8(value(read)))
  })
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}
