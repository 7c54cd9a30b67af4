/** One Yjs client, or the server that y-websocket's clients talk through, in a process of its own. */
import { once } from 'node:events'
import { setupWSConnection } from '@y/websocket-server/utils'
import { WebSocket, WebSocketServer } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import { Doc, type Text } from 'yjs'
import { serve } from '../remote.ts'
import { TEXT, createArrivals, monotonicMs, smallDocument, timed, typed, type EditTimes } from './times.ts'

const docs = new Map<string, Doc>()
const arrivals = new Map<string, ReturnType<typeof createArrivals>>()

const methods = {
  /** Gives the port. */
  async listen(): Promise<number> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('connection', (socket, request) => setupWSConnection(socket, request))
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a server has a port')
    return address.port
  },
  /** Resolves when the server has all of it. */
  async createAll(port: number, count: number): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const doc = new Doc()
        const { title, text } = smallDocument(i)
        doc.getMap('meta').set('title', title)
        doc.getText('text').insert(0, text)
        await join(port, `note-${i}`, doc)
      }),
    )
  },
  /** How long it takes until all of them are here. */
  async fetchAll(port: number, count: number): Promise<number> {
    const startedAt = monotonicMs()
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const doc = new Doc()
        await join(port, `note-${i}`, doc)
        if (doc.getText('text').length === 0) throw new Error('an empty document')
      }),
    )
    return monotonicMs() - startedAt
  },

  peakMb: (): number => process.resourceUsage().maxRSS / 1_024,

  async createText(port: number, room: string): Promise<void> {
    const doc = new Doc()
    doc.getText('text').insert(0, TEXT)
    docs.set(room, doc)
    await join(port, room, doc)
  },
  async watch(port: number, room: string): Promise<void> {
    const doc = new Doc()
    docs.set(room, doc)
    await join(port, room, doc)
    const seen = createArrivals()
    arrivals.set(room, seen)
    const text = doc.getText('text')
    seen.seen(text.length)
    text.observe(() => seen.seen(text.length))
  },
  edit: (room: string): Promise<number> => timed(() => insertLetter(docs.get(room)?.getText('text'))),
  type: (room: string, count: number, everyMs: number): Promise<EditTimes> =>
    typed(count, everyMs, () => insertLetter(docs.get(room)?.getText('text'))),
  arrived: async (room: string, from: number, count: number): Promise<EditTimes> => (await arrivals.get(room)?.take(from, count)) ?? [],
}
export type YjsPeer = typeof methods

serve(methods)

function insertLetter(text: Text | undefined): void {
  text?.insert(text.length, 'x')
}

async function join(port: number, room: string, doc: Doc): Promise<void> {
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, room, doc, { WebSocketPolyfill: WebSocket as never, disableBc: true })
  await new Promise<void>(resolve => provider.once('sync', () => resolve()))
}
