import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { SessionId } from '@segue/core'
import { keyFile } from '@segue/storage'
import { afterAll, expect, test, vi } from 'vitest'
import type * as Keeper from './group-keeper.ts'
import { openSegue } from './open-segue.ts'
import type { Segue } from './segue.ts'

const disk = vi.hoisted(() => ({ isFull: false }))
vi.mock('./group-keeper.ts', async importOriginal => {
  const original = await importOriginal<typeof Keeper>()
  const { SegueError } = await import('@segue/core')
  return {
    ...original,
    async openOwnGroup(...parts: Parameters<typeof original.openOwnGroup>) {
      if (disk.isFull) throw new SegueError('STORE_FAILED')
      return original.openOwnGroup(...parts)
    },
  }
})

const root = mkdtempSync(path.join(tmpdir(), 'segue-enter-'))
const open = (name: string): Promise<Segue> =>
  openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock: keyFile(path.join(root, `${name}.key`)),
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('a device whose disk fails while it goes over to the joined group says so, and is in that group when it opens again', async () => {
  const [laptop, desk] = await Promise.all([open('Laptop'), open('Desk')])
  const invitation = await laptop.pairing.invite()
  const joining = await desk.pairing.join(invitation.text)
  disk.isFull = true
  await invitation.confirm(joining.code)
  expect(await joining.done).toEqual({ ok: false, code: 'STORE_FAILED' })
  await expect(desk.sessions.create({ title: 'Notes' })).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(desk.pairing.invite()).rejects.toMatchObject({ code: 'CLOSED' })
  expect(() => desk.repo).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  expect(desk.device.name).toBe('Desk')
  await desk.close()

  disk.isFull = false
  const again = await open('Desk')
  expect(new Set(again.devices.peek().map(({ id }) => id))).toEqual(new Set([laptop.device.id, desk.device.id]))
  await again.close()
  await laptop.close()
})

test('[H39] of a session that somebody waits for nobody drives yet, and whoever asks hears it at once', async () => {
  const laptop = await open('Laptop alone')
  const unknown = '0f'.repeat(16) as SessionId
  const waiting = expect(laptop.sessions.open(unknown)).rejects.toMatchObject({ code: 'CLOSED' })
  expect(await laptop.handoff.lease(unknown)).toMatchObject({ holder: undefined, claim: undefined })
  await laptop.close()
  await waiting
})
