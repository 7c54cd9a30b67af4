/**
 * The relay's part of libp2p's circuit relay v2: it carries bytes between two peers that cannot dial each other, and sees none of what is
 * in them, because the two speak Noise through it. Who may reach whom is asked for every circuit. A circuit has no end of its own: it
 * lives as long as both connections. What one device moves through all its circuits is held to a rate, and what the reader has not
 * taken holds back the writer, so that neither fast nor slow peers cost the others anything.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { SegueError, type DeviceId } from '@segue/core/sealed'
import type { Clock, Logger } from '@segue/core/ports'
import { whenDrained } from '../link/framed-stream.ts'
import { updateWindowRarely } from '../link/window-updates.ts'
import { CIRCUIT_BURST_BYTES, CIRCUIT_BYTES_PER_SECOND, CIRCUIT_DEADLINE_MS, MAX_CIRCUITS } from '../limits.ts'
import { encodeHopStatus, encodeStopConnect, decodeHopRequest, isStopAgreed } from './hop-messages.ts'
import { MAX_CIRCUIT_MESSAGE_BYTES, STOP_PROTOCOL, type CircuitStatus } from './hop-messages.ts'

/** For a node that carries the traffic of others. */
export interface CircuitServing {
  /** Asked when the circuit is made. */
  readonly mayReach: (from: DeviceId, to: DeviceId) => boolean
  /** Of all circuits of the device that asked for them, both ways. */
  readonly bytesPerSecond?: number
  /** Of one device at one time. */
  readonly maxCircuits?: number
  readonly onCircuits?: (difference: 1 | -1) => void
}

export interface CircuitServerOptions extends CircuitServing {
  readonly isMember: (peer: DeviceId) => boolean
  readonly clock: Clock
  readonly logger?: Logger | undefined
}

/** Handles streams of HOP_PROTOCOL. */
export function createCircuitServer(options: CircuitServerOptions): (stream: Stream, connection: Connection) => void {
  const { clock, bytesPerSecond = CIRCUIT_BYTES_PER_SECOND, maxCircuits = MAX_CIRCUITS } = options
  /** Over which connection a device wants to be reached: the last one it said so on. */
  const reserved = new Map<DeviceId, Connection>()
  const senders = new Map<DeviceId, Sender>()

  const senderOf = (device: DeviceId): Sender => {
    const known = senders.get(device) ?? { circuits: 0, bucket: createBucket(clock, bytesPerSecond) }
    senders.set(device, known)
    return known
  }
  const leave = (device: DeviceId, sender: Sender): void => {
    sender.circuits--
    if (sender.circuits === 0) senders.delete(device)
    options.onCircuits?.(-1)
  }

  const reserve = (device: DeviceId, connection: Connection): void => {
    if (reserved.get(device) === connection) return
    reserved.set(device, connection)
    connection.addEventListener('close', () => {
      if (reserved.get(device) === connection) reserved.delete(device)
    })
  }

  /** The stream to `to`, once it agreed. */
  const ask = async (from: DeviceId, to: Connection, signal: AbortSignal): Promise<Stream | undefined> => {
    const stream = await to.newStream(STOP_PROTOCOL, { signal })
    try {
      const messages = lpStream(stream, { maxDataLength: MAX_CIRCUIT_MESSAGE_BYTES })
      await messages.write(encodeStopConnect(from), { signal })
      const isAgreed = isStopAgreed((await messages.read({ signal })).subarray())
      if (isAgreed) return messages.unwrap()
      stream.abort(new Error('not agreed'))
      return undefined
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  const connect = async (from: DeviceId, to: DeviceId, signal: AbortSignal): Promise<Stream | CircuitStatus> => {
    if (from === to || !options.isMember(to) || !options.mayReach(from, to)) return 'permission-denied'
    const connection = reserved.get(to)
    if (connection === undefined || connection.status !== 'open') return 'no-reservation'
    try {
      return (await ask(from, connection, signal)) ?? 'connection-failed'
    } catch (error) {
      options.logger?.info('circuit-not-made', { error: String(error) })
      return 'connection-failed'
    }
  }

  const answer = async (stream: Stream, connection: Connection): Promise<void> => {
    const peer = connection.remotePeer.toString() as DeviceId
    const late = new AbortController()
    const cancel = clock.after(CIRCUIT_DEADLINE_MS, () => late.abort(new SegueError('TIMED_OUT')))
    const { signal } = late
    try {
      const messages = lpStream(stream, { maxDataLength: MAX_CIRCUIT_MESSAGE_BYTES })
      const refuse = async (status: CircuitStatus): Promise<void> => {
        await messages.write(encodeHopStatus(status), { signal })
        await stream.close({ signal })
      }
      const request = decodeHopRequest((await messages.read({ signal })).subarray())
      if (request === undefined) return await refuse('malformed')
      if (!options.isMember(peer)) return await refuse('permission-denied') // no longer: it was when the stream came
      if (request.type === 'reserve') {
        reserve(peer, connection)
        await messages.write(encodeHopStatus('ok', { expiresAtSeconds: NEVER_SECONDS }), { signal })
        return await stream.close({ signal })
      }
      const sender = senderOf(peer)
      if (sender.circuits >= maxCircuits) return await refuse('resource-limit')
      sender.circuits++ // counted before the wait, or all of many asked for at once would find room
      options.onCircuits?.(1)
      const target = await connect(peer, request.to, signal)
      if (typeof target === 'string') {
        leave(peer, sender)
        return await refuse(target)
      }
      let isOver = false
      const end = (error?: Error): void => {
        if (isOver) return
        isOver = true
        leave(peer, sender)
        const reason = error ?? new Error('the circuit is over')
        for (const side of [stream, target]) side.abort(reason)
      }
      await messages.write(encodeHopStatus('ok'), { signal }).catch((error: unknown) => {
        end()
        throw error
      })
      pour(messages.unwrap(), target, sender.bucket, clock, end)
      pour(target, stream, sender.bucket, clock, end)
    } finally {
      cancel()
    }
  }

  return (stream, connection) => {
    answer(stream, connection).catch((error: unknown) => {
      options.logger?.debug('circuit-request-failed', { error: String(error) })
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    })
  }
}

/** A reservation ends with its connection and with nothing else: clocks that differ must not matter. The last second of the year 9999. */
const NEVER_SECONDS = 253_402_300_799

interface Sender {
  circuits: number
  readonly bucket: Bucket
}

/** How long to wait after so many bytes. */
type Bucket = (bytes: number) => number

function createBucket(clock: Clock, bytesPerSecond: number): Bucket {
  let room = CIRCUIT_BURST_BYTES
  let at = clock.monotonic()
  return bytes => {
    const now = clock.monotonic()
    room = Math.min(CIRCUIT_BURST_BYTES, room + ((now - at) * bytesPerSecond) / 1_000) - bytes
    at = now
    return room >= 0 ? 0 : (-room * 1_000) / bytesPerSecond
  }
}

function pour(from: Stream, to: Stream, bucket: Bucket, clock: Clock, onEnd: (error?: Error) => void): void {
  updateWindowRarely(from) // else it grants room while it is paused
  const over = new AbortController()
  const end = (error?: Error): void => {
    over.abort()
    onEnd(error)
  }
  const wait = async (ms: number): Promise<void> => {
    if (to.writableNeedsDrain) await whenDrained(to)
    if (ms > 0) await clock.sleep(ms, { signal: over.signal })
    if (from.readStatus === 'paused') from.resume()
  }
  /** What throws in a listener ends the process: a side that breaks while it is written to ends its circuit only. */
  const give = (data: Parameters<Stream['send']>[0]): boolean => {
    try {
      return to.send(data)
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)))
      return true
    }
  }
  from.addEventListener('message', ({ data }) => {
    if (to.writeStatus !== 'writable') return
    const ms = bucket(data.byteLength)
    if (give(data) && ms === 0) return
    if (from.readStatus !== 'readable') return
    from.pause()
    wait(ms).catch(() => end()) // a side is gone
  })
  // Half a circuit is of no use: Noise and the muxer at the ends need both ways. What came before the end is sent first.
  const finish = (): void => {
    to.close().then(
      () => end(),
      () => end(),
    )
  }
  from.addEventListener('remoteCloseWrite', () => {
    if (from.readBufferLength === 0) finish()
    else from.addEventListener('end', finish, { once: true })
  })
  from.addEventListener('close', event => end(event.error))
}
