/**
 * P4: 10,000 one-letter edits are made in a text while the other device is away; then it comes back, 20 ms and 10 Mbit/s from where they
 * are: from the link until it shows all of them, and what went over the link for it. Directly, and from a relay while their maker sleeps.
 * Ours was left alone for a few seconds after the edits, as whoever goes away leaves it: then it is bundled.
 */
import { cp } from 'node:fs/promises'
import path from 'node:path'
import type { AutomergeUrl } from '@automerge/automerge-repo'
import type { Bench, BenchContext, Result } from './bench.ts'
import type { AutomergeRepoPeer } from './devices/automerge-repo.ts'
import type { RelayServer } from './devices/relay.ts'
import { startRemote } from './remote.ts'
import { freePort, startCopies, startDevice, startPair } from './segue-pair.ts'
import { holdingsOf } from './segue-stores.ts'
import { alternate, median, round } from './statistics.ts'
import { openWire, type WireOptions } from './wire.ts'

export const away: Bench = {
  id: 'P4',
  what: '10,000 one-letter edits made while the other was away, caught up at 20 ms RTT and 10 Mbit/s',
  async run(context) {
    const edits = context.smoke ? 1_000 : EDITS
    const template = await prepare(context, edits)
    const own = await automergeItself(edits)
    context.say(
      `  Automerge: save grew by ${own.saveBytes} bytes, its changes are ${own.changesBytes} bytes, applied in ${round(own.applyMs, 0)} ms`,
    )
    const measured = await alternate(
      {
        direct: () => direct(context, template, edits),
        relayed: () => relayed(context, template, edits),
        automergeRepo: () => automergeRepo(own, edits),
      },
      Math.min(context.rounds, ROUNDS),
    )
    const peer = { ms: median(measured.automergeRepo.map(({ ms }) => ms)), bytes: median(measured.automergeRepo.map(({ bytes }) => bytes)) }
    const lines = (id: string, what: string, caught: readonly Caught[]): readonly Result[] => {
      const ms = median(caught.map(each => each.ms))
      const bytes = median(caught.map(each => each.bytes))
      const most = round(1.2 * (3 * RTT_MS + (1_000 * bytes) / BYTES_PER_SECOND + own.applyMs), 0)
      return [
        {
          id,
          what: `${edits} edits ${what}, link to screen`,
          unit: 'ms',
          value: round(ms, 0),
          peer: 'automerge-repo',
          peerValue: round(peer.ms, 0),
          ratio: round(peer.ms / ms, 1),
          target: `<= ${most} ms (3 RTT + bytes/bandwidth + apply + 20 %)`,
          holds: ms <= most,
        },
        {
          id: `${id}-bytes`,
          what: 'bytes of both for it',
          unit: 'B',
          value: bytes,
          peer: 'automerge-repo',
          peerValue: peer.bytes,
          ratio: round(peer.bytes / bytes, 1),
          target: `<= 6 times the ${own.saveBytes} B that Automerge's save grew by`,
          holds: bytes <= 6 * own.saveBytes,
        },
      ]
    }
    return [...lines('P4', 'caught up directly', measured.direct), ...lines('P4/relay', 'caught up from a relay', measured.relayed)]
  },
}

const EDITS = 10_000
const ROUNDS = 3
const RTT_MS = 20
/** 10 Mbit/s. */
const BYTES_PER_SECOND = 1_250_000
const NARROW: WireOptions = { delayMs: RTT_MS / 2, bytesPerSecond: BYTES_PER_SECOND }

interface Caught {
  readonly ms: number
  readonly bytes: number
}

interface Template {
  readonly directory: string
  readonly url: AutomergeUrl
  /** Of the text before the edits. */
  readonly length: number
  /** Where the relay listens, and where devices think it does. */
  readonly relayPort: number
  readonly relayWirePort: number
}

/** The desk has the text as it was, the laptop and the relay have all edits; nobody runs. */
async function prepare(context: BenchContext, edits: number): Promise<Template> {
  const directory = await context.scratch('template')
  const [relayPort, relayWirePort] = [await freePort(), await freePort()]
  const relay = startRemote<RelayServer>(new URL('./devices/relay.ts', import.meta.url))
  await relay.call.start({ directory: path.join(directory, 'relay'), port: relayPort, announcePort: relayWirePort })
  const wire = await openWire(relayPort, { port: relayWirePort })
  const pair = await startPair(directory)
  const url = await pair.laptop.call.createText()
  await pair.desk.call.watch(url)
  const length = await pair.laptop.call.lengthOf(url)
  await pair.laptop.call.addRelay(await relay.call.invite())
  await Promise.all([pair.laptop.call.whenInSync(), pair.desk.call.whenInSync()])
  await pair.desk.call.whenOnRelay()
  await pair.desk.stop()
  await pair.laptop.call.editMany(url, edits)
  await pair.laptop.call.flush()
  await new Promise(resolve => setTimeout(resolve, context.smoke ? 0 : LEFT_ALONE_MS))
  await pair.laptop.call.whenOnRelay()
  await pair.laptop.stop()
  await relay.call.close()
  await relay.stop()
  await wire.close()
  const { chunks, fragments } = await holdingsOf(path.join(directory, 'laptop'))
  context.say(`  segue: ${edits} edits are ${chunks} chunks, ${fragments} of them fragments`)
  return { directory, url, length, relayPort, relayWirePort }
}

/** A document is bundled once it was left alone for ten seconds, and the relay hears in the comparison after that what it need not keep. */
const LEFT_ALONE_MS = 40_000

async function direct(context: BenchContext, { directory, url, length }: Template, edits: number): Promise<Caught> {
  const pair = await startCopies(directory, await context.scratch('direct'), NARROW)
  try {
    await pair.desk.call.watch(url)
    const before = (await pair.laptop.call.syncBytesSent()) + (await pair.desk.call.syncBytesSent())
    const shown = pair.desk.call.arrived(url, length, edits)
    await pair.desk.call.syncWith(pair.laptop.opened.id, pair.laptop.address)
    const at = await shown
    const bytes = (await pair.laptop.call.syncBytesSent()) + (await pair.desk.call.syncBytesSent()) - before
    return { ms: (at.at(-1) as number) - (await pair.desk.call.linkedAt()), bytes }
  } finally {
    await pair.stop()
  }
}

async function relayed(context: BenchContext, template: Template, edits: number): Promise<Caught> {
  const { url, length, relayPort, relayWirePort } = template
  const directory = await context.scratch('relayed')
  await cp(template.directory, directory, { recursive: true, preserveTimestamps: true })
  const relay = startRemote<RelayServer>(new URL('./devices/relay.ts', import.meta.url))
  await relay.call.start({ directory: path.join(directory, 'relay'), port: relayPort, announcePort: relayWirePort })
  const desk = await startDevice('desk', path.join(directory, 'desk'))
  let wire: Awaited<ReturnType<typeof openWire>> | undefined
  try {
    await desk.call.watch(url)
    const before = await relay.call.syncBytesSent()
    const shown = desk.call.arrived(url, length, edits)
    wire = await openWire(relayPort, { ...NARROW, port: relayWirePort })
    const linkedAt = await desk.call.whenRelayLinked()
    const at = await shown
    await desk.call.whenOnRelay()
    const bytes = (await relay.call.syncBytesSent()) - before + (await desk.call.syncBytesSent())
    return { ms: (at.at(-1) as number) - linkedAt, bytes }
  } finally {
    await desk.stop()
    await relay.stop()
    await wire?.close()
  }
}

interface Own {
  readonly before: Uint8Array
  readonly after: Uint8Array
  readonly url: AutomergeUrl
  readonly saveBytes: number
  readonly changesBytes: number
  readonly applyMs: number
}

/** The same edits in Automerge alone. */
async function automergeItself(edits: number): Promise<Own> {
  const peer = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  try {
    await peer.call.listen()
    const url = await peer.call.createText()
    const before = await peer.call.saved(url)
    await peer.call.editMany(url, edits)
    return { before, url, ...(await peer.call.difference(url, before)) }
  } finally {
    await peer.stop()
  }
}

/** Its server has the edits, its client the text as it was; from the first byte of their connection on. */
async function automergeRepo({ before, after, url }: Own, edits: number): Promise<Caught> {
  const server = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const client = startRemote<AutomergeRepoPeer>(new URL('./devices/automerge-repo.ts', import.meta.url))
  const wire = await openWire(await server.call.listen(), NARROW)
  try {
    await server.call.importText(url, after)
    await client.call.importText(url, before)
    const length = await client.call.lengthOf(url)
    const shown = client.call.arrived(url, length, edits)
    const startedAt = await client.call.connectAt(wire.port)
    const at = await shown
    return { ms: (at.at(-1) as number) - startedAt, bytes: wire.carried().bytes }
  } finally {
    await Promise.all([server.stop(), client.stop()])
    await wire.close()
  }
}
