/**
 * P1: one letter typed in a 1 KB document, from `change` on one device to the `change` event on the other, two processes on
 * loopback; again with 5 ms of link delay. automerge-repo's client edits and its server listens (one hop, its best case); Yjs needs
 * client, server, client, as its y-websocket does.
 */
import type { AutomergeUrl } from '@automerge/automerge-repo'
import type { Bench, BenchContext, Result } from './bench.ts'
import type { AutomergeRepoPeer } from './devices/automerge-repo.ts'
import { TEXT, type EditTimes } from './devices/times.ts'
import type { YjsPeer } from './devices/yjs.ts'
import { typeWhileBusy, type BusyTyping } from './p1-while-busy.ts'
import { startRemote } from './remote.ts'
import { startPair } from './segue-pair.ts'
import { alternate, median, percentile, round } from './statistics.ts'
import { bareWire, openWire, type Wire } from './wire.ts'

export const editLatency: Bench = {
  id: 'P1',
  what: 'one edit in a 1 KB document, change to change event, two processes on loopback',
  async run(context) {
    const near = await compare(context, 0)
    const far = await compare(context, LINK_DELAY_MS)
    const busy = await typeWhileBusy(context)
    return [
      line('P1', 'edit to change event', near.segue, near.automergeRepo, 'automerge-repo', {
        text: 'p50 <= 1.5 ms, >= 50x',
        holds: atLeast(50, 1.5),
      }),
      line('P1/yjs', 'edit to change event', near.segue, near.yjs, 'y-websocket', undefined),
      line('P1/delay', `the same, ${LINK_DELAY_MS} ms link delay a hop`, far.segue, far.yjs, 'y-websocket', {
        text: 'faster than y-websocket',
        holds: ({ value, peerValue = 0 }) => value < peerValue,
      }),
      busyLine(busy),
      line('P1/delay-am', `the same, ${LINK_DELAY_MS} ms link delay a hop`, far.segue, far.automergeRepo, 'automerge-repo', undefined),
    ]
  },
}

const LINK_DELAY_MS = 5

interface Contestants {
  readonly segue: readonly number[]
  readonly automergeRepo: readonly number[]
  readonly yjs: readonly number[]
}

/** Latencies of all rounds together, of each. */
async function compare(context: BenchContext, delayMs: number): Promise<Contestants> {
  const stops: (() => Promise<void>)[] = []
  try {
    const segue = await segueTypist(context, delayMs, stops)
    const automergeRepo = await automergeRepoTypist(delayMs, stops)
    const yjs = await yjsTypist(delayMs, stops)
    const few = context.smoke ? 3 : 20
    const many = context.smoke ? 20 : 200
    const measured = await alternate(
      { segue: () => segue(many), automergeRepo: () => automergeRepo(few), yjs: () => yjs(many) },
      context.rounds,
    )
    return { segue: measured.segue.flat(), automergeRepo: measured.automergeRepo.flat(), yjs: measured.yjs.flat() }
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

/** Types so many letters into a new document, each once the last has arrived, and gives how long each took. */
type Typist = (count: number) => Promise<readonly number[]>

/** A document of 1 KB that is open on both ends. */
interface Ends {
  edit(): Promise<number>
  /** When each of `count` letters beyond the first `from` was seen. */
  arrived(from: number, count: number): Promise<EditTimes>
}

/** New for each round: a text of which every letter is an operation costs more the longer it grows. */
function typistOf(open: () => Promise<Ends>): Typist {
  return async count => {
    const latencies: number[] = []
    const { edit, arrived } = await open()
    for (let i = 0; i < count; i++) {
      const [madeAt, [seenAt]] = await Promise.all([edit(), arrived(TEXT.length + i, 1)])
      latencies.push((seenAt as number) - madeAt)
    }
    return latencies
  }
}

async function segueTypist(context: BenchContext, delayMs: number, stops: (() => Promise<void>)[]): Promise<Typist> {
  const { laptop, desk, stop } = await startPair(await context.scratch('pair'), delayMs === 0 ? 'bare' : { delayMs })
  stops.push(stop)
  return typistOf(async () => {
    const url = await laptop.call.createText()
    await desk.call.watch(url)
    return { edit: () => laptop.call.edit(url), arrived: (from, count) => desk.call.arrived(url, from, count) }
  })
}

async function automergeRepoTypist(delayMs: number, stops: (() => Promise<void>)[]): Promise<Typist> {
  const server = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const client = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const wire = await wireTo(await server.call.listen(), delayMs)
  stops.push(async () => {
    await Promise.all([server.stop(), client.stop()])
    await wire.close()
  })
  await client.call.connect(wire.port)
  return typistOf(async () => {
    const url: AutomergeUrl = await client.call.createText()
    await server.call.watch(url)
    return { edit: () => client.call.edit(url), arrived: (from, count) => server.call.arrived(url, from, count) }
  })
}

async function yjsTypist(delayMs: number, stops: (() => Promise<void>)[]): Promise<Typist> {
  const [server, one, other] = [0, 1, 2].map(() => startRemote<YjsPeer>(new URL('./devices/yjs.ts', import.meta.url))) as [
    ReturnType<typeof startRemote<YjsPeer>>,
    ReturnType<typeof startRemote<YjsPeer>>,
    ReturnType<typeof startRemote<YjsPeer>>,
  ]
  const wire = await wireTo(await server.call.listen(), delayMs)
  stops.push(async () => {
    await Promise.all([server.stop(), one.stop(), other.stop()])
    await wire.close()
  })
  let rooms = 0
  return typistOf(async () => {
    const room = `edited-${rooms++}`
    await one.call.createText(wire.port, room)
    await other.call.watch(wire.port, room)
    return { edit: () => one.call.edit(room), arrived: (from, count) => other.call.arrived(room, from, count) }
  })
}

/** Without delay everybody talks over loopback itself: a process in between would be measured with them. */
async function wireTo(port: number, delayMs: number): Promise<Wire> {
  return delayMs === 0 ? bareWire(port) : openWire(port, { delayMs })
}

interface Target {
  readonly text: string
  readonly holds: (result: Result) => boolean
}

function atLeast(times: number, ms: number): Target['holds'] {
  return ({ value, ratio = 0 }) => value <= ms && ratio >= times
}

function line(
  id: string,
  what: string,
  ours: readonly number[],
  theirs: readonly number[],
  peer: string,
  target: Target | undefined,
): Result {
  const value = median(ours)
  const peerValue = median(theirs)
  const result: Result = {
    id,
    what,
    unit: 'ms',
    value: round(value),
    p50: round(value),
    p99: round(percentile(ours, 99)),
    peer,
    peerValue: round(peerValue),
    ratio: round(peerValue / value, 1),
  }
  return target === undefined ? result : { ...result, target: target.text, holds: target.holds(result) }
}

function busyLine({ latencies, documents }: BusyTyping): Result {
  const p99 = percentile(latencies, 99)
  return {
    id: 'P1/busy',
    what: `p99 of ${latencies.length} letters while ${documents} documents come for the first time`,
    unit: 'ms',
    value: round(p99),
    p50: round(median(latencies)),
    p99: round(p99),
    target: 'p99 <= 20 ms',
    holds: p99 <= 20,
  }
}
