import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { keyFile, passphrase, type Unlock } from '@segue/storage'
import { afterAll, expect, test } from 'vitest'
import { openSegue } from '../open-segue.ts'
import type { Segue } from '../segue.ts'
import { checkRecoveryWords, makeRecoveryPhrase } from './phrases.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-phrases-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const open = (name: string, unlock: Unlock = keyFile(path.join(root, `${name}.key`))): Promise<Segue> =>
  openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock,
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })

test('[W6] an admin’s device names a phrase and its successor; any other needs the words in force', { timeout: 30_000 }, async () => {
  const [laptop, desk] = await Promise.all([open('laptop'), open('desk')])
  const invitation = await laptop.pairing.invite()
  const joining = await desk.pairing.join(invitation.text)
  await invitation.confirm(joining.code)
  await joining.done
  const [first, second, third] = [makeRecoveryPhrase(), makeRecoveryPhrase(), makeRecoveryPhrase()]
  expect(() => checkRecoveryWords(first.words)).not.toThrow()
  expect(laptop.recovery.phrase).toBeUndefined()

  await expect(desk.recovery.set(first.keys)).rejects.toMatchObject({ code: 'NEEDS_ADMIN' })
  await laptop.recovery.set(first.keys)
  expect(laptop.recovery.phrase).toMatchObject({ by: laptop.device.id })
  await expect.poll(() => desk.recovery.phrase?.by, { timeout: 10_000 }).toBe(laptop.device.id)

  await expect(desk.recovery.set(second.keys, { oldWords: third.words })).rejects.toMatchObject({ code: 'RECOVERY_PHRASE_BURNED' })
  await expect(desk.recovery.set(second.keys, { oldWords: 'no words' })).rejects.toMatchObject({ code: 'RECOVERY_PHRASE_INVALID' })
  const named = desk.recovery.phrase?.at
  await desk.recovery.set(second.keys, { oldWords: first.words })
  expect(desk.recovery.phrase?.at).not.toBe(named)
  await expect(desk.recovery.set(third.keys, { oldWords: first.words })).rejects.toMatchObject({ code: 'RECOVERY_PHRASE_BURNED' })
  await expect.poll(() => laptop.recovery.phrase?.at, { timeout: 10_000 }).toBe(desk.recovery.phrase?.at)
  await Promise.all([laptop.close(), desk.close()])
})

test('[W6] where there is a passphrase, the person is asked for it again', { timeout: 30_000 }, async () => {
  const laptop = await open('locked', passphrase('correct horse'))
  const { keys } = makeRecoveryPhrase()
  await expect(laptop.recovery.set(keys)).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  await expect(laptop.recovery.set(keys, { confirmation: { passphrase: 'a horse' } })).rejects.toMatchObject({ code: 'CONFIRMATION_WRONG' })
  expect(laptop.recovery.phrase).toBeUndefined()
  await laptop.recovery.set(keys, { confirmation: { passphrase: 'correct horse' } })
  expect(laptop.recovery.phrase).toMatchObject({ by: laptop.device.id })
  await laptop.close()
})
