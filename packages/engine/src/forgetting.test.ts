import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DeviceIdentity } from '@segue/core'
import { keyFile } from '@segue/storage'
import { afterAll, expect, test, vi } from 'vitest'
import type * as Records from './device-records.ts'
import { openSegue } from './open-segue.ts'

const loaded = vi.hoisted((): { identity?: DeviceIdentity } => ({}))
vi.mock('./device-records.ts', async importOriginal => {
  const original = await importOriginal<typeof Records>()
  return {
    ...original,
    loadIdentity: async (...parts: Parameters<typeof original.loadIdentity>) => (loaded.identity = await original.loadIdentity(...parts)),
  }
})

const root = mkdtempSync(path.join(tmpdir(), 'segue-forgetting-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('[K3] a closed device has overwritten its own keys in memory, and finds them again when it is opened', async () => {
  const options = {
    directory: path.join(root, 'store'),
    device: { name: 'Laptop' },
    unlock: keyFile(path.join(root, 'key')),
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  }
  const laptop = await openSegue(options)
  const { signing, sealing } = loaded.identity as DeviceIdentity
  expect(signing.secretKey.some(byte => byte !== 0)).toBe(true)
  await laptop.close()
  for (const { secretKey } of [signing, sealing]) expect(secretKey).toEqual(new Uint8Array(secretKey.length))
  const again = await openSegue(options)
  expect(again.device.id).toBe(laptop.device.id)
  await again.close()
})
