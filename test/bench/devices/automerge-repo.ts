/** One automerge-repo peer in a process of its own: its documented set-up over WebSocket, with or without files. */
import { once } from 'node:events'
import { Repo, parseAutomergeUrl, type AutomergeUrl, type DocHandle, type DocumentId, type PeerId } from '@automerge/automerge-repo'
import { getHeads, init, load, loadIncremental, save, saveSince, splice } from '@automerge/automerge'
import { WebSocketClientAdapter, WebSocketServerAdapter } from '@automerge/automerge-repo-network-websocket'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { WebSocketServer } from 'ws'
import { serve } from '../remote.ts'
import { TEXT, createArrivals, monotonicMs, hurried, letterTyped, smallDocument, timed, typed, type EditTimes } from './times.ts'

interface TextDocument {
  text: string
}

export interface Difference {
  readonly after: Uint8Array
  /** How much larger a whole save has become. */
  readonly saveBytes: number
  /** The changes one by one, as Automerge's `saveSince` gives them. */
  readonly changesBytes: number
  readonly applyMs: number
}

interface Exported {
  readonly documentId: DocumentId
  readonly saved: Uint8Array
}

let repo: Repo | undefined
const edited = new Map<AutomergeUrl, DocHandle<TextDocument>>()
const arrivals = new Map<AutomergeUrl, ReturnType<typeof createArrivals>>()

const methods = {
  /** Gives the port. */
  async listen(directory?: string): Promise<number> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    repo = new Repo({
      network: [new WebSocketServerAdapter(server as ConstructorParameters<typeof WebSocketServerAdapter>[0])],
      ...storedIn(directory),
      peerId: 'server' as PeerId,
    })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a server has a port')
    return address.port
  },
  open(directory: string): void {
    repo = new Repo({ ...storedIn(directory) })
  },
  async connect(port: number): Promise<void> {
    repo ??= new Repo({ peerId: 'client' as PeerId })
    repo.networkSubsystem.addNetworkAdapter(new WebSocketClientAdapter(`ws://127.0.0.1:${port}`, RETRY_MS))
    await repo.networkSubsystem.whenReady()
  },
  /** As connect, and gives when its connection was there. */
  async connectAt(port: number): Promise<number> {
    await methods.connect(port)
    return monotonicMs()
  },
  exportAll: (): readonly Exported[] =>
    Object.values(running().handles).map(handle => ({ documentId: handle.documentId, saved: save(handle.doc()) })),
  importAll(documents: readonly Exported[]): void {
    repo = new Repo({ peerId: 'client' as PeerId })
    for (const { documentId, saved } of documents) repo.import(saved, { docId: documentId })
  },
  /** Connects, and gives how long it took until `count` documents were there. */
  async fetchAll(port: number, count: number, directory: string): Promise<number> {
    const startedAt = monotonicMs()
    repo = new Repo({ network: [new WebSocketClientAdapter(`ws://127.0.0.1:${port}`)], ...storedIn(directory), peerId: 'client' as PeerId })
    const isReady = (): boolean => Object.values(running().handles).filter(handle => handle.isReady()).length >= count
    while (!isReady()) {
      if (monotonicMs() - startedAt > FETCH_DEADLINE_MS) throw new Error(`not all of ${count} documents came${saidSoFar()}`)
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
    return monotonicMs() - startedAt
  },
  /** So many clients connect at once; resolves with how long it took until each has `count` documents. */
  async crowd(port: number, clients: number, count: number): Promise<number> {
    const startedAt = monotonicMs()
    const repos = Array.from(
      { length: clients },
      (_, i) => new Repo({ network: [new WebSocketClientAdapter(`ws://127.0.0.1:${port}`)], peerId: `client-${i}` as PeerId }),
    )
    const isReady = (each: Repo): boolean => Object.values(each.handles).filter(handle => handle.isReady()).length >= count
    while (!repos.every(isReady)) {
      if (monotonicMs() - startedAt > CROWD_DEADLINE_MS) {
        throw new Error(`${repos.filter(isReady).length} of ${clients} clients have all${saidSoFar()}`)
      }
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
    return monotonicMs() - startedAt
  },
  cpuMs: (): number => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  },
  async create(count: number): Promise<readonly AutomergeUrl[]> {
    const urls = Array.from({ length: count }, (_, i) => running().create(smallDocument(i)).url)
    await running().flush()
    return urls
  },
  async find(url: AutomergeUrl): Promise<number> {
    const startedAt = monotonicMs()
    const handle = await running().find<TextDocument>(url)
    if (handle.doc().text.length === 0) throw new Error('an empty document')
    return monotonicMs() - startedAt
  },
  /** The document now, as Automerge saves it, and what it takes to bring one that was saved as `before` to it. */
  async difference(url: AutomergeUrl, before: Uint8Array): Promise<Difference> {
    const doc = edited.get(url)?.doc()
    if (doc === undefined) throw new Error('not watched')
    const after = save(doc)
    const changes = saveSince(doc, getHeads(load(before)))
    const base = load<TextDocument>(before)
    const startedAt = monotonicMs()
    loadIncremental(base, changes)
    return { after, saveBytes: after.length - before.length, changesBytes: changes.length, applyMs: monotonicMs() - startedAt }
  },
  saved: (url: AutomergeUrl): Uint8Array => save(edited.get(url)?.doc() ?? init<TextDocument>()),
  async importText(url: AutomergeUrl, saved: Uint8Array): Promise<void> {
    repo ??= new Repo({ peerId: 'client' as PeerId })
    repo.import(saved, { docId: parseAutomergeUrl(url).documentId })
    await methods.watch(url)
  },
  residentMb: (): number => process.memoryUsage.rss() / 2 ** 20,
  peakMb: (): number => process.resourceUsage().maxRSS / 1_024,

  createText(): AutomergeUrl {
    const handle = running().create<TextDocument>({ text: TEXT })
    edited.set(handle.url, handle)
    return handle.url
  },
  async watch(url: AutomergeUrl): Promise<void> {
    const handle = await running().find<TextDocument>(url)
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
export type AutomergeRepoPeer = typeof methods

/** It has no event for documents that others bring. */
const POLL_MS = 20
const CROWD_DEADLINE_MS = 120_000
const FETCH_DEADLINE_MS = 280_000
/** How soon it dials again after a cut. */
const RETRY_MS = 100

/** It gives up on a document after a minute by a promise that nobody handles, which would end its process: here it may go on. */
const unhandled: unknown[] = []
process.on('unhandledRejection', error => unhandled.push(error))
serve(methods)

function saidSoFar(): string {
  return unhandled.length === 0 ? '' : `; it gave up ${unhandled.length} times: ${String(unhandled[0])}`
}

function running(): Repo {
  if (repo === undefined) throw new Error('not started')
  return repo
}

function storedIn(directory: string | undefined): { readonly storage?: NodeFSStorageAdapter } {
  return directory === undefined ? {} : { storage: new NodeFSStorageAdapter(directory) }
}

function typeLetter(handle: DocHandle<TextDocument> | undefined, number: number): void {
  const { at, letter } = letterTyped(number, handle?.doc().text.length ?? 0)
  handle?.change(doc => splice(doc, ['text'], at, 0, letter))
}

function insertLetter(handle: DocHandle<TextDocument> | undefined): void {
  const at = handle?.doc().text.length ?? 0 // an editor knows where its cursor is: reading a text through the proxy of a change is no part of typing
  handle?.change(doc => splice(doc, ['text'], at, 0, 'x'))
}
