/**
 * `/segue/rendezvous/1`, the relay's side; core's wire/rendezvous-messages.ts describes it. Members open places, strangers who know a topic
 * come there, and what one says is handed to the other. Nothing is stored: each side is read only as fast as the other takes it. All of it
 * is bounded: places, guests, messages, their rate, and time.
 */
import {
  MAX_RENDEZVOUS_GUESTS,
  RENDEZVOUS_MS,
  SECOND_MS,
  SegueError,
  decodeRendezvousMessage,
  encodeRendezvousMessage,
} from '@segue/core/sealed'
import { publicKeyOf, toHex, type DeviceId, type RendezvousMessage, type RendezvousRefusal } from '@segue/core/sealed'
import type { Clock, Logger, PairingLink } from '@segue/core/ports'

export interface RendezvousOptions {
  /** Whose member it is; undefined for who is nobody's. */
  readonly accountOf: (peer: DeviceId) => DeviceId | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly isDraining: () => boolean
  readonly limits?: Partial<RendezvousLimits>
}

export interface RendezvousLimits {
  readonly places: number
  readonly placesOfOne: number
  /** Of all devices of one account, and the guests in them at one time: keys cost nothing, an account can have any number of devices. */
  readonly placesOfAccount: number
  readonly guestsOfAccount: number
  /** In one place at one time, and in all. */
  readonly guests: number
  readonly guestsEver: number
  readonly guestsOfAll: number
  /** Of one guest, each way: in all, at once, and in a second from then on. */
  readonly messages: number
  readonly burst: number
  readonly perSecond: number
}

/** A group's log of a thousand entries is about 150 messages. */
export const RENDEZVOUS_LIMITS: RendezvousLimits = {
  places: 1_024,
  placesOfOne: 2,
  placesOfAccount: 16,
  guestsOfAccount: 16,
  guests: 4,
  guestsEver: 32,
  guestsOfAll: 128,
  messages: 4_096,
  burst: 256,
  perSecond: 64,
}

export interface Rendezvous {
  readonly onStream: (link: PairingLink, stay: (ms: number) => void) => void
  /** Open at the moment. */
  places(): number
}

export function createRendezvous(options: RendezvousOptions): Rendezvous {
  const { clock } = options
  const limits = { ...RENDEZVOUS_LIMITS, ...options.limits }
  const places = new Map<string, Place>()
  let guestsOfAll = 0

  const placesOf = (account: DeviceId): readonly Place[] => [...places.values()].filter(place => place.account === account)

  const host = async (link: PairingLink, topic: string, stay: (ms: number) => void): Promise<void> => {
    const before = places.get(topic)
    const own = [...places.values()].filter(place => place.host.peer === link.peer && place !== before)
    if (options.isDraining()) return refuse(link, 'draining')
    const account = options.accountOf(link.peer)
    if (account === undefined) return refuse(link, 'not-yours')
    if (before !== undefined && before.host.peer !== link.peer) return refuse(link, 'busy')
    if (before !== undefined) end(topic, before) // the same device, which lost the stream
    const isFull = places.size >= limits.places || placesOf(account).length >= limits.placesOfAccount
    if (isFull || own.length >= limits.placesOfOne) return refuse(link, 'busy')
    stay(RENDEZVOUS_MS)
    const place: Place = { host: link, account, guests: new Map(), guestsEver: 0 }
    places.set(topic, place)
    const cancel = clock.after(RENDEZVOUS_MS, () => end(topic, place))
    try {
      await say(link, { v: 1, type: 'opened' })
      for (;;) {
        const message = await hear(link)
        const guest = 'guest' in message ? place.guests.get(message.guest) : undefined
        if (message.type === 'left') guest?.leave()
        else if (message.type === 'message') await guest?.take(message.body)
        else throw new SegueError('FRAME_INVALID')
      }
    } finally {
      cancel()
      end(topic, place)
    }
  }

  const end = (topic: string, place: Place): void => {
    if (places.get(topic) === place) places.delete(topic)
    for (const guest of place.guests.values()) guest.leave()
    void place.host.close()
  }

  const visit = async (link: PairingLink, topic: string, stay: (ms: number) => void): Promise<void> => {
    const place = places.get(topic)
    if (place === undefined) return refuse(link, options.isDraining() ? 'draining' : 'unknown')
    const isFull = place.guests.size >= limits.guests || place.guestsEver >= Math.min(limits.guestsEver, MAX_RENDEZVOUS_GUESTS)
    const guestsOfAccount = placesOf(place.account).reduce((sum, { guests }) => sum + guests.size, 0)
    if (isFull || guestsOfAccount >= limits.guestsOfAccount || guestsOfAll >= limits.guestsOfAll) return refuse(link, 'busy')
    stay(RENDEZVOUS_MS)
    const number = ++place.guestsEver
    const [there, back] = [createRate(clock, limits), createRate(clock, limits)]
    const gone = new AbortController()
    const leave = (): void => {
      gone.abort(new SegueError('LINK_CLOSED'))
      void link.close()
    }
    guestsOfAll++
    place.guests.set(number, {
      leave,
      async take(body) {
        // A guest that does not read holds up the host's other guests for so long, and no longer.
        const isTaken = await within(clock, SLOW_MS, async () => {
          await back(gone.signal)
          await say(link, { v: 1, type: 'message', guest: 0, body })
        })
        if (!isTaken) leave()
      },
    })
    try {
      await say(link, { v: 1, type: 'met' })
      await say(place.host, { v: 1, type: 'arrived', guest: number, device: publicKeyOf(link.peer) })
      for (;;) {
        const message = await hear(link, gone.signal)
        if (message.type !== 'message') return
        await there(gone.signal)
        await say(place.host, { v: 1, type: 'message', guest: number, body: message.body })
      }
    } finally {
      guestsOfAll--
      place.guests.delete(number)
      leave()
      await say(place.host, { v: 1, type: 'left', guest: number }).catch(() => undefined) // the host is gone as well
    }
  }

  const converse = async (link: PairingLink, stay: (ms: number) => void): Promise<void> => {
    const first = await hear(link)
    if (first.type === 'open') await host(link, toHex(first.topic), stay)
    else if (first.type === 'meet') await visit(link, toHex(first.topic), stay)
    else await refuse(link, 'malformed')
  }

  return {
    places: () => places.size,
    onStream: (link, stay) =>
      void converse(link, stay)
        .catch((error: unknown) => {
          // That a stream ended, or said something else, is how a conversation ends.
          const isOver = error instanceof SegueError || error instanceof RangeError
          if (!isOver) options.logger.error('rendezvous-failed', { error: String(error) })
        })
        .finally(() => void link.close()),
  }
}

/** How long a guest may take to read one message. */
const SLOW_MS: number = 5 * SECOND_MS

interface Place {
  readonly host: PairingLink
  readonly account: DeviceId
  readonly guests: Map<number, { leave(): void; take(body: Uint8Array): Promise<void> }>
  guestsEver: number
}

/** Waits until one more message is in the rate; rejects when there were too many. */
function createRate(clock: Clock, limits: RendezvousLimits): (signal: AbortSignal) => Promise<void> {
  let room = limits.burst
  let left = limits.messages
  let at = clock.monotonic()
  return async signal => {
    if (left-- <= 0) throw new SegueError('LINK_CLOSED')
    const now = clock.monotonic()
    room = Math.min(limits.burst, room + ((now - at) * limits.perSecond) / SECOND_MS) - 1
    at = now
    if (room < 0) await clock.sleep((-room * SECOND_MS) / limits.perSecond, { signal })
  }
}

async function within(clock: Clock, ms: number, task: () => Promise<void>): Promise<boolean> {
  const over = new AbortController()
  const late = clock.sleep(ms, { signal: over.signal }).then(
    () => false,
    () => false,
  )
  const done = task().then(
    () => true,
    () => false,
  )
  const isDone = await Promise.race([done, late])
  over.abort()
  return isDone
}

async function refuse(link: PairingLink, why: RendezvousRefusal): Promise<void> {
  await say(link, { v: 1, type: 'refused', why })
}

async function hear(link: PairingLink, signal?: AbortSignal): Promise<RendezvousMessage> {
  const message = decodeRendezvousMessage(await link.receive({ signal }))
  if (!message.ok) throw new SegueError('FRAME_INVALID')
  return message.value
}

function say(link: PairingLink, message: RendezvousMessage): Promise<void> {
  return link.send(encodeRendezvousMessage(message))
}
