/** What each device tells its person of, on whole devices: also of what others did, and after a restart. */
import path from 'node:path'
import type { DeviceId, NoticeKind, Segue } from '@segue/engine'
import { expect, test } from 'vitest'
import { inSync, pair, scratch, startDevice } from './cast.ts'

const HOUR_MS = 3_600_000

test('[O4] [O5] a device that one lets in and removes, and a clock that is off, are told on the others, after a restart too', async () => {
  const directory = path.join(await scratch(), 'desk')
  const laptop = await startDevice('laptop')
  const before = await startDevice('desk', { directory })
  await pair(laptop, before)
  const phone = await startDevice('phone', { aheadMs: HOUR_MS })
  await pair(laptop, phone)
  const { id } = phone.device
  await told(before, 'device-added', id)
  expect(before.notices.peek()).toMatchObject([{ kind: 'device-added', subject: id, by: laptop.device.id, count: 1 }])
  await told(laptop, 'clock-off', id)
  await told(phone, 'clock-off', laptop.device.id)
  expect(phone.notices.peek().some(({ kind }) => kind === 'device-added')).toBe(false)
  await before.close()

  const desk = await startDevice('desk', { directory })
  expect(desk.notices.peek()).toMatchObject([{ kind: 'device-added', subject: id, count: 1 }])
  expect(desk.status.peek().notices).toEqual({ total: 1, warnings: 0 })
  await inSync(laptop, desk)
  await laptop.devices.remove(id, { typed: 'phone' })
  await told(desk, 'device-removed', id)
  expect(desk.notices.peek().map(({ kind }) => kind)).toEqual(['device-removed'])
  expect((await desk.audit()).events.map(({ action, by }) => [by.name, action.kind])).toEqual([
    ['laptop', 'founded'],
    ['laptop', 'added'],
    ['laptop', 'added'],
    ['laptop', 'removed'],
  ])
}, 60_000)

async function told(device: Segue, kind: NoticeKind, subject: DeviceId): Promise<void> {
  await device.notices.when(notices => notices.some(notice => notice.kind === kind && notice.subject === subject))
}
