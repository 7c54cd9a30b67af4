/** Pairing across networks, for both: the place on a relay that the shower keeps open, and the way of the new device to it. */
import {
  MINUTE_MS,
  RENDEZVOUS_PROTOCOL,
  SECOND_MS,
  SegueError,
  isDeviceId,
  meetAt,
  openMeetingPlace,
  type PairingTarget,
} from '@segue/core'
import type { Clock, Logger, PairingLink } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import type { RelayPlace } from './relay-client.ts'

interface Parts {
  readonly node: NetNode
  readonly clock: Clock
  readonly logger: Logger
}

/** What the code says of a relay: one address, with the relay's id. Undefined for a relay that no code can name. */
export function relayHintOf({ id, addresses }: RelayPlace): string | undefined {
  const [address] = addresses
  return address === undefined ? undefined : `${address.replace(/\/p2p\/[^/]+$/, '')}/p2p/${id}`
}

/** Keeps the place open until `signal` aborts, also when the relay restarts. */
export async function keepMeetingPlace(
  { node, clock, logger }: Parts,
  {
    relay,
    topic,
    onGuest,
    onOpen,
    signal,
  }: {
    readonly relay: RelayPlace
    readonly topic: Uint8Array
    readonly onGuest: (link: PairingLink) => void
    readonly onOpen: () => void
    readonly signal: AbortSignal
  },
): Promise<void> {
  for (let waitMs = AGAIN_FIRST_MS; !signal.aborted; waitMs = Math.min(2 * waitMs, AGAIN_MAX_MS)) {
    try {
      const link = await node.dial(RENDEZVOUS_PROTOCOL, { device: relay.id, addresses: relay.addresses, anywhere: true }, { signal })
      const close = (): void => void link.close()
      signal.addEventListener('abort', close, { once: true })
      const place = await openMeetingPlace(link, { topic, signal, onGuest }).catch(async (error: unknown) => {
        await link.close()
        throw error
      })
      waitMs = AGAIN_FIRST_MS
      onOpen()
      await place.over
      signal.removeEventListener('abort', close)
    } catch (error) {
      if (signal.aborted) return
      logger.info('meeting-place-not-open', { error: String(error) })
    }
    await clock.sleep(waitMs, { signal }).catch(() => undefined) // aborted: the loop sees it
  }
}

/**
 * Dials the device that shows the code: where it says that it is; when nothing of that answers for a moment, on the relay that it names.
 * Rejects as the direct dial does when there is no relay, and with what the relay said when both fail.
 */
export async function dialOrMeet(
  { node, clock }: Parts,
  { device, addresses, meeting }: PairingTarget,
  { signal }: { readonly signal: AbortSignal },
): Promise<PairingLink> {
  const place = meeting && placeOf(meeting.relay)
  if (meeting === undefined || place === undefined) return node.pairing.dial({ device, addresses }, { signal })
  const over = new AbortController()
  const racing = AbortSignal.any([signal, over.signal])
  const won = (link: PairingLink): PairingLink => {
    if (over.signal.aborted) {
      void link.close()
      throw new SegueError('CANCELLED')
    }
    over.abort(new SegueError('CANCELLED'))
    return link
  }
  const direct = node.pairing.dial({ device, addresses }, { signal: racing }).then(won)
  const directFailed = direct.then(
    () => undefined,
    () => undefined,
  )
  const remote = async (): Promise<PairingLink> => {
    await Promise.race([directFailed, clock.sleep(DIRECT_FIRST_MS, { signal: racing })])
    racing.throwIfAborted()
    for (let tries = 1; ; tries++) {
      try {
        return won(await meet())
      } catch (error) {
        racing.throwIfAborted()
        if (tries === MEETING_TRIES) throw error
        await clock.sleep(AGAIN_FIRST_MS, { signal: racing }) // the relay restarted, or the other is about to open the place again
      }
    }
  }
  const meet = async (): Promise<PairingLink> => {
    const link = await node.dial(RENDEZVOUS_PROTOCOL, { device: place.id, addresses: place.addresses, anywhere: true }, { signal: racing })
    const close = (): void => void link.close()
    racing.addEventListener('abort', close, { once: true })
    try {
      return await meetAt(link, { topic: meeting.topic, host: device, signal: racing })
    } catch (error) {
      await link.close()
      throw error
    } finally {
      racing.removeEventListener('abort', close)
    }
  }
  const met = remote()
  try {
    return await Promise.any([direct, met])
  } catch {
    signal.throwIfAborted()
    return met // it rejects, and says more than that no address answered
  }
}

/** Who is on the same network answers within this; over a relay the person is asked twice, so it is worth the wait. */
const DIRECT_FIRST_MS: number = 3 * SECOND_MS
const MEETING_TRIES = 4
const AGAIN_FIRST_MS: number = SECOND_MS
const AGAIN_MAX_MS: number = MINUTE_MS / 2

function placeOf(hint: string): RelayPlace | undefined {
  const [, id] = /\/p2p\/([^/]+)$/.exec(hint) ?? []
  return id !== undefined && isDeviceId(id) ? { id, addresses: [hint.replace(/\/p2p\/[^/]+$/, '')] } : undefined
}
