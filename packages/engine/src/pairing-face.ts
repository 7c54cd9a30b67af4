/** Pairing as apps see it: core's conversation over the node's door, with pictures of the code and the disk before every promise. */
import { platform } from 'node:os'
import {
  createInviter,
  isSegueError,
  join,
  MINUTE_MS,
  SegueError,
  type Closeable,
  type DeviceIdentity,
  type ErrorCode,
  type Joined,
  type JoinInvitation,
  type TelemetryEvent,
} from '@segue/core'
import type { Clock, Logger, PairingLink, Random, TelemetrySink } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import { previewOf } from './adoption/adoption.ts'
import type { AdoptionWay } from './adoption/way.ts'
import { dialOrMeet, keepMeetingPlace, relayHintOf } from './meeting.ts'
import { createPairingQr } from './pairing-images.ts'
import type { RelayPlace } from './relay-client.ts'
import type { PersonCheck } from './person.ts'
import type { Runtime } from './runtime.ts'
import type { Invitation, JoinOptions, JoinOutcome, Pairing } from './segue.ts'

export interface PairingParts {
  readonly node: NetNode
  readonly identity: DeviceIdentity
  readonly person: Pick<PersonCheck, 'confirmPassphrase'>
  readonly name: () => string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly telemetry: TelemetrySink<TelemetryEvent>
  readonly runtime: () => Runtime
  /** From the group that it is still in: it cannot leave that behind and stay the same device. */
  readonly isRemoved: () => boolean
  /** A relay to meet at devices that are on another network. */
  readonly relay: () => RelayPlace | undefined
  /** Writes the joined group to disk, all or nothing. */
  readonly keep: (joined: Joined, beside?: ReadonlyMap<string, Uint8Array>) => Promise<void>
  /** The joined group is on disk: go over to it. May reject; then this device is in it when it is opened again. */
  readonly enter: (joined: Joined) => Promise<void>
  readonly adoption: AdoptionWay
}

export function createPairing(parts: PairingParts): Pairing & Closeable {
  const { node, identity, clock, random, logger, telemetry, runtime } = parts
  let shown: Invitation | undefined
  let joinings = 0
  const prepare = async (current: Runtime, adopt: JoinOptions['adopt']): Promise<void> => {
    const isWanted = (await adopt?.(await previewOf(current, identity.id))) ?? false
    if (!isWanted) throw new SegueError('CANCELLED')
    await parts.adoption.prepare(current)
  }

  const pairing: Pairing = {
    nearby: node.pairing.nearby,
    adopted: parts.adoption.outcome,
    preview: async () => (hasWorkOrCompany(runtime()) ? previewOf(runtime(), identity.id) : undefined),
    async invite({ remote = true, ...options } = {}) {
      await shown?.close()
      const { group, keeper } = runtime()
      const relay = remote ? parts.relay() : undefined
      const hint = relay && relayHintOf(relay)
      const inviter = createInviter({
        identity,
        group,
        clock,
        random,
        telemetry,
        addresses: node.addresses.peek(),
        ...(hint === undefined ? {} : { relay: hint }),
        keep: entry => keeper.keep(entry),
        ...options,
      })
      const [meeting, opened] = [new AbortController(), new AbortController()]
      const closeDoor = node.pairing.open(options.nearby === false ? undefined : parts.name(), link => {
        accept(link, false)
      })
      const accept = (link: PairingLink, isRemote: boolean): void => {
        inviter.accept(link, { isRemote }).catch((error: unknown) => logger.warn('pairing-broken', { error: String(error) }))
      }
      const closeRemoteDoor = (): void => meeting.abort(new SegueError('CANCELLED'))
      const kept =
        relay === undefined
          ? Promise.resolve()
          : keepMeetingPlace(parts, {
              ...{ relay, topic: inviter.topic, signal: meeting.signal },
              onGuest: link => accept(link, true),
              onOpen: () => opened.abort(),
            })
      kept.catch((error: unknown) => logger.warn('meeting-place-lost', { error: String(error) }))
      // Who is fast finds it open. A relay that is away keeps nobody from being shown the code.
      if (relay !== undefined) await clock.sleep(OPENING_MS, { signal: opened.signal }).catch(() => undefined)
      let cancelClosing: (() => void) | undefined
      // Who comes late is told why it is too late; nobody is shown an invitation that is over.
      const stopWatching = inviter.state.subscribe(({ kind }) => {
        if (kind !== 'done' && kind !== 'failed') return
        node.pairing.hide()
        cancelClosing ??= clock.after(LATE_MS, () => {
          closeDoor()
          closeRemoteDoor()
        })
      })
      const invitation: Invitation = {
        text: inviter.text,
        qr: createPairingQr(inviter.qrText),
        expiresAt: clock.now() + (inviter.expiresAt - clock.monotonic()),
        state: inviter.state,
        async confirm(code, { passphrase, ...confirmOptions } = {}) {
          await parts.person.confirmPassphrase(passphrase === undefined ? undefined : { passphrase })
          return inviter.confirm(code, confirmOptions)
        },
        async close() {
          stopWatching()
          cancelClosing?.()
          await inviter.close()
          closeDoor()
          closeRemoteDoor()
          await kept
        },
        [Symbol.asyncDispose]() {
          return this.close()
        },
      }
      shown = invitation
      return invitation
    },

    async join(source, { signal, adopt } = {}) {
      const current = runtime()
      if (parts.isRemoved()) throw new SegueError('DEVICE_REMOVED')
      const brings = hasWorkOrCompany(current)
      if (joinings > 0 || (brings && adopt === undefined)) throw new SegueError('PAIRING_ALREADY_MEMBER')
      joinings += 1
      try {
        if (brings) await prepare(current, adopt)
      } catch (error) {
        joinings -= 1
        throw error
      }
      const invitation: JoinInvitation = typeof source === 'string' ? { text: source } : { nearby: source }
      const joining = join({
        invitation,
        identity,
        platform: platform(),
        clock,
        random,
        dial: (target, options) => dialOrMeet(parts, target, options),
        keep: async joined => parts.keep(joined, brings ? await parts.adoption.plan() : undefined),
        ...(signal === undefined ? {} : { signal }),
      })
      const over = new AbortController()
      const done = joining.done.then(async (result): Promise<JoinOutcome> => {
        joinings -= 1
        over.abort()
        if (!result.ok) {
          if (brings) await parts.adoption.cancel().catch((error: unknown) => logger.warn('copies-not-dropped', { error: String(error) }))
          return { ok: false, code: result.error }
        }
        try {
          await parts.enter(result.value)
        } catch (error) {
          logger.error('joined-group-not-entered', { error: String(error) })
          return { ok: false, code: isSegueError(error) ? error.code : 'STORE_FAILED' }
        }
        const adopted = brings ? parts.adoption.outcome.peek() : undefined
        return { ok: true, inviter: result.value.inviter, ...(adopted === undefined ? {} : { adopted }) }
      })
      const code = await joining.code.when(digits => digits !== undefined, { signal: over.signal }).catch(() => undefined)
      if (code === undefined) throw new SegueError(codeOf(await done))
      return { code, done, cancel: () => joining.cancel() }
    },
  }
  return {
    ...pairing,
    close: async () => shown?.close(),
    [Symbol.asyncDispose]: async () => shown?.close(),
  }
}

/** A device that has only the group it founded for itself, with nothing in it, loses nothing by joining another. */
function hasWorkOrCompany({ group, index }: Runtime): boolean {
  return group.state.peek().devices.length > 1 || !index.isRead() || index.sessions.peek().length > 0 || index.documents.peek().length > 0
}

function codeOf(outcome: JoinOutcome): ErrorCode {
  return outcome.ok ? 'LINK_CLOSED' : outcome.code
}

/** How long a code waits for its meeting place to be open before it is shown. */
const OPENING_MS = 2_000
/** How long a device that comes after the end of an invitation is told so. */
const LATE_MS: number = 5 * MINUTE_MS
