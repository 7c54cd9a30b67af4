/**
 * All links of this node, at most one per peer. Two connections of the same pair, because both dialled: the one dialled by the smaller
 * id stays. A second connection by the same dialler replaces the first, for whoever dials again has lost it. When the rule favours
 * the link that is there, that one has to prove it is alive first: its peer may have lost it without our noticing. Before all that:
 * a link that goes past every relay replaces one through a relay, and never the other way round. And before that: a connection of another
 * run of the peer than that of its link is by a peer that started again, or by a machine with a copy of its keys. It replaces the link;
 * and if what it replaces still answers, the key is there twice, which both of them and the host are told.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { CHANNELS, PROTOCOL_OF, SegueError, createSubject, equalBytes } from '@segue/core/sealed'
import type { Channel, CloseCode, DeviceId, Observable } from '@segue/core/sealed'
import type { Clock, DeviceLink, DeviceLinkHost, Logger } from '@segue/core/ports'
import { LINK_DEADLINE_MS, PROBE_MS, TWICE_PROBE_MS } from '../limits.ts'
import { hangUp } from './hang-up.ts'
import type { Hello } from './hello.ts'
import { createLink, type Link } from './link.ts'

export interface Links {
  readonly current: Observable<ReadonlyMap<DeviceId, Link>>
  /** A member opened a stream to us. */
  accept(channel: Channel, stream: Stream, connection: Connection): void
  /** Makes a link of a connection we dialled. Resolves with how it was closed, or 'up' as soon as it is up. */
  open(connection: Connection): Promise<'up' | CloseCode>
  /** Closes every link for which `holds`. */
  closeWhere(holds: (link: DeviceLink) => boolean, code: CloseCode): Promise<void>
}

export interface LinksOptions {
  readonly self: DeviceId
  readonly host: DeviceLinkHost
  readonly clock: Clock
  readonly logger?: Logger | undefined
  /** Of this node: see Hello. */
  readonly run: Uint8Array
  ownAddresses(): readonly string[]
  /** The link is up; `hello` is what the peer said. */
  onUp(link: DeviceLink, hello: Hello, connection: Connection): void
  onDown(peer: DeviceId, code: CloseCode, wasOpenForMs: number): void
  /** Two runs under the key of this peer are alive at once. */
  onTwice(peer: DeviceId): void
}

export function createLinks(options: LinksOptions): Links {
  const { self, host, clock } = options
  const current = createSubject<ReadonlyMap<DeviceId, Link>>(new Map())
  /** Links on their way, by connection. */
  const arriving = new Map<string, Link>()
  /** Connections that are or were a link. */
  const linked = new WeakSet<Connection>()
  /** What the peer of a link said of its run. */
  const runs = new WeakMap<Link, Uint8Array>()
  /** Outcomes of connections we dialled and that are on their way, by peer. */
  const dialled = new Map<DeviceId, Promise<unknown>>()

  const ownHello = (): Hello => ({ addresses: options.ownAddresses(), time: clock.now(), run: options.run })
  const setCurrent = (peer: DeviceId, link: Link | undefined): void => {
    const next = new Map(current.peek())
    if (link === undefined) next.delete(peer)
    else next.set(peer, link)
    current.set(next)
  }

  const create = (connection: Connection, onOutcome: (outcome: 'up' | CloseCode) => void): Link => {
    const link = createLink({
      connection,
      self,
      clock,
      logger: options.logger,
      onReady: hello => void decide(link, hello, onOutcome),
      onFinished: (code, wasOpenForMs) => {
        arriving.delete(connection.id)
        if (current.peek().get(link.peer) === link) setCurrent(link.peer, undefined)
        if (wasOpenForMs !== undefined) options.onDown(link.peer, code, wasOpenForMs)
        onOutcome(code)
      },
    })
    arriving.set(connection.id, link)
    linked.add(connection)
    return link
  }

  const decide = async (link: Link, hello: Hello, onOutcome: (outcome: 'up') => void): Promise<void> => {
    // Our own connection to this peer is being made and would win: let it.
    if (!link.outbound && self < link.peer) await dialled.get(link.peer)
    const incumbent = current.peek().get(link.peer)
    if (hello.run !== undefined) runs.set(link, hello.run)
    const isOtherRun = incumbent !== undefined && areDifferent(runs.get(incumbent), hello.run)
    const mayStay = incumbent !== undefined && !isOtherRun && isPreferred(incumbent, link)
    if (mayStay && (await incumbent.probe(PROBE_MS))) return void link.close('duplicate')
    const isTwice = isOtherRun && (await incumbent.probe(TWICE_PROBE_MS))
    if (isTwice) options.onTwice(link.peer)
    if (link.closed.aborted) return
    void current
      .peek()
      .get(link.peer)
      ?.close(isTwice ? 'same-key-twice' : 'duplicate')
    if (!link.outbound) link.sayHello(ownHello()).catch(() => undefined) // broken: onFinished tells
    arriving.delete(link.connection.id)
    setCurrent(link.peer, link)
    options.onUp(link, hello, link.connection)
    link.open(host.onLink)
    onOutcome('up')
  }

  const openStreams = async (link: Link): Promise<void> => {
    const deadline = new AbortController()
    const cancel = clock.after(LINK_DEADLINE_MS, () => deadline.abort(new SegueError('TIMED_OUT')))
    try {
      const streams = await Promise.all(
        CHANNELS.map(async channel => {
          const stream = await link.connection.newStream(PROTOCOL_OF[channel], { signal: deadline.signal })
          link.addStream(channel, stream)
          return stream
        }),
      )
      if (streams.length === CHANNELS.length) await link.sayHello(ownHello())
    } finally {
      cancel()
    }
  }

  return {
    current,
    accept(channel, stream, connection) {
      if (connection.direction === 'outbound' || (linked.has(connection) && !arriving.has(connection.id))) {
        return stream.abort(new Error('streams are opened by the dialler, once'))
      }
      const link = arriving.get(connection.id) ?? create(connection, () => undefined)
      link.addStream(channel, stream)
    },
    open(connection) {
      const outcome = new Promise<'up' | CloseCode>(resolve => {
        const link = create(connection, resolve)
        const cancel = clock.after(LINK_DEADLINE_MS, () => resolve('lost'))
        link.closed.addEventListener('abort', cancel, { once: true })
        openStreams(link).catch(() => link.close('lost'))
      }).then(async result => {
        if (result === 'lost') await hangUp(connection, clock)
        return result
      })
      const peer = connection.remotePeer.toString() as DeviceId
      const settled = outcome.finally(() => {
        if (dialled.get(peer) === settled) dialled.delete(peer)
      })
      dialled.set(peer, settled)
      return settled
    },
    async closeWhere(holds, code) {
      const links = [...current.peek().values(), ...arriving.values()].filter(holds)
      await Promise.all(links.map(link => link.close(code)))
    },
  }
}

function areDifferent(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && !equalBytes(a, b)
}

/** Whether the link that is there stays, if it is alive. */
function isPreferred(incumbent: Link, newcomer: Link): boolean {
  const [isWorse, wouldBeWorse] = [incumbent.path === 'relayed', newcomer.path === 'relayed']
  return isWorse === wouldBeWorse ? incumbent.dialler < newcomer.dialler : wouldBeWorse
}
