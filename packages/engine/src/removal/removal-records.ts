/** What is known of each removal, kept between runs: `removals/<group>/<entry>`. Damaged ones are found out again. */
import {
  bytesOf,
  bytesUpTo,
  decodeCbor,
  encodeCbor,
  hexId,
  idBytes,
  publicKeyOf,
  deviceIdOf,
  wholeNumber,
  RANDOM_ID_BYTES,
  type EntryId,
  type GroupId,
  type MailboxId,
} from '@segue/core'
import type { RecordStore } from '@segue/core/ports'
import * as v from 'valibot'
import type { RemovalFacts } from './checklist.ts'

export async function loadRemovals(records: RecordStore): Promise<Map<EntryId, RemovalFacts>> {
  const found = new Map<EntryId, RemovalFacts>()
  for await (const [, value] of records.list(PREFIX)) {
    const decoded = decodeCbor(SHAPE, value, MAX_RECORD_BYTES)
    if (!decoded.ok) continue
    const { group, entry, learnedAt, devices, relays, toldAt, word, finishedAt } = decoded.value
    found.set(hexId<EntryId>(entry), {
      group: hexId<GroupId>(group),
      entry: hexId<EntryId>(entry),
      learnedAt,
      devices: new Map(devices.map(([key, at]) => [deviceIdOf(key), at])),
      relays: new Map(relays.map(([mailbox, at]) => [hexId<MailboxId>(mailbox), at])),
      toldAt,
      word,
      finishedAt,
    })
  }
  return found
}

/** Durable when it resolves. */
export async function saveRemoval(records: RecordStore, facts: RemovalFacts): Promise<void> {
  const { group, entry, learnedAt, devices, relays, toldAt, word, finishedAt } = facts
  const value = encodeCbor({
    v: 1,
    group: idBytes(group),
    entry: idBytes(entry),
    learnedAt,
    devices: [...devices].map(([id, at]) => [publicKeyOf(id), at]),
    relays: [...relays].map(([mailbox, at]) => [idBytes(mailbox), at]),
    ...(toldAt === undefined ? {} : { toldAt }),
    ...(word === undefined ? {} : { word }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
  })
  await records.write(new Map([[`${PREFIX}${group}/${entry}`, value]]))
}

const PREFIX = 'removals/'
const MAX_RECORD_BYTES = 64 * 1024
const MAX_RECEIPT_BYTES = 1_024
const SHAPE = v.strictObject({
  v: v.literal(1),
  group: bytesOf(32),
  entry: bytesOf(32),
  learnedAt: wholeNumber,
  devices: v.array(v.strictTuple([bytesOf(32), wholeNumber])),
  relays: v.array(v.strictTuple([bytesOf(RANDOM_ID_BYTES), wholeNumber])),
  toldAt: v.optional(wholeNumber),
  word: v.optional(v.strictObject({ receipt: bytesUpTo(MAX_RECEIPT_BYTES), heardAt: wholeNumber })),
  finishedAt: v.optional(wholeNumber),
})
