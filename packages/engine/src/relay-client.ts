/** Talks to a relay about accounts, mailboxes and member lists: one stream, requests in turn (core's wire/relay-messages.ts). */
import {
  ANSWER_TO,
  RELAY_PROTOCOL,
  SECOND_MS,
  SegueError,
  decodeRelayAnswer,
  encodeRelayRequest,
  relayRefusalCode,
  type DeviceId,
  type RelayAnswer,
  type RelayRequest,
  type RelayRequestType,
} from '@segue/core'
import type { Clock, PairingLink } from '@segue/core/ports'
import type { NetNode } from '@segue/net'

export interface RelayPlace {
  readonly id: DeviceId
  /** Multiaddrs. */
  readonly addresses: readonly string[]
}

/** Rejects with SegueError: what the relay's refusal means (RELAY_*), UNREACHABLE, LINK_CLOSED, FRAME_INVALID, TIMED_OUT. */
export type AskRelay = <Type extends RelayRequestType>(
  request: Extract<RelayRequest, { type: Type }>,
) => Promise<Extract<RelayAnswer, { type: (typeof ANSWER_TO)[Type] }>>

/** Dials the relay for as long as `talk` takes. */
export async function talkToRelay<Outcome>(
  { node, clock, signal }: { readonly node: NetNode; readonly clock: Clock; readonly signal: AbortSignal },
  { id, addresses }: RelayPlace,
  talk: (ask: AskRelay) => Promise<Outcome>,
): Promise<Outcome> {
  const late = new AbortController()
  const cancel = clock.after(TALK_DEADLINE_MS, () => late.abort(new SegueError('TIMED_OUT')))
  const ending = AbortSignal.any([signal, late.signal])
  let link: PairingLink | undefined
  try {
    const open = await node.dial(RELAY_PROTOCOL, { device: id, addresses, anywhere: true }, { signal: ending })
    link = open
    return await talk(async request => {
      await open.send(encodeRelayRequest(request))
      const answer = decodeRelayAnswer(await open.receive({ signal: ending }))
      if (!answer.ok) throw new SegueError('FRAME_INVALID')
      if (answer.value.type === 'refused') throw new SegueError(relayRefusalCode(answer.value.why))
      if (answer.value.type !== ANSWER_TO[request.type]) throw new SegueError('FRAME_INVALID')
      return answer.value as never
    })
  } finally {
    cancel()
    await link?.close()
  }
}

const TALK_DEADLINE_MS: number = 20 * SECOND_MS
