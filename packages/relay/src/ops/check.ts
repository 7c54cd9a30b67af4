/** Reads everything a relay holds and says what is wrong with it. Changes nothing. */
import { parseChunk, type MailboxId } from '@segue/core/sealed'
import type { Volume } from '@segue/storage/volume'
import type { MailboxEngine } from '../engine/mailbox-engine.ts'

export interface CheckReport {
  readonly accounts: number
  readonly mailboxes: number
  readonly chunks: number
  readonly bytes: number
  /** Empty when all is well. */
  readonly findings: readonly Finding[]
}

export interface Finding {
  readonly what: 'damaged' | 'unreadable-chunk' | 'wrong-count' | 'wrong-usage' | 'orphan'
  readonly where: string
  /** Chunks or keys. */
  readonly count: number
}

/** `damages` is where the engine's reports go while this reads. */
export async function checkRelay(engine: MailboxEngine, volume: Volume, damages: readonly unknown[]): Promise<CheckReport> {
  const findings: Finding[] = []
  const before = damages.length
  const [accounts, mailboxes] = [await engine.accounts(), await engine.mailboxes()]
  const used = new Map<string, { mailboxes: number; chunks: number; bytes: number }>()
  let [chunks, bytes] = [0, 0]
  for (const mailbox of mailboxes) {
    const found = await checkMailbox(engine, mailbox.id)
    chunks += found.chunks
    bytes += found.bytes
    findings.push(...found.findings)
    const sum = used.get(mailbox.account) ?? { mailboxes: 0, chunks: 0, bytes: 0 }
    used.set(mailbox.account, { mailboxes: sum.mailboxes + 1, chunks: sum.chunks + found.chunks, bytes: sum.bytes + found.bytes })
  }
  for (const account of accounts) {
    const usage = await engine.usage(account.id)
    const sum = used.get(account.id) ?? { mailboxes: 0, chunks: 0, bytes: 0 }
    const isRight = usage.mailboxes === sum.mailboxes && usage.chunks === sum.chunks && usage.bytes === sum.bytes
    if (!isRight) findings.push({ what: 'wrong-usage', where: account.id, count: 1 })
  }
  const orphans = await orphansIn(volume, new Set(mailboxes.map(mailbox => mailbox.id)))
  if (orphans > 0) findings.push({ what: 'orphan', where: 'content of mailboxes that are gone', count: orphans })
  if (damages.length > before)
    findings.push({ what: 'damaged', where: 'values whose checksum does not match', count: damages.length - before })
  return { accounts: accounts.length, mailboxes: mailboxes.length, chunks, bytes, findings }
}

async function checkMailbox(
  engine: MailboxEngine,
  id: MailboxId,
): Promise<{ chunks: number; bytes: number; findings: readonly Finding[] }> {
  const mailbox = await engine.open(id)
  let [chunks, bytes, unreadable] = [0, 0, 0]
  let after = 0
  for (;;) {
    const ids = []
    const before = after
    for await (const record of mailbox.since(after, { limit: PAGE })) {
      if (record.isEmptied === true) chunks++
      else ids.push(record.id)
      after = record.arrival
    }
    if (after === before) break
    for (const chunk of await mailbox.getMany(ids)) {
      chunks++
      bytes += chunk.byteLength
      const parsed = parseChunk(chunk.bytes)
      if (!parsed.ok || parsed.value.id !== chunk.id || parsed.value.docTag !== chunk.docTag) unreadable++
    }
  }
  const size = mailbox.size()
  await mailbox.close()
  const findings: Finding[] = []
  if (unreadable > 0) findings.push({ what: 'unreadable-chunk', where: id, count: unreadable })
  if (size.chunks !== chunks || size.bytes !== bytes)
    findings.push({ what: 'wrong-count', where: id, count: Math.abs(size.chunks - chunks) || 1 })
  return { chunks, bytes, findings }
}

async function orphansIn(volume: Volume, known: ReadonlySet<string>): Promise<number> {
  let count = 0
  let from = Uint8Array.from(Buffer.from('c'))
  for (;;) {
    const keys = await volume.read(view => view.keys({ gte: from, lt: Buffer.from('d') }, PAGE))
    const last = keys.at(-1)
    if (last === undefined) return count
    count += keys.filter(key => !known.has(Buffer.from(key.subarray(1, 17)).toString('hex'))).length
    from = Uint8Array.from([...last, 0])
  }
}

const PAGE = 256
