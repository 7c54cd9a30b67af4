/** A pairing or proof stream as core's PairingLink: small frames, read one at a time by whoever runs the exchange. */
import type { Connection, Stream } from '@libp2p/interface'
import { MAX_PAIRING_FRAME_BYTES, SegueError } from '@segue/core/sealed'
import type { DeviceId, ErrorCode } from '@segue/core/sealed'
import type { Clock, PairingLink } from '@segue/core/ports'
import { createFramedStream } from '../link/framed-stream.ts'

export interface PairingStreamOptions {
  readonly stream: Stream
  readonly connection: Connection
  readonly self: DeviceId
  readonly clock: Clock
  readonly maxFrameBytes?: number | undefined
  /** Once, when the stream is over, however it ended. */
  onEnded(): void
}

interface Reader {
  resolve(frame: Uint8Array): void
  reject(reason: unknown): void
}

export function createPairingLink(options: PairingStreamOptions): PairingLink {
  const { stream, maxFrameBytes = MAX_PAIRING_FRAME_BYTES } = options
  const arrived: { readonly frame: Uint8Array; readonly taken: () => void }[] = []
  const readers: Reader[] = []
  let endedWith: SegueError | undefined

  const end = (code: ErrorCode): void => {
    if (endedWith !== undefined) return
    endedWith = new SegueError(code)
    for (const reader of readers.splice(0)) reader.reject(endedWith)
    options.onEnded()
  }

  const framed = createFramedStream({
    stream,
    maxFrameBytes,
    onFrame(frame) {
      const reader = readers.shift()
      if (reader !== undefined) return reader.resolve(frame)
      // Nobody asked yet: the promise holds back the frames after this one, and so the sender.
      return new Promise<void>(taken => arrived.push({ frame, taken }))
    },
    onSignal(signal) {
      if (signal === 'close') end('LINK_CLOSED')
    },
    onFailure(code) {
      end(code === 'frame-too-large' ? 'FRAME_TOO_LARGE' : 'FRAME_INVALID')
      framed.abort(new Error(code))
    },
    onEnded: () => end('LINK_CLOSED'),
  })

  return {
    peer: options.connection.remotePeer.toString() as DeviceId,
    self: options.self,
    send(frame) {
      if (frame.length > maxFrameBytes) return Promise.reject(new RangeError(`a frame has at most ${maxFrameBytes} bytes`))
      if (endedWith !== undefined) return Promise.reject(endedWith)
      return framed.send(frame).catch((error: unknown) => {
        throw endedWith ?? new SegueError('LINK_CLOSED', {}, { cause: error })
      })
    },
    receive({ signal } = {}) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const waiting = arrived.shift()
        if (waiting !== undefined) {
          waiting.taken()
          return resolve(waiting.frame)
        }
        if (endedWith !== undefined) return reject(endedWith)
        const onAbort = (): void => {
          readers.splice(readers.indexOf(reader), 1)
          reject(signal?.reason)
        }
        const reader: Reader = {
          resolve(frame) {
            signal?.removeEventListener('abort', onAbort)
            resolve(frame)
          },
          reject(reason) {
            signal?.removeEventListener('abort', onAbort)
            reject(reason)
          },
        }
        readers.push(reader)
        signal?.addEventListener('abort', onAbort, { once: true })
      })
    },
    async close() {
      if (endedWith === undefined) {
        // Behind everything sent before; then the stream is finished on this side.
        await framed.signal('close').catch(() => undefined) // broken already: closed is what was asked for
        await stream.close({ signal: closeDeadline(options.clock) }).catch(() => framed.abort(new Error('the peer does not read')))
      }
      end('LINK_CLOSED')
    },
  }
}

function closeDeadline(clock: Clock): AbortSignal {
  const deadline = new AbortController()
  clock.after(CLOSE_MS, () => deadline.abort(new SegueError('TIMED_OUT')))
  return deadline.signal
}

const CLOSE_MS = 1_000
