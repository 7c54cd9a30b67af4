import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyFile } from '@segue/storage'
import { openSegue } from './open-segue.ts'
import type { Segue } from './segue.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-pairing-'))
const open = (name: string): Promise<Segue> =>
  openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock: keyFile(path.join(root, `${name}.key`)),
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })

let laptop: Segue
let desk: Segue
let phone: Segue
beforeAll(async () => {
  ;[laptop, desk, phone] = (await Promise.all(['Laptop', 'Desk', 'Phone'].map(open))) as [Segue, Segue, Segue]
})
afterAll(async () => {
  await Promise.all([laptop, desk, phone].map(device => device.close()))
  rmSync(root, { recursive: true, force: true })
})

test('a device that comes after the end of an invitation is told why, until the invitation is closed', async () => {
  const invitation = await laptop.pairing.invite({ expiresInMs: 100 })
  await invitation.state.when(({ kind }) => kind === 'failed')
  await expect(phone.pairing.join(invitation.text)).rejects.toMatchObject({ code: 'PAIRING_EXPIRED' })
  await invitation.close()
  await expect(phone.pairing.join(invitation.text)).rejects.toMatchObject({ code: expect.stringMatching(/PAIRING_REFUSED|UNREACHABLE/) })
})

test('a joining that is called off ends, and the next one works', async () => {
  const invitation = await laptop.pairing.invite()
  const asking = new AbortController()
  asking.abort()
  await expect(phone.pairing.join(invitation.text, { signal: asking.signal })).rejects.toMatchObject({ code: 'CANCELLED' })

  const again = new AbortController()
  const joining = await phone.pairing.join(invitation.text, { signal: again.signal })
  again.abort()
  expect(await joining.done).toEqual({ ok: false, code: 'CANCELLED' })
  await invitation.state.when(state => state.kind === 'open' && state.waiting.length === 0)

  const third = await phone.pairing.join(invitation.text)
  third.cancel()
  expect(await third.done).toEqual({ ok: false, code: 'CANCELLED' })
  await invitation.close()
})

test('a code that was used is said to be used', async () => {
  const invitation = await laptop.pairing.invite()
  const joining = await desk.pairing.join(invitation.text)
  expect(await invitation.confirm(joining.code)).toMatchObject({ ok: true })
  expect(await joining.done).toEqual({ ok: true, inviter: laptop.device.id })
  await expect(phone.pairing.join(invitation.text)).rejects.toMatchObject({ code: 'PAIRING_USED' })
  await expect(desk.pairing.join(invitation.text)).rejects.toMatchObject({ code: 'PAIRING_ALREADY_MEMBER' })
})
