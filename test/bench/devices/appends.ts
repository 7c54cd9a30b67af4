/** Durable appends without a network: a relay's mailboxes with all they do for a chunk, and Level alone with the same bytes in the same batches. */
import { createReplica, type DeviceId, type MailboxId } from '@segue/core'
import { createChunkCast } from '@segue/core/testing'
import { nativeHasher } from '@segue/engine/testing'
import { systemClock } from '@segue/net'
import { createVolumeEngine } from '@segue/relay'
import { openVolume } from '@segue/storage/volume'
import { Level } from 'level'
import { serve } from '../remote.ts'
import { monotonicMs } from './times.ts'

export interface AppendWork {
  readonly directory: string
  /** Written at the same time. */
  readonly writers: number
  readonly batches: number
  readonly perBatch: number
  readonly bytes: number
}

const random = { bytes: (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length)) }
const cast = createChunkCast()
const ACCOUNT = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp' as DeviceId

const methods = {
  /** Chunks a second: quota, duplicate check, arrival numbers, summary, records, fsync. */
  async relay(work: AppendWork): Promise<number> {
    const engine = createVolumeEngine(await openVolume(work.directory))
    const quotas = { mailboxes: 1_000, bytes: 1e12, chunks: 1e9, bytesPerMinute: 1e12 }
    const tokenHash = '00'.repeat(32)
    await engine.putInvite({ tokenHash, quotas, retention: 'keep', createdAt: 0, expiresAt: 1 })
    const account = await engine.claim(tokenHash, ACCOUNT, 0)
    if (typeof account === 'string') throw new Error(account)
    const replicas = await Promise.all(
      Array.from({ length: work.writers }, async (_, i) => {
        const id = i.toString(16).padStart(32, '0') as MailboxId
        await engine.createMailbox({ id, account: ACCOUNT, adminKey: new Uint8Array(32), time: 0 })
        const inspector = { inspect: () => Promise.resolve({ kind: 'good', level: 0, covers: [] } as const), covers: async () => new Map() }
        return createReplica({ store: await engine.open(id), inspector, clock: systemClock, random, hasher: nativeHasher, keyless: true })
      }),
    )
    const made = replicas.map((_, i) => chunksOf(work, i))
    const startedAt = monotonicMs()
    await Promise.all(
      replicas.map(async (replica, i) => {
        for (const batch of made[i] ?? []) await replica.add(batch)
      }),
    )
    const ms = monotonicMs() - startedAt
    for (const replica of replicas) await replica.close()
    await engine.close()
    return (1_000 * work.writers * work.batches * work.perBatch) / ms
  },
  async raw(work: AppendWork): Promise<number> {
    const level = new Level<string, Uint8Array>(work.directory, { valueEncoding: 'view' })
    await level.open()
    const made = Array.from({ length: work.writers }, (_, i) => chunksOf(work, i))
    const startedAt = monotonicMs()
    await Promise.all(
      made.map(async batches => {
        for (const batch of batches) {
          await level.batch(
            batch.map(({ id, bytes }) => ({ type: 'put', key: id, value: bytes }) as const),
            { sync: true },
          )
        }
      }),
    )
    const ms = monotonicMs() - startedAt
    await level.close()
    return (1_000 * work.writers * work.batches * work.perBatch) / ms
  },
}
export type Appends = typeof methods

serve(methods)

function chunksOf({ batches, perBatch, bytes }: AppendWork, writer: number) {
  return Array.from({ length: batches }, (_, batch) =>
    Array.from({ length: perBatch }, (_unused, i) =>
      cast.commit(`document ${writer} ${(batch * perBatch + i) % 100}`, `${batch} ${i}`, { bytes }),
    ),
  )
}
