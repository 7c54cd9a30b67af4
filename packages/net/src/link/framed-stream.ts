/**
 * Frames over one libp2p stream, with back-pressure both ways.
 *
 * Out: frames go one after the other, in pieces, and no piece before the connection can take it; `send` resolves when the last
 * piece was taken. In: `onFrame` is called for one frame at a time; while it works, at most MAX_UNREAD_BYTES and what one read
 * brings are kept here, then the stream is paused and its window stops the sender.
 */
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { concatBytes } from '@segue/core/sealed'
import { MAX_UNREAD_BYTES, PIECE_BYTES } from '../limits.ts'
import { updateWindowRarely } from './window-updates.ts'
import { createFrameReader, encodeHeader, encodeSignal, type Read, type Signal } from './frame-reader.ts'

export interface FramedStream {
  /** Resolves when the connection has taken all of it; rejects with the reason when the stream ended. */
  send(frame: Uint8Array): Promise<void>
  /** Like send, for a signal; waits behind the frames before it. */
  signal(signal: Signal, value?: number): Promise<void>
  /** Bytes of frames handed to send and not yet taken. */
  pending(): number
  /** Ends the stream at once, without a word. */
  abort(reason: Error): void
}

export interface FramedStreamOptions {
  readonly stream: Stream
  readonly maxFrameBytes: number
  onFrame(frame: Uint8Array): Promise<void> | void
  /** Heard in its place between the frames, except `onSignalSeen`, which hears it as soon as it was read. */
  onSignal(signal: Signal, value: number): void
  onSignalSeen?(signal: Signal, value: number): void
  /** The peer broke the framing, or onFrame rejected. Nothing is delivered any more; the caller closes. */
  onFailure(code: 'frame-too-large' | 'malformed-frame' | 'internal-error', error?: unknown): void
  /** Once, when the stream is finished in both directions or broken. */
  onEnded(): void
}

export function createFramedStream(options: FramedStreamOptions): FramedStream {
  const { stream } = options
  updateWindowRarely(stream)
  const reader = createFrameReader(options.maxFrameBytes)
  const unread: Read[] = []
  let unreadBytes = 0
  let isDelivering = false
  let hasFailed = false
  let hasEnded = false
  let endedBecause: Error | undefined
  let outgoing: Promise<void> = Promise.resolve()
  let pendingBytes = 0

  const fail = (code: 'frame-too-large' | 'malformed-frame' | 'internal-error', error?: unknown): void => {
    if (hasFailed) return
    hasFailed = true
    unread.length = 0
    options.onFailure(code, error)
  }

  const onMessage = (event: StreamMessageEvent): void => {
    if (hasFailed) return // read and dropped, so that the peer can read why we close
    const bytes = event.data instanceof Uint8Array ? event.data : event.data.subarray()
    const reads = reader.push(bytes)
    if (!reads.ok) return fail(reads.error)
    for (const read of reads.value) {
      if (read.type === 'signal') options.onSignalSeen?.(read.signal, read.value)
      unreadBytes += costOf(read)
      unread.push(read)
    }
    if (!isDelivering) deliver()
    if (unreadBytes > MAX_UNREAD_BYTES && stream.readStatus === 'readable') stream.pause()
  }

  /** As long as handlers answer at once no promise is made: a keystroke is delivered within the socket's own event. */
  const deliver = (): void => {
    isDelivering = true
    for (let read = unread.shift(); read !== undefined; read = unread.shift()) {
      try {
        if (read.type === 'signal') {
          taken(costOf(read))
          options.onSignal(read.signal, read.value)
          continue
        }
        const size = costOf(read)
        const handled = options.onFrame(read.bytes)
        if (handled instanceof Promise) {
          handled.then(
            () => {
              taken(size)
              deliver()
            },
            (error: unknown) => fail('internal-error', error),
          )
          return // isDelivering stays true
        }
        taken(size)
      } catch (error) {
        return fail('internal-error', error)
      }
    }
    isDelivering = false
  }

  const taken = (size: number): void => {
    unreadBytes -= size
    if (unreadBytes > MAX_UNREAD_BYTES || stream.readStatus !== 'paused') return
    try {
      stream.resume()
    } catch (error) {
      ended(error instanceof Error ? error : new Error(String(error))) // the connection broke meanwhile
    }
  }

  const ended = (error?: Error): void => {
    if (hasEnded) return
    hasEnded = true
    endedBecause = error ?? new Error('the stream ended')
    stream.removeEventListener('message', onMessage)
    options.onEnded()
  }

  const write = async (bytes: Uint8Array | Uint8ArrayList): Promise<void> => {
    if (endedBecause !== undefined) throw endedBecause
    stream.send(bytes)
    while (stream.writableNeedsDrain) await whenDrained(stream)
  }

  const writeFrame = async (frame: Uint8Array): Promise<void> => {
    const first = frame.subarray(0, PIECE_BYTES)
    await write(concatBytes(encodeHeader(frame.length), first))
    for (let offset = first.length; offset < frame.length; offset += PIECE_BYTES) {
      await write(new Uint8ArrayList(frame.subarray(offset, offset + PIECE_BYTES)))
    }
  }

  /** One write after the other; the failure of one ends the stream, so it is everybody's. */
  const enqueue = (task: () => Promise<void>): Promise<void> => {
    outgoing = outgoing.then(task)
    outgoing.catch(() => undefined) // each caller has its own promise
    return outgoing
  }

  /** Segue never half-closes: when the peer has said its last word and it was read, the stream is over. */
  const onLastWord = (): void => {
    if (stream.readBufferLength === 0) ended()
    else stream.addEventListener('end', () => ended(), { once: true })
  }
  stream.addEventListener('close', event => ended(event.error))
  stream.addEventListener('remoteCloseWrite', onLastWord)
  stream.addEventListener('message', onMessage)
  // All of that may have happened before the stream was given to us; then no event tells.
  if (stream.status !== 'open') queueMicrotask(() => ended())
  else if (stream.remoteWriteStatus === 'closed') queueMicrotask(onLastWord)

  return {
    send(frame) {
      pendingBytes += frame.length
      return enqueue(() => writeFrame(frame)).finally(() => {
        pendingBytes -= frame.length
      })
    },
    signal: (signal, value = 0) => enqueue(() => write(encodeSignal(signal, value))),
    pending: () => pendingBytes,
    abort(reason) {
      stream.abort(reason)
      ended(reason)
    },
  }
}

/** Four bytes on the wire, a signal or an empty frame, are this much in memory: counted by content alone they would cost nothing. */
const READ_OVERHEAD_BYTES = 64

function costOf(read: Read): number {
  return READ_OVERHEAD_BYTES + (read.type === 'frame' ? read.bytes.length : 0)
}

/** Like stream.onDrain(), whose promise is made once and stays resolved: waited for a second time it spins without end (libp2p 3.3). */
export function whenDrained(stream: Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      stream.removeEventListener('drain', onDrain)
      stream.removeEventListener('close', onClose)
    }
    const onDrain = (): void => {
      stop()
      resolve()
    }
    const onClose = (): void => {
      stop()
      reject(new Error('the stream ended'))
    }
    stream.addEventListener('drain', onDrain)
    stream.addEventListener('close', onClose)
  })
}
