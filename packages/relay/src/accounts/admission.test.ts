import { expect, test } from 'vitest'
import type { DeviceId } from '@segue/core'
import { createChunkCast, createManualClock } from '@segue/core/testing'
import type { Account, Usage } from '../engine/mailbox-engine.ts'
import { createAdmission, type Admission } from './admission.ts'

const ACCOUNT = 'an account' as DeviceId
const account: Account = {
  id: ACCOUNT,
  quotas: { mailboxes: 1, bytes: 10_000, chunks: 100, bytesPerMinute: 1e9 },
  retention: 'keep',
  createdAt: 0,
}
const NOTHING: Usage = { mailboxes: 1, bytes: 0, chunks: 0 }
const chunk = createChunkCast().commit('diary', 'a')
const empty = { head: async () => undefined }

/** What is asked for first cannot be read, so many times. */
function admissionThatFails(times: { account?: number; usage?: number }): Admission {
  let { account: accounts = 0, usage: usages = 0 } = times
  const failing = async (): Promise<never> => {
    throw new Error('the disk is busy')
  }
  return createAdmission({
    engine: {
      account: () => (accounts-- > 0 ? failing() : Promise.resolve(account)),
      usage: () => (usages-- > 0 ? failing() : Promise.resolve(NOTHING)),
    },
    clock: createManualClock(),
    signal: new AbortController().signal,
  })
}

test('[B35] an account that could not be read is read again, and nothing said of it meanwhile is left unheard', async () => {
  const admission = admissionThatFails({ account: 1 })
  const first = admission.admit(ACCOUNT, chunk, empty)
  admission.settle(ACCOUNT, [chunk.id])
  await expect(first).rejects.toThrow('busy')
  expect(await admission.admit(ACCOUNT, chunk, empty)).toBe(true)
})

test('[B35] how much it holds, if that could not be read, is read again with the next chunk', async () => {
  const admission = admissionThatFails({ usage: 1 })
  await expect(admission.admit(ACCOUNT, chunk, empty)).rejects.toThrow('busy')
  expect(await admission.admit(ACCOUNT, chunk, empty)).toBe(true)
})
