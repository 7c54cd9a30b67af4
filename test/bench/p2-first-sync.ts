/**
 * P2: N small documents come to an empty device: from the moment it connects until everything is there. Ours is checked and on disk
 * on both by then; automerge-repo's is ready in memory and on its way to files; Yjs's is in memory.
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
    const sync = (count: number) => () => syncSegue(context, templates.get(count) as string)

    const first = await alternate(
      { segue: sync(small), automergeRepo: () => syncAutomergeRepo(context, small), yjs: () => syncYjs(small) },
      context.rounds,
    )
    const atSmall = median(first.segue)
    results.push(line(`P2/${small}`, small, atSmall, 'automerge-repo', median(first.automergeRepo)))
    results.push(line(`P2/${small}-yjs`, small, atSmall, 'y-websocket', median(first.yjs)))

    const atMiddle = median((await alternate({ segue: sync(middle) }, context.rounds)).segue)
    const theirs = context.full || context.smoke ? await syncAutomergeRepo(context, middle) : undefined
    const middleLine = line(
      `P2/${middle}`,
      middle,
      atMiddle,
      theirs === undefined ? 'automerge-repo: with --full' : 'automerge-repo, one round',
      theirs,
    )
    results.push({
      ...middleLine,
      target: '< 5000 ms, >= 20x',
      holds: atMiddle < 5_000 && (theirs === undefined || theirs >= 20 * atMiddle),
    })

    if (large > middle) {
      const atLarge = median((await alternate({ segue: sync(large) }, context.rounds)).segue)
      results.push({ ...line(`P2/${large}`, large, atLarge), target: '<= 5000 ms', holds: atLarge <= 5_000 })
      const growth = round(atLarge / atSmall, 1)
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

function line(id: string, count: number, value: number, peer?: string, peerValue?: number): Result {
  return {
    id,
    what: `${count} documents to an empty device`,
    unit: 'ms',
    value: round(value, 0),
    ...(peer === undefined ? {} : { peer }),
    ...(peerValue === undefined ? {} : { peerValue: round(peerValue, 0), ratio: round(peerValue / value, 1) }),
  }
}

async function syncSegue(context: BenchContext, template: string): Promise<number> {
  const directory = await context.scratch('sync')
  const pair = await startCopies(template, directory)
  const ms = await pair.desk.call.syncWith(pair.laptop.opened.id, pair.laptop.address)
  const peakMb = await pair.desk.call.peakMb()
  await pair.stop()
  const [laptop, desk] = [await holdingsOf(path.join(directory, 'laptop')), await holdingsOf(path.join(directory, 'desk'))]
  if (desk.chunks !== laptop.chunks) throw new Error(`the desk holds ${desk.chunks} chunks, the laptop ${laptop.chunks}`)
  context.say(`  segue: ${desk.chunks} chunks in ${round(ms, 0)} ms, peak of the receiver ${round(peakMb, 0)} MB`)
  return ms
}

async function syncAutomergeRepo(context: BenchContext, count: number): Promise<number> {
  const server = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const client = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  try {
    const port = await server.call.listen(await context.scratch('automerge-repo-server'))
    await server.call.create(count)
    const ms = await client.call.fetchAll(port, count, await context.scratch('automerge-repo-client'))
    context.say(`  automerge-repo: ${count} in ${round(ms, 0)} ms`)
    return ms
  } finally {
    await Promise.all([server.stop(), client.stop()])
  }
}

async function syncYjs(count: number): Promise<number> {
  const server = startRemote<YjsPeer>(new URL('./devices/yjs.ts', import.meta.url))
  const source = startRemote<YjsPeer>(new URL('./devices/yjs.ts', import.meta.url))
  const client = startRemote<YjsPeer>(new URL('./devices/yjs.ts', import.meta.url))
  try {
    const port = await server.call.listen()
    await source.call.createAll(port, count)
    return await client.call.fetchAll(port, count)
  } finally {
    await Promise.all([server.stop(), source.stop(), client.stop()])
  }
}
