/** Group commit and taking turns, on a real Level. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSegueError, utf8 } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { openLevel, type LevelStore } from './level-store.ts'

const everything = { gte: utf8(''), lt: utf8('~') }

test('[L2] calls made together are written together, and resolve in order', async () => {
  const level = await open()
  const resolved: number[] = []
  let sawUnresolved = 0
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      await level.commit(transaction => {
        // What the call before put is seen although that call has not resolved: both are in one group.
        if (i > 0 && transaction.get(utf8(`key${i - 1}`)) !== undefined && resolved.length === 0) sawUnresolved++
        transaction.put(utf8(`key${i}`), utf8('value'))
      })
      resolved.push(i)
    }),
  )
  expect(sawUnresolved).toBe(19)
  expect(resolved).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

test('[L2] a call made when another resolves is written too', async () => {
  const level = await open()
  for (let i = 0; i < 50; i++) await level.commit(transaction => transaction.put(utf8(`key${i}`), utf8('value')))
  expect((await level.read(view => view.keys(everything, 100))).length).toBe(50)
})

test('[L2] a call that throws while preparing is refused alone and leaves nothing', async () => {
  const level = await open()
  const outcomes = await Promise.allSettled([
    level.commit(transaction => transaction.put(utf8('a'), utf8('1'))),
    level.commit(transaction => {
      transaction.put(utf8('b'), utf8('2'))
      transaction.remove(utf8('a'))
      throw new Error('no')
    }),
    level.commit(transaction => transaction.put(utf8('c'), transaction.get(utf8('a')) ?? utf8('none'))),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  const entries = await level.read(view => view.entries(everything))
  expect(entries.map(entry => entry.map(part => Buffer.from(part).toString()))).toEqual([
    ['a', '1'],
    ['c', '1'],
  ])
})

test('[L2] a read sees one moment, whatever is written meanwhile', async () => {
  const level = await open()
  await level.commit(transaction => transaction.put(utf8('a'), utf8('1')))
  const seen = await level.read(async view => {
    await level.commit(transaction => transaction.put(utf8('a'), utf8('2')))
    return view.get(utf8('a'))
  })
  expect(Buffer.from(seen ?? []).toString()).toBe('1')
})

test('[L1] closing waits for what was asked before and refuses what is asked after', async () => {
  const level = await open()
  const written = level.commit(transaction => transaction.put(utf8('a'), utf8('1')))
  const read = level.read(view => view.entries(everything))
  const closed = level.close()
  await expect(level.commit(() => undefined)).rejects.toSatisfy(error => isSegueError(error, 'CLOSED'))
  await expect(level.read(view => view.get(utf8('a')))).rejects.toSatisfy(error => isSegueError(error, 'CLOSED'))
  await expect(level.value(utf8('a'))).rejects.toSatisfy(error => isSegueError(error, 'CLOSED'))
  await Promise.all([written, read, closed, level.close()])
})

async function open(): Promise<LevelStore> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-level-'))
  const level = await openLevel(join(directory, 'level'))
  onTestFinished(async () => {
    await level.close()
    await rm(directory, { recursive: true })
  })
  return level
}
