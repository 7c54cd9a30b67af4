/** A device is removed, and comes back as somebody new, as a person's shell does it. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'
import { createTemporaryHomes } from './temporary-homes.ts'

const homes = createTemporaryHomes()
afterAll(() => homes.remove())

interface Removed {
  readonly id: string
  readonly name: string
  readonly devices: readonly { readonly name: string; readonly knowsAt?: number }[]
  readonly erasure?: { readonly erased: boolean }
  readonly finishedAt?: number
}

let laptop: Shell
let desk: Shell
let phone: Shell
beforeAll(async () => {
  ;[laptop, desk, phone] = (await Promise.all(['Laptop', 'Desk', 'Phone'].map(homes.start))) as [Shell, Shell, Shell]
  for (const joiner of [desk, phone]) await pair(joiner)
}, 60_000)

async function pair(joiner: Shell, ...options: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const inviting = startSegue(laptop, '--json', 'pair', 'new')
  const [, text] = await inviting.says(/"text":"([^"]+)"/)
  const joining = startSegue(joiner, '--json', 'pair', 'join', String(text), ...options)
  const [, code] = await joining.says(/"code":"(\d{6})"/)
  inviting.type(String(code))
  const [invited, joined] = await Promise.all([inviting.finished, joining.finished])
  expect([invited.code, joined.code]).toEqual([0, 0])
  return JSON.parse(joined.stdout) as Readonly<Record<string, unknown>>
}

async function failure(shell: Shell, ...args: readonly string[]): Promise<readonly [number, string]> {
  const { code, stdout } = await runSegue(shell, '--json', ...args)
  return [code, (JSON.parse(stdout) as { readonly error: { readonly code: string } }).error.code]
}

const idOf = async (shell: Shell): Promise<string> => (await segueJson<{ device: { id: string } }>(shell, 'status')).device.id

test('[V1] removing says who knows; nobody is removed by a slip, by a member, or as the last admin', async () => {
  expect(await failure(laptop, 'devices', 'remove', 'Phone', '--confirm', 'Desk')).toEqual([1, 'CONFIRMATION_WRONG'])
  expect(await failure(desk, 'devices', 'remove', 'Phone', '--confirm', 'Phone')).toEqual([1, 'NEEDS_ADMIN'])
  expect(await failure(laptop, 'devices', 'remove', 'laptop', '--confirm', 'Laptop')).toEqual([2, 'USAGE'])
  expect(await failure(laptop, 'devices', 'leave', '--confirm', 'Laptop')).toEqual([1, 'LAST_ADMIN'])
  expect(await failure(laptop, 'devices', 'remove', 'Watch', '--confirm', 'Watch')).toEqual([4, 'NOT_A_MEMBER'])

  const before = await idOf(phone)
  const { removal } = await segueJson<{ removal: Removed }>(laptop, 'devices', 'remove', 'Phone', '--confirm', 'Phone')
  expect(removal.devices.map(({ name, knowsAt }) => [name, typeof knowsAt])).toEqual([
    ['Laptop', 'number'],
    ['Desk', 'number'],
  ])
  expect(await segueJson(laptop, 'devices', '--all')).toMatchObject({
    devices: [{ name: 'Laptop' }, { name: 'Desk' }],
    removed: [{ id: before, name: 'Phone', by: { name: 'Laptop' } }],
  })
  expect((await runSegue(desk, 'devices', '--all')).stdout).toMatch(/REMOVED[\s\S]*Phone[\s\S]*Laptop/)
  expect((await runSegue(desk, 'devices', 'show', 'Phone')).stdout).toMatch(/removed by Laptop[\s\S]*Desk +knows: this device/)
  expect(await failure(laptop, 'devices', 'remove', 'Phone', '--confirm', 'Phone')).toEqual([4, 'NOT_A_MEMBER'])
})

test('[V9] [V12] the removed device says so, keeps what it had, and comes back with a fresh key; nothing of its own is lost', async () => {
  await expect.poll(async () => (await runSegue(phone, 'status')).stdout, { timeout: 20_000 }).toContain('REMOVED   by “Laptop”')
  const before = await idOf(phone)
  await segueJson(phone, 'session', 'create', 'Mine alone')
  const told = ['handoff to desk', 'pair new', 'rename Out', 'devices leave'].map(asked => failure(phone, ...asked.split(' ')))
  expect(await Promise.all(told)).toEqual(told.map(() => [4, 'DEVICE_REMOVED']))
  const asked = startSegue(phone, '--json', 'pair', 'join', 'whatever')
  asked.type('no')
  expect(await asked.finished).toMatchObject({ code: 1, stdout: expect.stringContaining('CANCELLED') })

  const { setAside } = await pair(phone, '--fresh')
  expect(await idOf(phone)).not.toBe(before)
  expect(await segueJson(laptop, 'devices')).toMatchObject({ devices: [{ name: 'Laptop' }, { name: 'Desk' }, { name: 'Phone' }] })
  expect((await segueJson<{ device: object }>(laptop, 'devices', 'show', 'Phone')).device).toMatchObject({ name: 'Phone' })
  expect(await segueJson(phone, 'session', 'list')).toMatchObject({ sessions: [] })

  const aside: Shell = { home: String(setAside) }
  try {
    await segueJson(aside, 'up')
    expect(await idOf(aside)).toBe(before)
    expect(await segueJson(aside, 'session', 'list')).toMatchObject({ sessions: [{ title: 'Mine alone' }] })
  } finally {
    await runSegue(aside, 'down')
  }
})

test('[V10] a device that is to erase does, says so with its signature, and is a new device from then on', async () => {
  await segueJson(desk, 'down')
  await segueJson(desk, 'up', '--on-removed', 'erase')
  const before = await idOf(desk)
  await segueJson(laptop, 'devices', 'remove', 'Desk', '--confirm', 'Desk')
  const told = async (): Promise<boolean | undefined> =>
    (await segueJson<{ removals: readonly Removed[] }>(laptop, 'devices', 'show', 'Desk')).removals[0]?.erasure?.erased
  await expect.poll(told, { timeout: 20_000 }).toBe(true)
  await expect.poll(async () => (await runSegue(desk, 'status')).stdout, { timeout: 20_000 }).toContain('erased    what was here before')
  expect(await idOf(desk)).not.toBe(before)
  expect(readdirSync(path.join(desk.home, 'data'))).not.toContain('erased')
  await pair(desk)
  expect((await runSegue(desk, 'status')).stdout).not.toContain('what was here before')
})

test('[V15] a device takes itself out by a command', async () => {
  expect(await failure(desk, 'devices', 'leave', '--confirm', 'Laptop')).toEqual([1, 'CONFIRMATION_WRONG'])
  expect(await segueJson(desk, 'devices', 'leave', '--confirm', 'Desk')).toMatchObject({ isOut: true, erase: false })
  expect((await runSegue(desk, 'status')).stdout).toContain('REMOVED   by “Laptop”')
})
