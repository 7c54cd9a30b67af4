/** Real processes: one is killed in the middle of writing, one is turned away. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isSegueError } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { batchOf, chunkOf, recordOf } from '../fixtures/batches.ts'
import { custom, openStore, type Store } from './index.ts'

test('[L1] a writer killed ten times in the middle of many batches loses nothing acknowledged, and no batch is there in part', async () => {
  const directory = await scratch()
  const acknowledged = new Set<number>()
  for (let round = 0; round < 10; round++) {
    await writeAndKill(directory, 15 + 17 * round, acknowledged)
    const store = await open(directory)
    for (const number of acknowledged) await expectWhole(store, number)
    await expectNothingInPart(store)
    await expectCountersTrue(store)
    await store.close()
  }
  expect(acknowledged.size).toBeGreaterThan(500)
}, 180_000)

test('[L3] a second process is told that the store is open elsewhere', async () => {
  const directory = await scratch()
  const holder = startWriter(directory, 'hold')
  await firstLine(holder)
  await expect(open(directory)).rejects.toSatisfy(error => isSegueError(error, 'STORE_LOCKED'))
  await kill(holder)
  await (await open(directory)).close()
})

async function writeAndKill(directory: string, afterLines: number, acknowledged: Set<number>): Promise<void> {
  const writer = startWriter(directory)
  let lines = 0
  for await (const line of createInterface({ input: writer.stdout as NodeJS.ReadableStream })) {
    if (line !== 'open') acknowledged.add(Number(line))
    if (++lines === afterLines) writer.kill('SIGKILL')
  }
  await kill(writer)
}

async function expectWhole(store: Store, number: number): Promise<void> {
  const parts = [0, 1, 2].map(part => chunkOf(number, part))
  const found = await store.chunks.getMany(parts.map(({ id }) => id))
  expect(found.map(({ id, bytes }) => [id, Buffer.from(bytes).toString('base64')])).toEqual(
    parts.map(({ id, bytes }) => [id, Buffer.from(bytes).toString('base64')]),
  )
  expect(await store.chunks.getRecord(recordOf(number))).toEqual(batchOf(number).records?.get(recordOf(number)))
}

async function expectNothingInPart(store: Store): Promise<void> {
  const partsByBatch = new Map<string, number>()
  for await (const { id } of store.chunks.since(0)) partsByBatch.set(id.slice(0, 62), (partsByBatch.get(id.slice(0, 62)) ?? 0) + 1)
  expect([...partsByBatch.values()].filter(parts => parts !== 3)).toEqual([])
  let records = 0
  for await (const _ of store.chunks.listRecords('batch/')) records++
  expect(records).toBe(partsByBatch.size)
}

async function expectCountersTrue(store: Store): Promise<void> {
  let [chunks, bytes, lastArrival] = [0, 0, 0]
  for await (const record of store.chunks.since(0)) {
    chunks++
    bytes += record.byteLength
    lastArrival = record.arrival
  }
  expect(store.chunks.size()).toEqual({ chunks, bytes })
  expect(store.chunks.lastArrival()).toBe(lastArrival)
}

function open(directory: string): Promise<Store> {
  return openStore({ directory, unlock: custom({ wrap: key => key, unwrap: wrapped => wrapped }) })
}

function startWriter(directory: string, ...mode: string[]): ChildProcess {
  const path = fileURLToPath(new URL('../fixtures/bundle/writer.js', import.meta.url))
  const writer = spawn(process.execPath, [path, directory, ...mode], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => kill(writer))
  return writer
}

async function firstLine(writer: ChildProcess): Promise<string | undefined> {
  for await (const line of createInterface({ input: writer.stdout as NodeJS.ReadableStream })) return line
  return undefined
}

async function kill(writer: ChildProcess): Promise<void> {
  if (writer.exitCode !== null || writer.signalCode !== null) return
  const exited = new Promise(resolve => writer.once('exit', resolve))
  writer.kill('SIGKILL')
  await exited
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-store-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
