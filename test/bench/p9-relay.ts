/**
 * P9: a relay at work. Durable appends with all that a mailbox does for them, beside Level with the same bytes in the same batches; what
 * another linked device costs in memory, beside another bare libp2p connection with as many streams; and everybody coming at once with
 * nothing, beside a sync server built on automerge-repo. Devices hold sealed chunks and open none; automerge-repo's clients make documents
 * of theirs, so what is compared there is the server's own processor time as well.
 */
import path from 'node:path'
import type { Bench, BenchContext, Result } from './bench.ts'
import type { Appends, AppendWork } from './devices/appends.ts'
import type { AutomergeRepoPeer } from './devices/automerge-repo.ts'
import type { BareLibp2p } from './devices/bare-libp2p.ts'
import type { Crowd } from './devices/crowd.ts'
import type { RelayServer } from './devices/relay.ts'
import { startRemote, type RemoteProcess } from './remote.ts'
import { freePort } from './segue-pair.ts'
import { alternate, median, round } from './statistics.ts'

export const relay: Bench = {
  id: 'P9',
  what: 'a relay: durable appends, a thousand linked devices, everybody at once',
  run: async context => [
    ...(await appends(context)),
    ...(await bringing(context)),
    ...(await connections(context)),
    ...(await storm(context)),
  ],
}

async function appends(context: BenchContext): Promise<readonly Result[]> {
  const peer = startRemote<Appends>(new URL('./devices/appends.ts', import.meta.url))
  const results: Result[] = []
  try {
    for (const { writers, batches, perBatch } of [
      { writers: 1, batches: context.smoke ? 20 : 500, perBatch: 10 },
      { writers: 20, batches: context.smoke ? 2 : 50, perBatch: 10 },
    ]) {
      const run = (what: 'relay' | 'raw') => async (): Promise<number> => {
        const work: AppendWork = { directory: path.join(await context.scratch(what), 'data'), writers, batches, perBatch, bytes: 300 }
        return peer.call[what](work)
      }
      // A relay runs for months: in the first seconds V8 still compiles what it does.
      for (let i = context.smoke ? WARM_UPS : 0; i < WARM_UPS; i++) {
        await run('relay')()
        await run('raw')()
      }
      const measured = await alternate({ relay: run('relay'), raw: run('raw') }, context.rounds)
      const [ours, theirs] = [median(measured.relay), median(measured.raw)]
      const result: Result = {
        id: `P9/appends-${writers}`,
        what: `durable chunks a second, batches of ${perBatch}, ${writers} ${writers === 1 ? 'mailbox' : 'mailboxes at once'}`,
        unit: '/s',
        value: round(ours, 0),
        peer: 'Level, same batches',
        peerValue: round(theirs, 0),
        ratio: round(theirs / ours, 2),
        target: '>= 65 % of Level',
        holds: ours >= 0.65 * theirs,
      }
      context.say(`  ${result.what}: ${result.value}, Level ${result.peerValue}`)
      results.push(result)
    }
    return results
  } finally {
    await peer.stop()
  }
}

const WARM_UPS = 6

async function startRelay(context: BenchContext): Promise<RemoteProcess<RelayServer>> {
  const server = startRemote<RelayServer>(new URL('./devices/relay.ts', import.meta.url), ['--expose-gc'])
  await server.call.start({ directory: path.join(await context.scratch('relay'), 'data'), port: await freePort(), mailboxes: 2_000 })
  return server
}

/** With everything in between: link, Noise, frames, admission, receipts. */
async function bringing(context: BenchContext): Promise<readonly Result[]> {
  const [devices, documents] = context.smoke ? [4, 50] : [20, 500]
  const bring = async (): Promise<Weathered> => {
    const server = await startRelay(context)
    const crowd = startRemote<Crowd>(new URL('./devices/crowd.ts', import.meta.url))
    try {
      await crowd.call.found({ devices, perMailbox: 1, firstMailbox: 1, invite: await server.call.invite() })
      await crowd.call.fill(documents / 10) // both have compiled their code then
      const before = await server.call.cpuMs()
      const ms = await crowd.call.fill(documents)
      return { ms, cpuMs: (await server.call.cpuMs()) - before }
    } finally {
      await Promise.all([server.stop(), crowd.stop()])
    }
  }
  const { segue } = await alternate({ segue: bring }, Math.min(context.rounds, STORM_ROUNDS))
  const perSecond = (1_000 * devices * documents) / median(segue.map(({ ms }) => ms))
  const cpuUs = (1_000 * median(segue.map(({ cpuMs }) => cpuMs))) / (devices * documents)
  context.say(
    `  ${devices} devices bring ${devices * documents} chunks: ${round(perSecond, 0)}/s, ${round(cpuUs, 0)} us of the relay's processor each`,
  )
  return [
    { id: 'P9/brought', what: `chunks a second that ${devices} devices bring, until confirmed`, unit: '/s', value: round(perSecond, 0) },
    { id: 'P9/brought-cpu', what: "the relay's processor time for 1,000 of them", unit: 'ms', value: round(cpuUs, 0) },
  ]
}

async function connections(context: BenchContext): Promise<readonly Result[]> {
  const count = context.smoke ? 40 : 1_000
  const ours = await segueConnections(context, count)
  context.say(`  ${count} linked devices in ${round(ours.ms, 0)} ms: ${round(ours.kb, 0)} KB each`)
  const bare = await bareConnections(count)
  context.say(`  ${count} bare libp2p connections in ${round(bare.ms, 0)} ms: ${round(bare.kb, 0)} KB each`)
  return [
    {
      id: `P9/connections-${count}`,
      what: `memory of the relay for each of ${count} linked devices`,
      unit: 'KB',
      value: round(ours.kb, 0),
      peer: 'bare libp2p',
      peerValue: round(bare.kb, 0),
      ratio: round(bare.kb / ours.kb, 2),
      target: '<= 1.5 times a bare connection',
      holds: ours.kb <= 1.5 * bare.kb,
    },
    {
      id: `P9/resident-${count}`,
      what: `the relay's memory with ${count} linked devices`,
      unit: 'MB',
      value: round(ours.residentMb, 0),
      peer: 'bare libp2p',
      peerValue: round(bare.residentMb, 0),
      ratio: round(bare.residentMb / ours.residentMb, 2),
    },
    {
      id: `P9/linking-${count}`,
      what: `until ${count} devices are linked, ${CROWDS * AT_ONCE} at a time`,
      unit: 'ms',
      value: round(ours.ms, 0),
      peer: 'bare libp2p',
      peerValue: round(bare.ms, 0),
      ratio: round(bare.ms / ours.ms, 2),
    },
  ]
}

/** Half of them in each of two processes. */
const CROWDS = 2
const AT_ONCE = 4

interface Connections {
  readonly kb: number
  readonly residentMb: number
  readonly ms: number
}

async function segueConnections(context: BenchContext, count: number): Promise<Connections> {
  const server = await startRelay(context)
  const crowds = Array.from({ length: CROWDS }, () => startRemote<Crowd>(new URL('./devices/crowd.ts', import.meta.url)))
  try {
    const invites = [await server.call.invite(), await server.call.invite()]
    await Promise.all(
      crowds.map((crowd, i) =>
        crowd.call.found({ devices: count / CROWDS, perMailbox: 4, firstMailbox: 1 + i * count, invite: invites[i] as string }),
      ),
    )
    return await growth(count, {
      connect: each => Promise.all(crowds.map(crowd => crowd.call.connect(each, AT_ONCE))),
      linked: server.call.linked,
      residentMb: server.call.residentMb,
    })
  } finally {
    await Promise.all([server.stop(), ...crowds.map(crowd => crowd.stop())])
  }
}

async function bareConnections(count: number): Promise<Connections> {
  const server = startRemote<BareLibp2p>(new URL('./devices/bare-libp2p.ts', import.meta.url), ['--expose-gc'])
  const crowds = Array.from({ length: CROWDS }, () => startRemote<BareLibp2p>(new URL('./devices/bare-libp2p.ts', import.meta.url)))
  try {
    const address = await server.call.listen()
    return await growth(count, {
      connect: each => Promise.all(crowds.map(crowd => crowd.call.connect(address, each, AT_ONCE))),
      linked: server.call.connections,
      residentMb: server.call.residentMb,
    })
  } finally {
    await Promise.all([server.stop(), ...crowds.map(crowd => crowd.stop())])
  }
}

interface Server {
  /** So many more from each process. */
  connect(each: number): Promise<unknown>
  linked(): Promise<number>
  residentMb(): Promise<number>
}

/** Counted from the first tenth on: what the first ones cost is code that is loaded and compiled once. */
async function growth(count: number, server: Server): Promise<Connections> {
  const first = count / 10
  const startedAt = performance.now()
  await server.connect(first / CROWDS)
  const before = await server.residentMb()
  await server.connect((count - first) / CROWDS)
  const ms = performance.now() - startedAt
  const linked = await server.linked()
  if (linked !== count) throw new Error(`${linked} of ${count} are linked`)
  const residentMb = await server.residentMb()
  return { kb: ((residentMb - before) * 1_024) / (count - first), residentMb, ms }
}

async function storm(context: BenchContext): Promise<readonly Result[]> {
  const [devices, documents] = context.smoke ? [6, 20] : [20, 50]
  const { segue } = await alternate({ segue: () => segueStorm(context, devices, documents) }, Math.min(context.rounds, STORM_ROUNDS))
  const of = (key: keyof Weathered): number => median(segue.map(each => each[key]))
  const theirs = await automergeStorm(context, devices, documents).catch((error: unknown) => {
    context.say(`  automerge-repo did not come to its end: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  })
  const peer = theirs === undefined ? 'automerge-repo server: did not end' : 'automerge-repo server, one round'
  const line = (id: string, what: string, key: 'ms' | 'cpuMs'): Result => ({
    id,
    what,
    unit: 'ms',
    value: round(of(key), 0),
    peer,
    ...(theirs === undefined ? {} : { peerValue: round(theirs[key], 0), ratio: round(theirs[key] / of(key), 1) }),
  })
  return [
    line('P9/storm', `${devices} empty devices at once, ${documents} documents each, until all have all`, 'ms'),
    line('P9/storm-cpu', "the server's processor time for it", 'cpuMs'),
  ]
}

const STORM_ROUNDS = 3

interface Weathered {
  readonly ms: number
  readonly cpuMs: number
}

async function segueStorm(context: BenchContext, devices: number, documents: number): Promise<Weathered> {
  const server = await startRelay(context)
  const crowd = startRemote<Crowd>(new URL('./devices/crowd.ts', import.meta.url))
  try {
    await crowd.call.found({ devices, perMailbox: 10, firstMailbox: 1, invite: await server.call.invite() })
    await crowd.call.fill(documents)
    const before = await server.call.cpuMs()
    const ms = await crowd.call.connect(devices, devices)
    const cpuMs = (await server.call.cpuMs()) - before
    context.say(`  segue: ${devices} devices in ${round(ms, 0)} ms, the relay's processor ${round(cpuMs, 0)} ms`)
    return { ms, cpuMs }
  } finally {
    await Promise.all([server.stop(), crowd.stop()])
  }
}

async function automergeStorm(context: BenchContext, devices: number, documents: number): Promise<Weathered> {
  const server = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const crowd = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  try {
    const port = await server.call.listen(await context.scratch('automerge-repo'))
    await server.call.create(documents)
    const before = await server.call.cpuMs()
    const ms = await crowd.call.crowd(port, devices, documents)
    const cpuMs = (await server.call.cpuMs()) - before
    context.say(`  automerge-repo: ${devices} clients in ${round(ms, 0)} ms, the server's processor ${round(cpuMs, 0)} ms`)
    return { ms, cpuMs }
  } finally {
    await Promise.all([server.stop(), crowd.stop()])
  }
}
