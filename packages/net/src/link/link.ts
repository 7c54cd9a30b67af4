/**
 * One link: a connection with one framed stream per channel, from its first stream to the code it was closed with.
 *
 * Opening: streams arrive one by one, hellos cross on `control` (hello.ts), then `open` hands it to the host. Frames that come
 * before that wait. Closing: the code goes out on every channel, behind what was sent on it; the peer finishes when it has read all
 * of them (or after a grace, if its own handlers are stuck) and hangs up, so that the code is never lost to a reset.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { CHANNELS, CLOSE_CODES, MAX_FRAME_BYTES, SegueError, closeCodeOf } from '@segue/core/sealed'
import type { Channel, CloseCode, DeviceId, ErrorCode } from '@segue/core/sealed'
import type { Clock, DeviceLink, DeviceLinkHandler, Logger } from '@segue/core/ports'
import { CLOSE_GRACE_MS } from '../limits.ts'
import { linkPathOf } from '../circuit/link-path.ts'
import { createFramedStream, type FramedStream } from './framed-stream.ts'
import type { Signal } from './frame-reader.ts'
import { hangUp, whenGone } from './hang-up.ts'
import { decodeHello, encodeHello, type Hello } from './hello.ts'
import { createKeepalive, type Keepalive } from './keepalive.ts'

export interface Link extends DeviceLink {
  readonly connection: Connection
  /** Who dialled; decides between two connections of the same pair. */
  readonly dialler: DeviceId
  addStream(channel: Channel, stream: Stream): void
  sayHello(hello: Hello): Promise<void>
  /** Up: the host hears everything from here on. */
  open(onLink: (link: DeviceLink) => DeviceLinkHandler): void
  /** Whether the peer answers within `ms`. */
  probe(ms: number): Promise<boolean>
}

export interface LinkOptions {
  readonly connection: Connection
  readonly self: DeviceId
  readonly clock: Clock
  readonly logger?: Logger | undefined
  /** Every stream is there and the peer's hello was read. */
  onReady(hello: Hello): void
  /** Once. `wasOpenForMs` is undefined when it never was up. */
  onFinished(code: CloseCode, wasOpenForMs: number | undefined): void
}

export function createLink(options: LinkOptions): Link {
  const { connection, clock } = options
  const peer = connection.remotePeer.toString() as DeviceId
  const outbound = connection.direction === 'outbound'
  const streams = new Map<Channel, FramedStream>()
  const closed = new AbortController()
  const closedByPeer = new Set<Channel>()
  const probes = new Set<(isAlive: boolean) => void>()
  let peerHello: Hello | undefined
  let peerCode: CloseCode | undefined
  let handler: DeviceLinkHandler | undefined
  let openedAt: number | undefined
  let keepalive: Keepalive | undefined
  let isFinished = false
  let isAnswering = false
  let closing: Promise<void> | undefined
  let cancelGrace: () => void = () => undefined
  let announceOpen: () => void = () => undefined
  let announcePeerClosed: () => void = () => undefined
  const whenPeerClosed = new Promise<void>(resolve => (announcePeerClosed = resolve))
  const whenOpenOrClosed = new Promise<void>(resolve => (announceOpen = resolve))

  const finish = (code: CloseCode): void => {
    if (isFinished) return
    isFinished = true
    keepalive?.stop()
    cancelGrace()
    announceOpen()
    for (const answer of probes) answer(false)
    closed.abort(new SegueError(ERROR_OF[code], { reason: code }))
    options.onFinished(code, openedAt === undefined ? undefined : clock.monotonic() - openedAt)
    try {
      handler?.onClosed(code)
    } catch (error) {
      options.logger?.error('link-closed-handler-failed', { peer, error: String(error) })
    }
  }

  /** The peer closed, or the connection broke. */
  const finishAndHangUp = (code: CloseCode): void => {
    if (isFinished) return
    finish(code)
    closing ??= hangUp(connection, clock)
  }

  const close = (code: CloseCode): Promise<void> => {
    finish(code)
    closing ??= sayWhyAndHangUp(code)
    return closing
  }
  const sayWhyAndHangUp = async (code: CloseCode): Promise<void> => {
    const gone = whenGone(connection, clock, CLOSE_GRACE_MS)
    if (code !== 'lost') {
      for (const stream of streams.values()) stream.signal('close', CLOSE_CODES[code]).catch(() => undefined) // broken: nobody reads it
      await Promise.race([gone, whenPeerClosed]) // both said goodbye at once: neither waits for the other to hang up
    }
    await hangUp(connection, clock)
  }

  const checkReady = (): void => {
    if (peerHello !== undefined && streams.size === CHANNELS.length && !isFinished) options.onReady(peerHello)
  }

  const onFrame = (channel: Channel, frame: Uint8Array): Promise<void> | void => {
    if (isFinished) return
    if (channel === 'control' && peerHello === undefined) {
      const hello = decodeHello(frame)
      if (!hello.ok) return void close(hello.error)
      peerHello = hello.value
      return checkReady()
    }
    if (handler !== undefined) return handler.onFrame(channel, frame)
    return whenOpenOrClosed.then(() => (isFinished ? undefined : handler?.onFrame(channel, frame)))
  }

  const onSignalSeen = (signal: Signal, value: number): void => {
    if (signal !== 'close' || peerCode !== undefined) return
    peerCode = closeCodeOf(value)
    cancelGrace = clock.after(CLOSE_GRACE_MS / 2, () => finishAndHangUp(peerCode ?? 'lost'))
  }

  const onSignal = (channel: Channel, signal: Signal): void => {
    if (signal === 'close') {
      closedByPeer.add(channel)
      if (closedByPeer.size < streams.size) return
      announcePeerClosed()
      finishAndHangUp(peerCode ?? 'lost')
    } else if (signal === 'keepalive') keepalive?.received()
    else if (signal === 'probe') answerProbe()
    else for (const answer of probes) answer(true)
  }

  /** A signal on `control` whose failure needs no answer: the stream's end is noticed by itself. */
  const whisper = (signal: Signal): void => {
    streams
      .get('control')
      ?.signal(signal)
      .catch(() => undefined)
  }

  /** One answer on its way answers every probe before it: a peer that asks and does not read leaves nothing waiting here. */
  const answerProbe = (): void => {
    const control = streams.get('control')
    if (isAnswering || control === undefined) return
    isAnswering = true
    control
      .signal('probe-answer')
      .catch(() => undefined) // see whisper
      .finally(() => (isAnswering = false))
  }

  const link: Link = {
    connection,
    peer,
    dialler: outbound ? options.self : peer,
    path: linkPathOf(connection.remoteAddr.toString()),
    outbound,
    closed: closed.signal,
    addStream(channel, stream) {
      streams.set(
        channel,
        createFramedStream({
          stream,
          maxFrameBytes: MAX_FRAME_BYTES,
          onFrame: frame => {
            keepalive?.heard()
            return onFrame(channel, frame)
          },
          onSignal: signal => onSignal(channel, signal),
          onSignalSeen,
          onFailure: (code, error) => {
            options.logger?.warn('link-failed', { peer, channel, code, error: error instanceof Error ? error.message : undefined })
            void close(code)
          },
          onEnded: () => finishAndHangUp(peerCode ?? 'lost'),
        }),
      )
      checkReady()
    },
    sayHello: async hello => streams.get('control')?.send(encodeHello(hello)),
    open(onLink) {
      openedAt = clock.monotonic()
      keepalive = createKeepalive({ clock, holdsToken: outbound, send: () => whisper('keepalive'), onDead: () => void close('lost') })
      try {
        handler = onLink(link)
      } catch (error) {
        options.logger?.error('link-handler-failed', { peer, error: String(error) })
        void close('internal-error')
      }
      announceOpen()
    },
    send(channel, frame) {
      if (frame.length > MAX_FRAME_BYTES) return Promise.reject(new RangeError(`a frame has at most ${MAX_FRAME_BYTES} bytes`))
      const stream = streams.get(channel)
      if (isFinished || stream === undefined) return Promise.reject(closed.signal.reason ?? new SegueError('LINK_CLOSED'))
      return stream.send(frame).catch(() => {
        throw closed.signal.reason ?? new SegueError('LINK_CLOSED')
      })
    },
    pending: channel => streams.get(channel)?.pending() ?? 0,
    probe(ms) {
      if (isFinished) return Promise.resolve(false)
      return new Promise(resolve => {
        const answer = (isAlive: boolean): void => {
          cancel()
          probes.delete(answer)
          resolve(isAlive)
        }
        const cancel = clock.after(ms, () => answer(false))
        probes.add(answer)
        whisper('probe')
      })
    },
    close,
  }
  connection.addEventListener('close', () => finishAndHangUp(peerCode ?? 'lost'))
  return link
}

const ERROR_OF: Readonly<Record<CloseCode, ErrorCode>> = {
  done: 'LINK_CLOSED',
  'malformed-frame': 'FRAME_INVALID',
  'frame-too-large': 'FRAME_TOO_LARGE',
  'version-unsupported': 'VERSION_UNSUPPORTED',
  'not-a-member': 'NOT_A_MEMBER',
  duplicate: 'LINK_CLOSED',
  'shutting-down': 'LINK_CLOSED',
  'too-slow': 'LINK_CLOSED',
  'internal-error': 'LINK_CLOSED',
  'same-key-twice': 'LINK_CLOSED',
  'too-many': 'LINK_CLOSED',
  lost: 'LINK_CLOSED',
}
