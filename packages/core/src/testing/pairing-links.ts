/**
 * A pairing stream in memory: two ends, a queue each way, and a test in the middle that may let frames through, drop, change
 * or reorder them, or cut the line. Nothing moves by time.
 */
import { SegueError } from '../lib/errors.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { PairingLink } from '../ports/pairing-link.ts'
import { MAX_PAIRING_FRAME_BYTES } from '../wire/limits.ts'

/** What becomes of a frame on its way: the frames that arrive instead, in order. `[frame]` lets it through, `[]` drops it. */
export type OnTheWay = (frame: Uint8Array, index: number) => readonly Uint8Array[]

export interface PairingLinkPair {
  readonly a: PairingLink
  readonly b: PairingLink
  /** Every frame as sent, before anything was done to it. */
  readonly sent: { readonly byA: readonly Uint8Array[]; readonly byB: readonly Uint8Array[] }
  /** From now on; frames already waiting at an end stay. */
  fromA(onTheWay: OnTheWay): void
  fromB(onTheWay: OnTheWay): void
  /** Delivers a frame that nobody sent. */
  inject(to: 'a' | 'b', frame: Uint8Array): void
  /** The connection breaks: both ends reject from now on, frames not yet read are lost. */
  cut(): void
}

/** `a` and `b` are the devices at the ends, proven as Noise would. */
export function createPairingLinks({ a, b }: { readonly a: DeviceId; readonly b: DeviceId }): PairingLinkPair {
  const sent = { byA: [] as Uint8Array[], byB: [] as Uint8Array[] }
  const ways: { fromA: OnTheWay; fromB: OnTheWay } = { fromA: frame => [frame], fromB: frame => [frame] }
  const toA = createQueue()
  const toB = createQueue()
  const cut = (): void => {
    toA.end(true)
    toB.end(true)
  }
  /** A closed end lets the other one read what is on its way, as a stream does. */
  const close = async (): Promise<void> => {
    toA.end(false)
    toB.end(false)
  }
  const endOf = (self: DeviceId, peer: DeviceId, own: Queue, other: Queue, name: 'A' | 'B'): PairingLink => ({
    self,
    peer,
    async send(frame) {
      if (frame.length > MAX_PAIRING_FRAME_BYTES) throw new RangeError('frame too large')
      if (other.isEnded()) throw new SegueError('LINK_CLOSED')
      const copy = frame.slice()
      const before = sent[`by${name}`]
      before.push(copy)
      for (const arriving of ways[`from${name}`](copy, before.length - 1)) other.push(arriving)
    },
    receive: ({ signal } = {}) => own.next(signal),
    close,
  })
  return {
    a: endOf(a, b, toA, toB, 'A'),
    b: endOf(b, a, toB, toA, 'B'),
    sent,
    fromA: onTheWay => void (ways.fromA = onTheWay),
    fromB: onTheWay => void (ways.fromB = onTheWay),
    inject: (to, frame) => (to === 'a' ? toA : toB).push(frame),
    cut,
  }
}

interface Queue {
  push(frame: Uint8Array): void
  next(signal: AbortSignal | undefined): Promise<Uint8Array>
  end(isLost: boolean): void
  isEnded(): boolean
}

function createQueue(): Queue {
  const frames: Uint8Array[] = []
  const waiting = new Set<() => void>()
  let isEnded = false
  const wake = (): void => {
    for (const listener of [...waiting]) listener()
  }
  return {
    push(frame) {
      if (isEnded) return
      frames.push(frame)
      wake()
    },
    end(isLost) {
      isEnded = true
      if (isLost) frames.length = 0
      wake()
    },
    isEnded: () => isEnded,
    next(signal) {
      return new Promise((resolve, reject) => {
        const tryNow = (): void => {
          const frame = signal?.aborted === true ? undefined : frames.shift()
          if (frame === undefined && signal?.aborted !== true && !isEnded) return
          waiting.delete(tryNow)
          signal?.removeEventListener('abort', tryNow)
          if (frame !== undefined) resolve(frame)
          else reject(signal?.aborted === true ? signal.reason : new SegueError('LINK_CLOSED'))
        }
        waiting.add(tryNow)
        signal?.addEventListener('abort', tryNow, { once: true })
        tryNow()
      })
    },
  }
}
