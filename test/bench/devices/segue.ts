/** One device with Segue in a process of its own, as an app would run it: the built packages, a key file, mDNS off. */
import { splice } from '@automerge/automerge'
import type { AutomergeUrl, DocHandle } from '@automerge/automerge-repo'
import { keyFile, openSegue, type DeviceId, type Invitation, type Joining, type Segue } from '@segue/engine'
import { serve } from '../remote.ts'
import { TEXT, createArrivals, monotonicMs, hurried, letterTyped, smallDocument, timed, typed, type EditTimes } from './times.ts'
import { countTraffic } from './traffic.ts'

export interface OpenOptions {
  readonly directory: string
  readonly name: string
  /** Multiaddr. A port chosen by the system unless given. */
  readonly listen?: string
  /** Told to others instead of what is listened on. */
  readonly announce?: string
}

export interface Opened {
  readonly id: DeviceId
  readonly port: number
  readonly ms: number
  readonly residentMb: number
}

interface TextDocument {
  text: string
}

let segue: Segue | undefined
let invitation: Invitation | undefined
let joining: Joining | undefined
let openedAt = 0
const edited = new Map<AutomergeUrl, DocHandle<TextDocument>>()
const arrivals = new Map<AutomergeUrl, ReturnType<typeof createArrivals>>()
const links: { readonly at: number; readonly up: boolean }[] = []

const methods = {
  async open({ directory, name, listen = '/ip4/127.0.0.1/tcp/0', announce }: OpenOptions): Promise<Opened> {
    globalThis.gc?.()
    const startedAt = monotonicMs()
    segue = await openSegue({
      directory,
      device: { name },
      unlock: keyFile(`${directory}.key`),
      network: { mdns: false, listen: [listen], ...(announce === undefined ? {} : { announce: [announce] }) },
    })
    const ms = monotonicMs() - startedAt
    openedAt = startedAt
    segue.devices.subscribe(devices => {
      const up = devices.some(({ state }) => state === 'linked')
      if (up !== (links.at(-1)?.up ?? false)) links.push({ at: monotonicMs(), up })
    })
    return { id: segue.device.id, port: portOf(segue), ms, residentMb: residentMb() }
  },
  close: () => running().close(),
  residentMb: (): number => residentMb(),
  peakMb: (): number => process.resourceUsage().maxRSS / 1_024,

  async invite(): Promise<string> {
    invitation = await running().pairing.invite()
    return invitation.text
  },
  async join(text: string): Promise<string> {
    joining = await running().pairing.join(text)
    return joining.code
  },
  async confirm(code: string): Promise<void> {
    const confirmed = await invitation?.confirm(code)
    if (confirmed?.ok !== true) throw new Error('not confirmed')
  },
  async joined(): Promise<void> {
    const outcome = await joining?.done
    if (outcome?.ok !== true) throw new Error('not joined')
  },
  addAddress: (device: DeviceId, address: string) => running().addAddress(device, address),

  /** When both hold the same and know it. */
  async whenInSync(): Promise<number> {
    await running().devices.when(
      devices =>
        devices.length > 1 && devices.every(device => device.isThisDevice || (device.sync === 'in-sync' && device.unconfirmed === 0)),
    )
    return monotonicMs()
  },
  /** Connects, and gives how long it took from then until both hold the same. */
  async syncWith(device: DeviceId, address: string): Promise<number> {
    const startedAt = monotonicMs()
    await running().addAddress(device, address)
    return (await methods.whenInSync()) - startedAt
  },
  /** Uses a relay's invite; resolves when everything is there and it lets in the whole group. */
  async addRelay(invite: string): Promise<void> {
    await running().relays.add(invite)
    await methods.whenOnRelay()
  },
  async whenOnRelay(): Promise<number> {
    await running().relays.list.when(
      relays =>
        relays.length > 0 &&
        relays.every(({ sync, unconfirmed, members }) => sync === 'in-sync' && unconfirmed === 0 && members === 'current'),
    )
    return monotonicMs()
  },
  /** When the link to the relay came up, as far as this process saw it. */
  async whenRelayLinked(): Promise<number> {
    await running().relays.list.when(relays => relays.some(({ state }) => state === 'linked'))
    return monotonicMs()
  },
  flush: () => running().flush(),
  /** When the last link came up. */
  linkedAt: (): number => links.findLast(({ up }) => up)?.at ?? Number.NaN,
  linkCount: (): number => links.filter(({ up }) => up).length,
  async whenLinkedAgain(count: number): Promise<void> {
    await running().devices.when(() => methods.linkCount() > count && links.at(-1)?.up === true)
  },
  /** Bytes of our own frames sent so far on the streams of replication; undefined where libp2p does not let us count. */
  syncBytesSent: (): number => traffic.sent('/segue/sync'),

  /** How long after `open` began until so many sessions were listed. */
  async whenListed(sessions: number): Promise<number> {
    await running().sessions.list.when(list => list.length >= sessions)
    return monotonicMs() - openedAt
  },
  async createInSessions(count: number, perSession: number): Promise<number> {
    const startedAt = monotonicMs()
    for (let made = 0; made < count;) {
      const session = await running().sessions.create({ title: `Session ${made}` })
      for (let i = 0; i < perSession && made < count; i++) {
        const initial = smallDocument(made)
        await session.documents.create({ title: initial.title, initial })
        made++
      }
      await session.close()
    }
    await running().flush()
    return monotonicMs() - startedAt
  },
  async createInRepo(count: number): Promise<number> {
    const startedAt = monotonicMs()
    for (let i = 0; i < count; i++) running().repo.create(smallDocument(i))
    await running().flush()
    return monotonicMs() - startedAt
  },
  someDocument: async (): Promise<string> => {
    const [listed] = running().sessions.list.peek()
    if (listed === undefined) throw new Error('no session')
    const session = await running().sessions.open(listed.id)
    const url = session.documents.list.peek()[0]?.documentId
    await session.close()
    if (url === undefined) throw new Error('no document')
    return `automerge:${url}`
  },
  async find(url: AutomergeUrl): Promise<number> {
    const startedAt = monotonicMs()
    const handle = await running().repo.find<{ text: string }>(url)
    if (handle.doc().text.length === 0) throw new Error('an empty document')
    return monotonicMs() - startedAt
  },

  createText(): AutomergeUrl {
    const handle = running().repo.create<TextDocument>({ text: TEXT })
    edited.set(handle.url, handle)
    return handle.url
  },
  async watch(url: AutomergeUrl): Promise<void> {
    const handle = await running().repo.find<TextDocument>(url)
    edited.set(url, handle)
    const seen = createArrivals()
    arrivals.set(url, seen)
    seen.seen(handle.doc().text.length)
    handle.on('change', ({ doc }) => seen.seen(doc.text.length))
  },
  lengthOf: (url: AutomergeUrl) => edited.get(url)?.doc().text.length ?? 0,
  edit: (url: AutomergeUrl): Promise<number> => timed(() => insertLetter(edited.get(url))),
  type: (url: AutomergeUrl, count: number, everyMs: number): Promise<EditTimes> =>
    typed(count, everyMs, () => insertLetter(edited.get(url))),
  /** One change a letter, as fast as they go. */
  editMany: (url: AutomergeUrl, count: number): Promise<void> => hurried(count, number => typeLetter(edited.get(url), number)),
  arrived: async (url: AutomergeUrl, from: number, count: number): Promise<EditTimes> => (await arrivals.get(url)?.take(from, count)) ?? [],
}
export type SegueDevice = typeof methods

const traffic = countTraffic()
serve(methods)

function running(): Segue {
  if (segue === undefined) throw new Error('not open')
  return segue
}

function portOf({ status }: Segue): number {
  return Number(/\/tcp\/(\d+)/.exec(status.peek().addresses[0] ?? '')?.[1])
}

function residentMb(): number {
  return process.memoryUsage.rss() / 2 ** 20
}

function typeLetter(handle: DocHandle<TextDocument> | undefined, number: number): void {
  const { at, letter } = letterTyped(number, handle?.doc().text.length ?? 0)
  handle?.change(doc => splice(doc, ['text'], at, 0, letter))
}

function insertLetter(handle: DocHandle<TextDocument> | undefined): void {
  const at = handle?.doc().text.length ?? 0 // an editor knows where its cursor is: reading a text through the proxy of a change is no part of typing
  handle?.change(doc => splice(doc, ['text'], at, 0, 'x'))
}
