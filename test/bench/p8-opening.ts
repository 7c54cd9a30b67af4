/**
 * P8: a device with 10,000 documents starts: `openSegue()` with its imports done and a key file, then one document is opened.
 * automerge-repo with its file store has nothing to open; its figure is the first `find`. Memory is looked at when Segue is ready, at
 * its peak, and, in one round of its own, once V8 has given back what reading the index left: it takes twenty seconds of rest for that.
 */
import path from 'node:path'
import type { AutomergeUrl } from '@automerge/automerge-repo'
import type { Bench, BenchContext, Result } from './bench.ts'
import type { AutomergeRepoPeer } from './devices/automerge-repo.ts'
import { startRemote } from './remote.ts'
import { startDevice } from './segue-pair.ts'
import { alternate, median, round } from './statistics.ts'

export const opening: Bench = {
  id: 'P8',
  what: 'openSegue() on 10,000 documents; open one',
  async run(context) {
    const [small, count, settleMs] = context.smoke ? [20, 200, 0] : [1_000, 10_000, SETTLE_MS]
    const createdSmall = await prepare(context, small)
    const created = await prepare(context, count)
    const theirs = await prepareAutomergeRepo(context, count)
    const few = await alternate({ segue: () => openSegueOnce(createdSmall, 0) }, context.rounds)
    const many = await alternate(
      { segue: () => openSegueOnce(created, 0), automergeRepo: () => openAutomergeRepoOnce(theirs) },
      context.rounds,
    )
    const [mine, smaller, peer] = [mediansOf(many.segue), mediansOf(few.segue), mediansOf(many.automergeRepo)]
    const settled = await openSegueOnce(created, settleMs)
    const beside = (value: number, peerValue: number): Partial<Result> => ({
      peer: 'automerge-repo + nodefs',
      peerValue: round(peerValue, 1),
      ratio: round(peerValue / value, 2),
    })
    return [
      { id: 'P8/create', what: `${count} documents made in sessions, durable`, unit: 'ms', value: round(created.ms, 0) },
      { id: 'P8/create-growth', what: `time(${count}) / time(${small})`, unit: 'x', value: round(created.ms / createdSmall.ms, 1) },
      { id: `P8/${small}`, what: `openSegue() on ${small} documents`, unit: 'ms', value: round(smaller.openMs, 0) },
      {
        id: `P8/${count}`,
        what: `openSegue() on ${count} documents`,
        unit: 'ms',
        value: round(mine.openMs, 0),
        target: '<= 500 ms',
        holds: mine.openMs <= 500,
      },
      {
        id: 'P8/find',
        what: 'open one document right after',
        unit: 'ms',
        value: round(mine.findMs, 1),
        ...beside(mine.findMs, peer.findMs),
        target: '<= 50 ms',
        holds: mine.findMs <= 50,
      },
      { id: 'P8/listed', what: 'until every session is listed', unit: 'ms', value: round(mine.listedMs, 0) },
      {
        id: 'P8/memory',
        what: 'resident when ready',
        unit: 'MB',
        value: round(mine.residentMb, 0),
        ...beside(mine.residentMb, peer.residentMb),
        target: '<= 220 MB',
        holds: mine.residentMb <= 220,
      },
      {
        id: 'P8/settled',
        what: `resident after ${settleMs / 1_000} s of rest, index read (once)`,
        unit: 'MB',
        value: round(settled.settledMb, 0),
        target: '<= 220 MB',
        holds: settled.settledMb <= 220,
      },
      { id: 'P8/peak', what: 'resident at its peak', unit: 'MB', value: round(mine.peakMb, 0), ...beside(mine.peakMb, peer.peakMb) },
    ]
  },
}

interface Prepared {
  readonly directory: string
  readonly url: string
  readonly sessions: number
  readonly ms: number
}

type Opening = Readonly<Record<'openMs' | 'findMs' | 'listedMs' | 'residentMb' | 'settledMb' | 'peakMb', number>>

function mediansOf<Figures extends Readonly<Record<string, number>>>(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0] ?? {})
  return Object.fromEntries(names.map(name => [name, median(rounds.map(figures => figures[name] as number))])) as Figures
}

const PER_SESSION = 100

async function prepare(context: BenchContext, count: number): Promise<Prepared> {
  const directory = path.join(await context.scratch(`store-${count}`), 'laptop')
  const laptop = await startDevice('laptop', directory)
  const ms = await laptop.call.createInSessions(count, PER_SESSION)
  const url = await laptop.call.someDocument()
  await laptop.stop()
  context.say(`  ${count} documents made in ${round(ms, 0)} ms`)
  return { directory, url, sessions: Math.ceil(count / PER_SESSION), ms }
}

async function openSegueOnce({ directory, url, sessions }: Prepared, settleMs: number): Promise<Opening> {
  const laptop = await startDevice('laptop', directory)
  const { ms, residentMb } = laptop.opened
  const findMs = await laptop.call.find(url as AutomergeUrl)
  const listedMs = await laptop.call.whenListed(sessions)
  await new Promise(resolve => setTimeout(resolve, settleMs))
  const opening = {
    openMs: ms,
    findMs,
    listedMs,
    residentMb,
    settledMb: await laptop.call.residentMb(),
    peakMb: await laptop.call.peakMb(),
  }
  await laptop.stop()
  return opening
}

const SETTLE_MS = 30_000

interface PreparedPeer {
  readonly directory: string
  readonly url: AutomergeUrl
}

/** A thousand at a time: in one process the third thousand would take a minute, and each further one longer. */
async function prepareAutomergeRepo(context: BenchContext, count: number): Promise<PreparedPeer> {
  const directory = await context.scratch('automerge-repo')
  let url: AutomergeUrl | undefined
  for (let made = 0; made < count; made += PEER_SLICE) {
    const peer = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
    await peer.call.open(directory)
    const [first] = await peer.call.create(Math.min(PEER_SLICE, count - made))
    url ??= first
    await peer.stop()
  }
  if (url === undefined) throw new Error('nothing was made')
  context.say(`  ${count} documents made by automerge-repo`)
  return { directory, url }
}

const PEER_SLICE = 1_000

async function openAutomergeRepoOnce({ directory, url }: PreparedPeer): Promise<Pick<Opening, 'findMs' | 'residentMb' | 'peakMb'>> {
  const peer = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  await peer.call.open(directory)
  const findMs = await peer.call.find(url)
  const [residentMb, peakMb] = [await peer.call.residentMb(), await peer.call.peakMb()]
  await peer.stop()
  return { findMs, residentMb, peakMb }
}
