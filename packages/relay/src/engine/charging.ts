/**
 * What a mailbox grows by is charged to its account in the commit that writes it. Nearly every write finds the account and its usage as the
 * last one left them, so what was decoded is kept beside the bytes it came from; only what is stored counts.
 */
import { SegueError, equalBytes, type DeviceId } from '@segue/core/sealed'
import type { VolumeTransaction } from '@segue/storage/volume'
import { accountKey, usageKey } from './keys.ts'
import { decodeAccount, decodeUsage, encodeUsage } from './records.ts'

export interface Size {
  readonly chunks: number
  readonly bytes: number
}

/** From what to what a mailbox of the account grows; undefined: not known. Throws RELAY_QUOTA, which undoes the whole commit. */
export type Charge = (transaction: VolumeTransaction, account: DeviceId, before: Size | undefined, after: Size | undefined) => void

export function createCharging(): Charge {
  const accounts = createKnown(accountKey, decodeAccount)
  const usages = createKnown(usageKey, decodeUsage)
  return (transaction, id, before = { chunks: 0, bytes: 0 }, after = before) => {
    if (before.chunks === after.chunks && before.bytes === after.bytes) return
    const { mailboxes, chunks, bytes } = usages.read(id, transaction) ?? { mailboxes: 0, chunks: 0, bytes: 0 }
    const usage = {
      mailboxes,
      chunks: Math.max(0, chunks + after.chunks - before.chunks),
      bytes: Math.max(0, bytes + after.bytes - before.bytes),
    }
    const quotas = accounts.read(id, transaction)?.quotas
    const isOver = quotas === undefined || usage.bytes > quotas.bytes || usage.chunks > quotas.chunks
    const grows = usage.bytes > bytes || usage.chunks > chunks
    if (isOver && grows) throw new SegueError('RELAY_QUOTA')
    const stored = encodeUsage(usage)
    transaction.put(usages.keyOf(id), stored)
    usages.note(id, stored, usage)
  }
}

function createKnown<T>(keyFor: (id: DeviceId) => Uint8Array, decode: (stored: Uint8Array) => T | undefined) {
  const known = new Map<DeviceId, { readonly stored: Uint8Array; readonly value: T }>()
  const keys = new Map<DeviceId, Uint8Array>()
  const keyOf = (id: DeviceId): Uint8Array => {
    const key = keys.get(id) ?? keyFor(id)
    if (keys.size >= MAX_KNOWN) keys.clear()
    keys.set(id, key)
    return key
  }
  const note = (id: DeviceId, stored: Uint8Array, value: T): void => {
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(id, { stored: Uint8Array.from(stored), value })
  }
  return {
    keyOf,
    note,
    read(id: DeviceId, transaction: VolumeTransaction): T | undefined {
      const stored = transaction.get(keyOf(id))
      const before = known.get(id)
      if (stored === undefined || (before !== undefined && equalBytes(before.stored, stored))) return stored && before?.value
      const value = decode(stored)
      if (value !== undefined) note(id, stored, value)
      return value
    },
  }
}

const MAX_KNOWN = 1_000
