/** A copied disk: one device key on two machines. It is noticed by all, nothing diverges, and one removal cuts both. */
import { cp, rm } from 'node:fs/promises'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Segue } from '@segue/engine'
import { expect, test } from 'vitest'
import { freePort, inSync, pair, scratch, startDevice } from './cast.ts'
import { startChild, type DeviceChild } from './device-child.ts'
import type { DeviceTrouble } from './device-protocol.ts'

type Runs = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>

const QUICKLY = { timeout: 90_000, interval: 200 }

test('[O6] a store that was copied and runs twice, in two processes, is noticed on all three; nothing diverges; one removal cuts both', async () => {
  const folder = await scratch()
  const [original, copied] = [path.join(folder, 'laptop'), path.join(folder, 'copy')]
  const desk = await startDevice('desk', { network: { listen: [`/ip4/127.0.0.1/tcp/${await freePort()}`] } })
  const port = await freePort()
  const laptop = await startDevice('laptop', { directory: original, network: { listen: [`/ip4/127.0.0.1/tcp/${port}`] } })
  const { id } = laptop.device
  await pair(desk, laptop)
  const session = await desk.sessions.create({ title: 'Ours' })
  const note = await session.documents.create<{ text: string; runs: Runs }>({ title: 'note', initial: { text: '', runs: {} } })
  await session.flush()
  await inSync(desk, laptop)
  await laptop.close()
  await cp(original, copied, { recursive: true })
  await cp(`${original}.key`, `${copied}.key`)

  const saved = new Map<string, number>()
  const onSaved = (run: string, number: number): unknown => saved.set(run, number)
  const machines = [
    await startChild({ name: 'laptop', directory: original, port }, onSaved),
    await startChild({ name: 'laptop', directory: copied, port: await freePort() }, onSaved),
  ] as const
  expect(machines.map(machine => machine.id)).toEqual([id, id])
  await Promise.all(machines.map((machine, which) => machine.ask({ type: 'start-editing', session: session.id, run: `machine-${which}` })))

  await desk.notices.when(notices => notices.some(({ kind, subject }) => kind === 'same-key-twice' && subject === id))
  for (const machine of machines)
    await expect.poll(async () => (await trouble(machine)).notices, QUICKLY).toContainEqual({ kind: 'same-key-twice', subject: id })
  await Promise.all(machines.map(machine => machine.ask({ type: 'stop-editing' })))
  const shown = async (): Promise<readonly unknown[]> =>
    Promise.all([
      whatIsIn(desk, note.documentId),
      ...machines.map(async machine => (await machine.ask({ type: 'show', session: session.id }))?.runs),
    ])
  await expect.poll(async () => allEqual(await shown()), QUICKLY).toBe(true)
  for (const [run, last] of saved) {
    expect((await whatIsIn(desk, note.documentId))[run]).toEqual(Array.from({ length: last + 1 }, (_, number) => number))
  }
  expect(saved.size).toBe(2)

  await desk.devices.remove(id, { typed: 'laptop' })
  for (const machine of machines) await expect.poll(async () => (await trouble(machine)).isRemoved, QUICKLY).toBe(true)
  await desk.status.when(({ devices }) => devices.linked === 0)
  for (const machine of machines) expect((await trouble(machine)).linked).toBe(0)
}, 240_000)

test('[O7] a store that was put back to an earlier state is told of where more of it is known, and by itself', async () => {
  const folder = await scratch()
  const [directory, earlier] = [path.join(folder, 'laptop'), path.join(folder, 'earlier')]
  const desk = await startDevice('desk', { network: { listen: [`/ip4/127.0.0.1/tcp/${await freePort()}`] } })
  const first = await startDevice('laptop', { directory })
  const { id } = first.device
  await pair(desk, first)
  await first.close()
  await cp(directory, earlier, { recursive: true })
  const second = await startDevice('laptop', { directory })
  const session = await second.sessions.create({ title: 'Later' })
  await session.flush()
  await inSync(desk, second)
  await second.close()
  // How much a device had is known from when all of it was compared last: when they meet, or later by itself.
  const third = await startDevice('laptop', { directory })
  await inSync(desk, third)
  await third.close()
  await rm(directory, { recursive: true })
  await cp(earlier, directory, { recursive: true })

  const back = await startDevice('laptop', { directory })
  await inSync(desk, back)
  expect(back.sessions.list.peek().map(({ title }) => title)).toEqual(['Later'])
  for (const device of [desk, back]) {
    await device.notices.when(notices => notices.some(({ kind, subject }) => kind === 'store-went-back' && subject === id))
    expect(device.notices.peek().some(({ kind }) => kind === 'same-key-twice')).toBe(false)
  }
}, 60_000)

function trouble(machine: DeviceChild): Promise<DeviceTrouble> {
  return machine.ask({ type: 'trouble' })
}

async function whatIsIn(device: Segue, document: string): Promise<Record<string, readonly number[]>> {
  const [found] = device.sessions.list.peek()
  if (found === undefined) throw new Error('there is a session')
  const session = await device.sessions.open(found.id)
  const handle = await session.documents.open<{ runs: Runs }>(document as never)
  return Object.fromEntries(Object.entries(handle.doc().runs).map(([run, tens]) => [run, Object.values(tens).flat()]))
}

function allEqual([first, ...others]: readonly unknown[]): boolean {
  return others.every(other => isDeepStrictEqual(first, other))
}
