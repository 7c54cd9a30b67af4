/**
 * P2: N small documents come to an empty device: from the moment it connects until everything is there. Ours is checked and on disk
 * on both by then; automerge-repo's is ready in memory and on its way to files; Yjs's is in memory. Peaks are the receiver's resident
 * memory from its start on.
 */
import path from 'node:path'
import type { Bench, BenchContext, Result } from './bench.ts'
import type { AutomergeRepoPeer } from './devices/automerge-repo.ts'
import type { YjsPeer } from './devices/yjs.ts'
import { startRemote } from './remote.ts'
import { startCopies } from './segue-pair.ts'
import { holdingsOf, prepareUnsynced } from './segue-stores.ts'
import { alternate, median, round } from './statistics.ts'

export const firstSync: Bench = {
  id: 'P2',
  what: 'first sync of N small documents to an empty device',
  async run(context) {
    const sizes = context.smoke ? [100, 300] : [1_000, 3_000, 10_000]
    const [small, middle, large = middle] = sizes as [number, number, number?]
    const templates = new Map<number, string>()
    const results: Result[] = []
    for (const count of sizes) {
      const template = await context.scratch(`stores-${count}`)
      templates.set(count, template)
      const { createdInMs } = await prepareUnsynced(template, count)
      results.push({
        id: `P2/create-${count}`,
        what: `${count} documents made on one device, durable`,
        unit: 'ms',
        value: round(createdInMs, 0),
      })
    }
    const segue = (count: number) => (): Promise<FirstSync> => syncSegue(context, templates.get(count) as string)

    const first = await alternate(
      { segue: segue(small), automergeRepo: () => syncAutomergeRepo(context, small), yjs: () => syncYjs(small) },
      context.rounds,
    )
    const atSmall = medianOf(first.segue)
    results.push(line(`P2/${small}`, small, atSmall, 'automerge-repo', medianOf(first.automergeRepo)))
    results.push(line(`P2/${small}-yjs`, small, atSmall, 'y-websocket', medianOf(first.yjs)))
    results.push(peakLine(small, atSmall, 'automerge-repo', medianOf(first.automergeRepo)))

    const atMiddle = medianOf((await alternate({ segue: segue(middle) }, context.rounds)).segue)
    const isAsked = context.full || context.smoke
    const theirs = isAsked ? await syncAutomergeRepo(context, middle).catch((error: unknown) => notEnded(context, error)) : undefined
    const isFast = atMiddle.ms < 5_000
    results.push(
      theirs === undefined
        ? {
            ...line(`P2/${middle}`, middle, atMiddle, isAsked ? 'automerge-repo: did not end' : 'automerge-repo: with --full'),
            target: '< 5000 ms',
            holds: isFast,
          }
        : {
            ...line(`P2/${middle}`, middle, atMiddle, 'automerge-repo, one round', theirs),
            target: '< 5000 ms, >= 20x',
            holds: isFast && theirs.ms >= 20 * atMiddle.ms,
          },
    )
    results.push(peakLine(middle, atMiddle, theirs && 'automerge-repo, one round', theirs))

    if (large > middle) {
      const atLarge = medianOf((await alternate({ segue: segue(large) }, context.rounds)).segue)
      results.push({ ...line(`P2/${large}`, large, atLarge), target: '<= 5000 ms', holds: atLarge.ms <= 5_000 })
      results.push(peakLine(large, atLarge))
      const growth = round(atLarge.ms / atSmall.ms, 1)
      results.push({
        id: 'P2/growth',
        what: `time(${large}) / time(${small})`,
        unit: 'x',
        value: growth,
        target: '<= 11',
        holds: growth <= 11,
      })
    }
    return results
  },
}

function notEnded({ say }: BenchContext, error: unknown): undefined {
  say(`  automerge-repo did not come to its end: ${error instanceof Error ? error.message : String(error)}`)
}

interface FirstSync {
  readonly ms: number
  readonly peakMb: number
}

function medianOf(rounds: readonly FirstSync[]): FirstSync {
  return { ms: median(rounds.map(({ ms }) => ms)), peakMb: median(rounds.map(({ peakMb }) => peakMb)) }
}

function line(id: string, count: number, { ms }: FirstSync, peer?: string, theirs?: FirstSync): Result {
  return {
    id,
    what: `${count} documents to an empty device`,
    unit: 'ms',
    value: round(ms, 0),
    ...(peer === undefined ? {} : { peer }),
    ...(theirs === undefined ? {} : { peerValue: round(theirs.ms, 0), ratio: round(theirs.ms / ms, 1) }),
  }
}

function peakLine(count: number, { peakMb }: FirstSync, peer?: string, theirs?: FirstSync): Result {
  return {
    id: `P2/${count}-peak`,
    what: 'resident at its peak, receiver',
    unit: 'MB',
    value: round(peakMb, 0),
    ...(peer === undefined || theirs === undefined
      ? {}
      : { peer, peerValue: round(theirs.peakMb, 0), ratio: round(theirs.peakMb / peakMb, 2) }),
  }
}

async function syncSegue(context: BenchContext, template: string): Promise<FirstSync> {
  const directory = await context.scratch('sync')
  const pair = await startCopies(template, directory)
  const ms = await pair.desk.call.syncWith(pair.laptop.opened.id, pair.laptop.address)
  const peakMb = await pair.desk.call.peakMb()
  await pair.stop()
  const [laptop, desk] = [await holdingsOf(path.join(directory, 'laptop')), await holdingsOf(path.join(directory, 'desk'))]
  if (desk.chunks !== laptop.chunks) throw new Error(`the desk holds ${desk.chunks} chunks, the laptop ${laptop.chunks}`)
  context.say(`  segue: ${desk.chunks} chunks in ${round(ms, 0)} ms, peak of the receiver ${round(peakMb, 0)} MB`)
  return { ms, peakMb }
}

async function syncAutomergeRepo(context: BenchContext, count: number): Promise<FirstSync> {
  const server = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const client = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  try {
    const port = await server.call.listen(await context.scratch('automerge-repo-server'))
    await server.call.create(count)
    const ms = await client.call.fetchAll(port, count, await context.scratch('automerge-repo-client'))
    context.say(`  automerge-repo: ${count} documents in ${round(ms, 0)} ms`)
    return { ms, peakMb: await client.call.peakMb() }
  } finally {
    await Promise.all([server.stop(), client.stop()])
  }
}

async function syncYjs(count: number): Promise<FirstSync> {
  const server = startRemote<YjsPeer>(new URL('./devices/yjs.ts', import.meta.url))
  const source = startRemote<YjsPeer>(new URL('./devices/yjs.ts', import.meta.url))
  const client = startRemote<YjsPeer>(new URL('./devices/yjs.ts', import.meta.url))
  try {
    const port = await server.call.listen()
    await source.call.createAll(port, count)
    return { ms: await client.call.fetchAll(port, count), peakMb: await client.call.peakMb() }
  } finally {
    await Promise.all([server.stop(), source.stop(), client.stop()])
  }
}
