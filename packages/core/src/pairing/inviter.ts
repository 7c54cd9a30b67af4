/**
 * The device that shows the code: one invitation, from showing it to the new device's acknowledgement. transition.ts decides,
 * this file does: frames, deadlines, keys, and the disk before anything that another device could rely on.
 */
import { createSealingKeys, isAdmissibleSealingKey, sign, verify } from '../crypto/index.ts'
import type { Group, SignedEntry } from '../group/index.ts'
import { isDeviceName, type DeviceIdentity } from '../identity/index.ts'
import { isSegueError, type ErrorCode } from '../lib/errors.ts'
import { equalBytes } from '../lib/bytes.ts'
import type { Closeable } from '../lib/closeables.ts'
import { deviceIdOf, type DeviceId } from '../lib/ids.ts'
import { createSubject, type Observable } from '../lib/observable.ts'
import type { Clock } from '../ports/clock.ts'
import type { PairingLink } from '../ports/pairing-link.ts'
import type { Random } from '../ports/random.ts'
import type { TelemetrySink } from '../ports/telemetry-sink.ts'
import type { TelemetryEvent } from '../telemetry/events.ts'
import {
  decodeIntroduction,
  encodePairingFrame,
  MAX_PAIRING_LINKS,
  PAIRING_ANSWER_MS,
  PAIRING_DEFAULT_MS,
  PAIRING_LONGEST_MS,
  PAIRING_RESEND_MS,
  PAIRING_WELCOME_MS,
  REVEAL_BYTES,
  type FrameOf,
} from '../wire/pairing-messages.ts'
import { readFrame, Refused, turnAway } from './conversation.ts'
import { admitDevice, checkMayAdmit, welcomeFrames } from './membership.ts'
import {
  encodePayload,
  groupHintOf,
  invitationIdOf,
  NO_SECRET,
  PAIRING_SECRET_BYTES,
  payloadToQrText,
  payloadToText,
  rendezvousTopicOf,
  type PairingMode,
} from './payload.ts'
import { typedCode } from './sas.ts'
import { closeTranscript, commitmentTo, deriveKeys, openPart, type PairingKeys } from './transcript.ts'
import {
  nextInvitation,
  OPEN_INVITATION,
  refusalAtDoor,
  type Candidate,
  type Invitation,
  type InvitationEffect,
  type InvitationEvent,
} from './transition.ts'

export interface InviterOptions {
  readonly identity: DeviceIdentity
  /** This device must be an admin in it. */
  readonly group: Group
  readonly clock: Clock
  readonly random: Random
  /** Multiaddrs of this device, best first. */
  readonly addresses: readonly string[]
  readonly relay?: string
  /** 1 ms to 10 minutes; two minutes unless the person chose otherwise. */
  readonly expiresInMs?: number
  /** Whether devices that scanned nothing may ask to join (the digits alone protect that). Default true. */
  readonly nearby?: boolean
  /** Resolves when the add entry is on disk; only then does anything leave for the new device. */
  readonly keep: (entry: SignedEntry) => Promise<void>
  readonly telemetry?: TelemetrySink<TelemetryEvent>
}

/** A device as it describes itself, seen before anybody vouched for it. */
export interface PairingDevice {
  readonly id: DeviceId
  readonly name: string
  readonly platform: string
  /** It is not on this network: it came through a relay. Say so, in a colour that warns. */
  readonly isRemote: boolean
}

export type InviterState =
  | { readonly kind: 'open'; readonly waiting: readonly PairingDevice[]; readonly triesLeft: number }
  | { readonly kind: 'admitting' | 'welcoming' | 'done'; readonly device: PairingDevice }
  /** With a device: it is in the group, but never said that it has everything. Let it pair again, or remove it. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly device?: PairingDevice }

export type ConfirmOutcome =
  /** The device is in the group, on this device's disk. `state` becomes `done` when it has everything. */
  | { readonly ok: true; readonly device: PairingDevice }
  /** The digits are those of a device that is somewhere else. No try was used: ask the person, and confirm again with `mayBeRemote`. */
  | { readonly ok: false; readonly code: 'PAIRING_REMOTE'; readonly device: PairingDevice; readonly triesLeft: number }
  | { readonly ok: false; readonly code: ErrorCode; readonly device?: undefined; readonly triesLeft: number }

export interface Inviter extends Closeable {
  /** For pasting, and the same bytes for a QR in alphanumeric mode. */
  readonly text: string
  readonly qrText: string
  readonly payload: Uint8Array
  /** On this device's monotonic clock. */
  readonly expiresAt: number
  readonly state: Observable<InviterState>
  /**
   * Talks to one device on the pairing stream until that is over; never rejects. After the end it says why it is over. `isRemote`: the
   * stream comes through a relay, which says who is at its other end; the conversation itself proves that.
   */
  accept(link: PairingLink, options?: { readonly isRemote?: boolean }): Promise<void>
  /** The digits that the new device shows, as a person typed them. */
  confirm(typed: string, options?: { readonly mayBeRemote?: boolean }): Promise<ConfirmOutcome>
  /** Where a device that cannot dial this one is met on the relay. */
  readonly topic: Uint8Array
}

/** Throws SegueError NEEDS_ADMIN or GROUP_NEWER when this device may not add others, RangeError on a wrong duration. */
export function createInviter(options: InviterOptions): Inviter {
  const { identity, group, clock, random, addresses, keep, telemetry } = options
  const lifetimeMs = options.expiresInMs ?? PAIRING_DEFAULT_MS
  if (!(lifetimeMs > 0 && lifetimeMs <= PAIRING_LONGEST_MS)) throw new RangeError('an invitation lives for at most ten minutes')
  checkMayAdmit(group, identity.id)

  const ephemeral = createSealingKeys(random)
  const offer = (mode: PairingMode): Offer => {
    const secret = mode === 'nearby' ? NO_SECRET : random.bytes(PAIRING_SECRET_BYTES)
    const places = mode === 'nearby' ? { addresses: [] } : { addresses, ...(options.relay === undefined ? {} : { relay: options.relay }) }
    const groupHint = groupHintOf(group.id, ephemeral.publicKey)
    const payload = encodePayload({ mode, secret, ephemeralKey: ephemeral.publicKey, device: identity.id, groupHint, ...places })
    return { mode, secret, payload, id: invitationIdOf(payload) }
  }
  const scanned = offer('scanned')
  const nearby = options.nearby === false ? undefined : offer('nearby')

  const expiresAt = clock.monotonic() + lifetimeMs
  const connections = new Map<number, Connection>()
  const tasks = new Set<Promise<void>>()
  let lastConnection = 0
  let invitation = OPEN_INVITATION
  const state = createSubject<InviterState>(viewOf(invitation))
  let cancelGivingUp: (() => void) | undefined
  let askedAbout: Candidate | undefined

  const dispatch = (event: InvitationEvent): void => {
    const step = nextInvitation(invitation, event)
    const before = invitation
    invitation = step.state
    if (invitation.kind !== before.kind) settle(before)
    if (invitation !== before) state.set(viewOf(invitation))
    for (const effect of step.effects) perform(effect)
  }

  const settle = (before: Invitation): void => {
    cancelExpiry()
    if (before.kind === 'open' && invitation.kind === 'admitting') {
      cancelGivingUp = clock.after(PAIRING_WELCOME_MS, () => dispatch({ type: 'given-up' }))
    }
    if (invitation.kind === 'done' || invitation.kind === 'failed') cancelGivingUp?.()
    if (invitation.kind === 'done' && before.kind === 'welcoming') {
      telemetry?.record({ type: 'pairing-done', device: invitation.candidate.device, time: clock.now() })
    }
  }

  const perform = (effect: InvitationEffect): void => {
    switch (effect.type) {
      case 'admit':
        return track(admit(effect.candidate))
      case 'ask-about-remote':
        askedAbout = effect.candidate
        return
      case 'reveal':
        return onConnection(effect.connection, async connection => {
          if (connection.reveal !== undefined) await connection.link.send(encodePairingFrame(connection.reveal))
        })
      case 'welcome':
        return onConnection(effect.connection, welcome)
      case 'finish':
        return connections.get(effect.connection)?.ended.abort()
      case 'refuse':
        return connections.get(effect.connection)?.ended.abort(new Refused(effect.why))
    }
  }

  const track = (task: Promise<void>): void => {
    const tracked = task.finally(() => tasks.delete(tracked))
    tasks.add(tracked)
  }

  /** What is sent on a connection goes out in order; a failure to send ends the connection. */
  const onConnection = (id: number, work: (connection: Connection) => Promise<void>): void => {
    const connection = connections.get(id)
    if (connection === undefined) return
    connection.queue = connection.queue.then(() => work(connection)).catch(error => connection.ended.abort(error))
    track(connection.queue)
  }

  const admit = async (candidate: Candidate): Promise<void> => {
    try {
      await keep(admitDevice(group, candidate, clock.now()))
      dispatch({ type: 'admitted' })
    } catch (error) {
      dispatch({ type: 'not-admitted', code: isSegueError(error) ? error.code : 'STORE_FAILED' })
    }
  }

  const welcome = async (connection: Connection): Promise<void> => {
    const { keys, h1, link, ended } = connection
    if (keys === undefined || h1 === undefined) return
    connection.isWelcomed = true
    const signature = sign('pairing-admission', h1, identity.signing)
    const frames = welcomeFrames({ group, device: link.peer, signature, key: keys.inviterKey, random })
    for (let pauseMs = PAIRING_RESEND_MS; !ended.signal.aborted; pauseMs *= 2) {
      for (const frame of frames) await link.send(frame)
      await clock.sleep(pauseMs, { signal: ended.signal })
    }
  }

  const converse = async (connection: Connection): Promise<void> => {
    const { link, ended } = connection
    const reveal = random.bytes(REVEAL_BYTES)
    const commit: FrameOf<'commit'> = { v: 1, type: 'commit', commitment: commitmentTo(reveal) }
    // Through a relay only who has seen the code may come: it is not told what those nearby are.
    const m0 = encodePairingFrame(nearby === undefined || connection.isRemote ? commit : { ...commit, nearby: nearby.payload })
    await link.send(m0)
    const cancelDeadline = clock.after(PAIRING_ANSWER_MS, () => ended.abort(new Refused('refused')))
    const m1 = await link.receive({ signal: ended.signal }).finally(cancelDeadline)
    const { candidate, keys } = meet(connection, m0, m1, reveal)
    Object.assign(connection, keys, { reveal: { v: 1, type: 'reveal', reveal } })
    dispatch({ type: 'arrived', candidate })
    while (!ended.signal.aborted) {
      const frame = readFrame(await link.receive({ signal: ended.signal }))
      if (frame.type === 'refuse') return
      if (frame.type !== 'received' || !connection.isWelcomed) throw new Refused('malformed')
      dispatch({ type: 'acknowledged', connection: connection.id })
    }
  }

  /** Checks m1. Throws Refused. */
  const meet = ({ link, id, isRemote }: Connection, m0: Uint8Array, m1: Uint8Array, reveal: Uint8Array): Meeting => {
    const frame = readFrame(m1)
    if (frame.type !== 'answer') throw new Refused('malformed')
    const chosen = [scanned, isRemote ? undefined : nearby].find(known => known !== undefined && equalBytes(known.id, frame.invitation))
    if (chosen === undefined) throw new Refused('expired') // an earlier code of this device, or none of its codes
    const { secret, payload, mode } = chosen
    const ends = { payload, secret, inviter: identity.id, joiner: link.peer, joinerKey: frame.ephemeralKey }
    const keys = deriveKeys(ends, ephemeral.secretKey, frame.ephemeralKey)
    const opened = keys && openPart(keys.joinerKey, 'introduction', frame.sealed)
    const introduction = opened && decodeIntroduction(opened)
    if (keys === undefined || introduction === undefined) throw new Refused('refused')
    const { signingKey, sealingKey, name, platform, proof } = introduction
    const isGenuine = verify('pairing-possession', keys.h0, proof, signingKey) && deviceIdOf(signingKey) === link.peer
    if (!isGenuine || link.peer === identity.id || !isDeviceName(name) || !isAdmissibleSealingKey(sealingKey)) throw new Refused('refused')
    const { h1, code } = closeTranscript(keys, m0, m1, reveal)
    return { keys: { keys, h1 }, candidate: { connection: id, device: link.peer, sealingKey, name, platform, mode, isRemote, code } }
  }

  const checkExpiry = (): void => {
    if (clock.monotonic() >= expiresAt) dispatch({ type: 'expired' })
  }
  const cancelExpiry = clock.after(lifetimeMs, () => dispatch({ type: 'expired' }))
  telemetry?.record({ type: 'pairing-opened', time: clock.now() })

  const accept = async (link: PairingLink, isRemote: boolean): Promise<void> => {
    checkExpiry() // timers may come late after a suspend
    const why = connections.size >= MAX_PAIRING_LINKS ? 'busy' : refusalAtDoor(invitation, link.peer)
    if (why !== undefined) return await turnAway(link, why)
    const connection = newConnection(++lastConnection, link, isRemote)
    connections.set(connection.id, connection)
    const end: unknown = await converse(connection).catch((error: unknown) => error)
    const reason: unknown = connection.ended.signal.aborted ? connection.ended.signal.reason : end
    connections.delete(connection.id)
    connection.ended.abort()
    dispatch({ type: 'left', connection: connection.id })
    await turnAway(link, reason instanceof Refused ? reason.why : undefined)
  }

  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    dispatch({ type: 'closed' })
    cancelExpiry()
    for (const { ended } of connections.values()) ended.abort(new Refused('cancelled'))
    while (tasks.size > 0) await Promise.all(tasks)
  }

  return {
    payload: scanned.payload,
    text: payloadToText(scanned.payload),
    qrText: payloadToQrText(scanned.payload),
    expiresAt,
    state,
    topic: rendezvousTopicOf({ secret: scanned.secret, device: identity.id }),
    accept(link, { isRemote = false } = {}) {
      const talk = accept(link, isRemote)
      track(talk)
      return talk
    },
    async confirm(typed, { mayBeRemote = false } = {}) {
      checkExpiry()
      const code = typedCode(typed)
      if (state.peek().kind !== 'open') return { ok: false, code: endOf(invitation), triesLeft: 0 }
      askedAbout = undefined
      if (code !== undefined) dispatch({ type: 'typed', code, mayBeRemote })
      const asked = state.peek()
      if (askedAbout !== undefined && asked.kind === 'open') {
        const device = deviceOf(askedAbout)
        return { ok: false, code: 'PAIRING_REMOTE', device, triesLeft: asked.triesLeft }
      }
      const after = await state.when(({ kind }) => kind !== 'admitting')
      if (after.kind === 'failed') {
        if (after.code === 'PAIRING_TOO_MANY_TRIES') telemetry?.record({ type: 'pairing-wrong-code', triesLeft: 0, time: clock.now() })
        return { ok: false, code: after.code, triesLeft: 0 }
      }
      if (after.kind !== 'open') return { ok: true, device: after.device }
      telemetry?.record({ type: 'pairing-wrong-code', triesLeft: after.triesLeft, time: clock.now() })
      return { ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: after.triesLeft }
    },
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]() {
      return this.close()
    },
  }
}

interface Offer {
  readonly mode: PairingMode
  readonly secret: Uint8Array
  readonly payload: Uint8Array
  readonly id: Uint8Array
}
interface Connection {
  readonly id: number
  readonly link: PairingLink
  /** Aborted with Refused to end it with a word, with anything else when it is over. */
  readonly ended: AbortController
  queue: Promise<void>
  readonly isRemote: boolean
  /** m3 went out, so m4 may come. */
  isWelcomed: boolean
  keys?: PairingKeys
  h1?: Uint8Array
  reveal?: FrameOf<'reveal'>
}
interface Meeting {
  readonly candidate: Candidate
  readonly keys: { readonly keys: PairingKeys; readonly h1: Uint8Array }
}

function newConnection(id: number, link: PairingLink, isRemote: boolean): Connection {
  return { id, link, isRemote, ended: new AbortController(), queue: Promise.resolve(), isWelcomed: false }
}

function viewOf(invitation: Invitation): InviterState {
  const { kind } = invitation
  if (kind === 'open') return { kind, waiting: invitation.candidates.map(deviceOf), triesLeft: invitation.triesLeft }
  if (kind !== 'failed') return { kind, device: deviceOf(invitation.candidate) }
  return { kind, code: invitation.code, ...(invitation.candidate === undefined ? {} : { device: deviceOf(invitation.candidate) }) }
}

/** Without the digits: who could read them here would not compare them there. */
function deviceOf({ device, name, platform, isRemote }: Candidate): PairingDevice {
  return { id: device, name, platform, isRemote }
}

function endOf(invitation: Invitation): ErrorCode {
  return invitation.kind === 'failed' ? invitation.code : 'PAIRING_USED'
}
