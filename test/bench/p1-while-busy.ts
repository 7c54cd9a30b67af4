/** P1's other half: letters typed in an open document while thousands of others come to the same device for the first time. */
import type { AutomergeUrl } from '@automerge/automerge-repo'
import type { BenchContext } from './bench.ts'
import { TEXT } from './devices/times.ts'
import { startCopies } from './segue-pair.ts'
import { prepareUnsynced } from './segue-stores.ts'

export interface BusyTyping {
  /** Milliseconds from edit to `change` event, of every letter that was typed before the sync was over. */
  readonly latencies: readonly number[]
  readonly documents: number
}

export async function typeWhileBusy(context: BenchContext): Promise<BusyTyping> {
  const documents = context.smoke ? 300 : 10_000
  const template = await context.scratch('busy-stores')
  const { shared } = await prepareUnsynced(template, documents)
  const latencies: number[] = []
  for (let round = 0; round < (context.smoke ? 1 : ROUNDS); round++) {
    const of = await typeOnce(template, shared, await context.scratch('busy'))
    context.say(`  ${of.length} letters while ${documents} documents came`)
    latencies.push(...of)
  }
  return { latencies, documents }
}

async function typeOnce(template: string, url: AutomergeUrl, directory: string): Promise<readonly number[]> {
  const { laptop, desk, stop } = await startCopies(template, directory)
  try {
    await Promise.all([laptop.call.watch(url), desk.call.watch(url)])
    const syncing = { isOver: false }
    const synced = desk.call.syncWith(laptop.opened.id, laptop.address).finally(() => (syncing.isOver = true))
    await Promise.all([laptop.call.whenLinkedAgain(0), desk.call.whenLinkedAgain(0)])
    const latencies: number[] = []
    for (let typed = 0; !syncing.isOver; typed += BURST) {
      const madeAt = await laptop.call.type(url, BURST, EVERY_MS)
      const seenAt = await desk.call.arrived(url, TEXT.length + typed, BURST)
      if (!syncing.isOver) latencies.push(...madeAt.map((at, i) => (seenAt[i] as number) - at))
    }
    await synced
    return latencies
  } finally {
    await stop()
  }
}

const ROUNDS = 5
const BURST = 10
/** A fast typist holds a key down at about this pace. */
const EVERY_MS = 20
