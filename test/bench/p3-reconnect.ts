/**
 * P3: the link breaks and comes back, and nothing has changed meanwhile. Measured from the moment the link is up until both say that
 * they hold the same; bytes are those that Segue gives to its sync streams, both ways. automerge-repo: from the new connection until
 * its WebSocket is quiet, every byte on it.
 */
import path from 'node:path'
import type { Bench, BenchContext, Result } from './bench.ts'
import type { AutomergeRepoPeer } from './devices/automerge-repo.ts'
import { startRemote } from './remote.ts'
import { startCopies, type Pair } from './segue-pair.ts'
import { holdingsOf, prepareUnsynced } from './segue-stores.ts'
import { median, round } from './statistics.ts'
import { openWire } from './wire.ts'

export const reconnect: Bench = {
  id: 'P3',
  what: 'reconnect when nothing changed',
  async run(context) {
    const sizes = context.smoke ? [100] : [3_000, 10_000]
    const results: Result[] = []
    for (const count of sizes) {
      const template = await context.scratch(`stores-${count}`)
      await prepareUnsynced(template, count)
      const directory = await context.scratch('pair')
      const pair = await startCopies(template, directory)
      const compacts = !context.smoke && count === Math.min(...sizes)
      try {
        await pair.desk.call.syncWith(pair.laptop.opened.id, pair.laptop.address)
        const plain = await reconnectSegue(pair, context.rounds)
        const peer = count === Math.min(...sizes) ? await reconnectAutomergeRepo(context, count) : undefined
        results.push(...linesOf(`P3/${count}`, `reconnect with ${count} documents, nothing changed`, plain, peer))
        if (compacts) {
          await compactOne(pair)
          results.push(
            ...linesOf(
              `P3/${count}-compacted`,
              `the same, after the laptop compacted and passed its fragments on`,
              await reconnectSegue(pair, context.rounds),
            ),
          )
        }
      } finally {
        await pair.stop()
      }
      for (const name of compacts ? ['laptop', 'desk'] : []) {
        const { fragments } = await holdingsOf(path.join(directory, name))
        if (fragments === 0) throw new Error(`nothing was compacted: the ${name} holds no fragment`)
      }
    }
    return results
  },
}

interface Reconnected {
  readonly ms: number
  readonly bytes: number
}

function linesOf(id: string, what: string, { ms, bytes }: Reconnected, peer?: Reconnected): readonly Result[] {
  const beside = (mine: number, theirs: number | undefined): Partial<Result> =>
    theirs === undefined ? {} : { peer: 'automerge-repo', peerValue: round(theirs, 0), ratio: round(theirs / mine, 1) }
  return [
    { id, what, unit: 'ms', value: round(ms), ...beside(ms, peer?.ms), target: '<= 50 ms after the link is up', holds: ms <= 50 },
    {
      id: `${id}-bytes`,
      what: 'bytes of both, one round trip',
      unit: 'B',
      value: bytes,
      ...beside(bytes, peer?.bytes),
      target: '<= 1024 B',
      holds: bytes <= 1_024,
    },
  ]
}

async function reconnectSegue({ laptop, desk }: Pair, rounds: number): Promise<Reconnected> {
  const times: number[] = []
  const bytes: number[] = []
  for (let i = 0; i <= rounds; i++) {
    const links = await Promise.all([laptop.call.linkCount(), desk.call.linkCount()])
    const before = (await laptop.call.syncBytesSent()) + (await desk.call.syncBytesSent())
    laptop.wire.cut()
    desk.wire.cut()
    await Promise.all([laptop.call.whenLinkedAgain(links[0]), desk.call.whenLinkedAgain(links[1])])
    const inSyncAt = Math.max(...(await Promise.all([laptop.call.whenInSync(), desk.call.whenInSync()])))
    const linkedAt = Math.min(...(await Promise.all([laptop.call.linkedAt(), desk.call.linkedAt()])))
    await new Promise(resolve => setTimeout(resolve, QUIET_MS)) // what may still be on its way counts too
    const after = (await laptop.call.syncBytesSent()) + (await desk.call.syncBytesSent())
    if (i === 0) continue
    times.push(inSyncAt - linkedAt)
    bytes.push(after - before)
  }
  return { ms: median(times), bytes: median(bytes) }
}

const QUIET_MS = 500

/** One document with a history long enough to be bundled when it has been left alone. */
async function compactOne({ laptop, desk }: Pair): Promise<void> {
  const url = await laptop.call.createText()
  await laptop.call.type(url, 700, 1)
  await new Promise(resolve => setTimeout(resolve, COMPACTED_AFTER_MS))
  await Promise.all([laptop.call.whenInSync(), desk.call.whenInSync()])
}

/** A document is compacted once it was left alone for ten seconds. */
const COMPACTED_AFTER_MS = 14_000

async function reconnectAutomergeRepo(context: BenchContext, count: number): Promise<Reconnected> {
  const server = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const client = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const wire = await openWire(await server.call.listen())
  try {
    // The same documents on both to begin with: waiting for its first sync would take a minute.
    await server.call.create(count)
    await client.call.importAll(await server.call.exportAll())
    await client.call.connect(wire.port)
    await quiet(wire.carried)
    const times: number[] = []
    const bytes: number[] = []
    for (let i = 0; i < Math.min(context.rounds, SLOW_ROUNDS); i++) {
      const before = wire.carried().bytes
      wire.cut()
      const startedAt = await firstByteAfter(wire.carried, before)
      await quiet(wire.carried)
      times.push(wire.carried().at - startedAt)
      bytes.push(wire.carried().bytes - before)
    }
    return { ms: median(times), bytes: median(bytes) }
  } finally {
    await Promise.all([server.stop(), client.stop()])
    await wire.close()
  }
}

/** Its rounds are slow. */
const SLOW_ROUNDS = 3

type Carried = () => { readonly bytes: number; readonly at: number }

async function firstByteAfter(carried: Carried, before: number): Promise<number> {
  while (carried().bytes === before) await new Promise(resolve => setTimeout(resolve, 1))
  return carried().at
}

/** Nothing for two seconds. */
async function quiet(carried: Carried): Promise<void> {
  while (performance.now() - carried().at < 2_000) await new Promise(resolve => setTimeout(resolve, 50))
}
