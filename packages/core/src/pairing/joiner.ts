/**
 * The new device: from a scanned, pasted or nearby invitation to holding the whole group on its own disk. transition.ts says
 * which frame may come when; this file checks what is in it.
 */
import { createSealingKeys, sign, verify } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { equalBytes } from '../lib/bytes.ts'
import type { Closeable } from '../lib/closeables.ts'
import { SegueError, type ErrorCode } from '../lib/errors.ts'
import { publicKeyOf, type DeviceId } from '../lib/ids.ts'
import { createSubject, type Observable } from '../lib/observable.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Clock } from '../ports/clock.ts'
import type { NearbyDevice, PairingLink } from '../ports/pairing-link.ts'
import type { Random } from '../ports/random.ts'
import {
  decodeAdmission,
  decodeLogRun,
  encodeIntroduction,
  encodePairingFrame,
  MAX_PAIRING_LOG_BYTES,
  PAIRING_LONGEST_MS,
  PAIRING_STEP_MS,
  PAIRING_WELCOME_MS,
  refusalCode,
  type Admission,
  type FrameOf,
} from '../wire/pairing-messages.ts'
import { codeOfFailure, readFrame, Refused, turnAway } from './conversation.ts'
import { checkWelcome, type Joined } from './membership.ts'
import { decodePayload, invitationIdOf, NO_SECRET, payloadFromText, rendezvousTopicOf, type PairingPayload } from './payload.ts'
import { closeTranscript, commitmentTo, deriveKeys, openPart, sealPart, type PairingKeys } from './transcript.ts'
import { nextPhase, type JoinerEvent, type JoinerPhase } from './transition.ts'

export interface PairingTarget {
  readonly device: DeviceId
  /** Best first; may be empty for a device that discovery knows. */
  readonly addresses: readonly string[]
  /** A relay to meet at when no address answers, and the place there. */
  readonly meeting?: { readonly relay: string; readonly topic: Uint8Array }
}

export type JoinInvitation =
  /** Pasted, or read from a QR: either text form. */
  | { readonly text: string }
  | { readonly payload: Uint8Array }
  /** Chosen from the devices nearby: nothing was scanned, so the digits alone keep others out. */
  | { readonly nearby: Pick<NearbyDevice, 'id' | 'addresses'> }

export interface JoinOptions {
  readonly invitation: JoinInvitation
  readonly identity: DeviceIdentity
  /** What this device runs on, for the other one's screen: printable ASCII, at most 32 characters. */
  readonly platform: string
  /** Rejects with SegueError UNREACHABLE when nothing answers. */
  readonly dial: (target: PairingTarget, options: { readonly signal: AbortSignal }) => Promise<PairingLink>
  readonly clock: Clock
  readonly random: Random
  /** Resolves when all of it is on disk, in one batch; only then is the inviter told. A rejection leaves nothing. */
  readonly keep: (joined: Joined) => Promise<void>
  readonly signal?: AbortSignal
}

export interface Joining extends Closeable {
  readonly phase: Observable<JoinerPhase>
  /** Six digits to be typed on the other device; undefined before they are known and when nobody needs them any more. */
  readonly code: Observable<string | undefined>
  /** Never rejects. */
  readonly done: Promise<Result<Joined, ErrorCode>>
  /** `done` becomes CANCELLED, unless everything is here already. */
  cancel(): void
}

/** Starts at once; a bad text or an unreachable device shows in `done`. `close` cancels and waits until the link is closed. */
export function join(options: JoinOptions): Joining {
  const { clock } = options
  const stopped = new AbortController()
  const phase = createSubject<JoinerPhase>('connecting')
  const code = createSubject<string | undefined>(undefined)
  const stop = (why: ErrorCode): void => stopped.abort(new SegueError(why))
  const step = (event: JoinerEvent): void => {
    const next = nextPhase(phase.peek(), event)
    if (next === 'violation') throw new Refused('malformed')
    phase.set(next)
    if (next !== 'showing') code.set(undefined)
  }

  const cancelDeadline = clock.after(PAIRING_LONGEST_MS + PAIRING_STEP_MS, () => stop('TIMED_OUT'))
  const onAbort = (): void => stop('CANCELLED')
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted === true) onAbort()

  const talks = new Set<Promise<void>>()
  const run = async (): Promise<Result<Joined, ErrorCode>> => {
    const invitation = readInvitation(options.invitation)
    if (!invitation.ok) return failed(invitation.error)
    if (invitation.value.target.device === options.identity.id) return failed('PAIRING_ALREADY_MEMBER')
    for (let redials = 0; ; redials++) {
      const { joined, over } = createTalk({ options, invitation: invitation.value, stopped: stopped.signal, phase, code, step })
      talks.add(over)
      const result = await joined
      const isWorthAnother = !result.ok && result.error === 'LINK_CLOSED' && invitation.value.payload !== undefined && redials < MAX_REDIALS
      if (!isWorthAnother || phase.peek() === 'failed') return result
      step('redialled')
    }
  }
  const done = run().then(result => {
    cancelDeadline()
    options.signal?.removeEventListener('abort', onAbort)
    if (!result.ok && phase.peek() !== 'failed') step(phase.peek() === 'keeping' ? 'not-kept' : 'stopped')
    return result
  })
  const close = async (): Promise<void> => {
    stop('CANCELLED')
    await done
    await Promise.all(talks)
  }
  return { phase, code, done, cancel: () => stop('CANCELLED'), close, [Symbol.asyncDispose]: close }
}

/** After a lost link, with a scanned secret: nobody else can be at the other end. Each nearby connection is a draw for whoever is in between. */
const MAX_REDIALS = 2

interface Invited {
  readonly target: PairingTarget
  /** Undefined: m0 brings it. */
  readonly payload: Uint8Array | undefined
}

interface TalkContext {
  readonly options: JoinOptions
  readonly invitation: Invited
  readonly stopped: AbortSignal
  readonly phase: Observable<JoinerPhase>
  readonly code: { readonly set: (code: string | undefined) => void }
  readonly step: (event: JoinerEvent) => void
}

/** What this connection has brought so far. */
interface Progress {
  m0?: Uint8Array
  m1?: Uint8Array
  commitment?: Uint8Array
  payload?: PairingPayload
  keys?: PairingKeys
  h1?: Uint8Array
  admission?: Admission
  readonly runs: Map<number, readonly Uint8Array[]>
  runBytes: number
}

/** One connection. `joined` settles as soon as the outcome is known, `over` when the link is closed; neither rejects. */
function createTalk(context: TalkContext): { readonly joined: Promise<Result<Joined, ErrorCode>>; readonly over: Promise<void> } {
  const { options, invitation, stopped, phase, code, step } = context
  const { identity, clock, random } = options
  const progress: Progress = { runs: new Map(), runBytes: 0 }
  let announce: (result: Result<Joined, ErrorCode>) => void = () => undefined
  const joined = new Promise<Result<Joined, ErrorCode>>(resolve => {
    announce = resolve
  })

  const onCommit = async (link: PairingLink, frame: FrameOf<'commit'>, bytes: Uint8Array): Promise<void> => {
    const payloadBytes = invitation.payload ?? frame.nearby
    if (payloadBytes === undefined) throw new Refused('refused') // nearby is switched off there
    const payload = payloadFor(payloadBytes, invitation, link.peer)
    const ephemeral = createSealingKeys(random)
    const ends = { payload: payloadBytes, secret: payload.secret, inviter: link.peer, joiner: identity.id, joinerKey: ephemeral.publicKey }
    const keys = deriveKeys(ends, ephemeral.secretKey, payload.ephemeralKey)
    if (keys === undefined) throw new Refused('malformed')
    const introduction = encodeIntroduction({
      signingKey: identity.signing.publicKey,
      sealingKey: identity.sealing.publicKey,
      name: identity.name,
      platform: options.platform,
      proof: sign('pairing-possession', keys.h0, identity.signing),
    })
    const sealed = sealPart(keys.joinerKey, 'introduction', introduction, random)
    const m1 = encodePairingFrame({
      v: 1,
      type: 'answer',
      invitation: invitationIdOf(payloadBytes),
      ephemeralKey: ephemeral.publicKey,
      sealed,
    })
    Object.assign(progress, { m0: bytes, m1, commitment: frame.commitment, payload, keys })
    await link.send(m1)
  }

  const onReveal = ({ reveal }: FrameOf<'reveal'>): void => {
    const { keys, m0, m1, commitment } = progress as Required<Progress>
    if (!equalBytes(commitmentTo(reveal), commitment)) throw new Refused('refused')
    const transcript = closeTranscript(keys, m0, m1, reveal)
    progress.h1 = transcript.h1
    code.set(transcript.code)
  }

  const onWelcome = (link: PairingLink, { sealed }: FrameOf<'welcome'>): void => {
    if (progress.admission !== undefined) return
    const { keys, h1 } = progress as Required<Progress>
    const opened = openPart(keys.inviterKey, 'admission', sealed)
    const admission = opened && decodeAdmission(opened)
    if (admission === undefined) throw new Refused('malformed')
    if (!verify('pairing-admission', h1, admission.signature, publicKeyOf(link.peer))) throw new Refused('refused')
    progress.admission = admission
  }

  const onLog = ({ index, sealed }: FrameOf<'log'>): void => {
    const { keys, admission, runs } = progress
    if (keys === undefined || admission === undefined || runs.has(index)) return
    const opened = openPart(keys.inviterKey, `log/${index}`, sealed)
    const run = opened && decodeLogRun(opened)
    progress.runBytes += opened?.length ?? 0
    if (run === undefined || index >= admission.frames || progress.runBytes > MAX_PAIRING_LOG_BYTES) throw new Refused('malformed')
    runs.set(index, run)
  }

  const finishWhenComplete = async (): Promise<void> => {
    const { admission, payload, runs } = progress
    if (admission === undefined || payload === undefined || runs.size < admission.frames) return
    const entries = Array.from({ length: admission.frames }, (_, index) => runs.get(index) ?? []).flat()
    const where = { ...payload, addresses: invitation.target.addresses }
    const checked =
      entries.length === admission.entries ? checkWelcome({ identity, random, payload: where, admission, entries }) : undefined
    if (checked === undefined) throw new Refused('malformed')
    step('complete')
    await options.keep(checked)
    step('kept')
    announce(ok(checked))
  }

  /** Until the link ends. After joining it only repeats m4 for a peer that did not hear it. */
  const listen = async (link: PairingLink, ended: AbortController): Promise<void> => {
    const received = encodePairingFrame({ v: 1, type: 'received' })
    let cancelDeadline = clock.after(PAIRING_STEP_MS, () => ended.abort(new SegueError('TIMED_OUT')))
    try {
      for (;;) {
        const bytes = await link.receive({ signal: ended.signal })
        const frame = readFrame(bytes)
        const before = phase.peek()
        step(frame.type)
        if (frame.type === 'refuse' && before !== 'joined') throw new SegueError(refusalCode(frame.why))
        if (frame.type === 'refuse') return
        if (frame.type === 'commit') await onCommit(link, frame, bytes)
        if (frame.type === 'reveal') onReveal(frame)
        if (frame.type === 'reveal') cancelDeadline()
        if (before === 'joined') {
          if (frame.type === 'welcome') await link.send(received)
          continue
        }
        if (frame.type === 'welcome') onWelcome(link, frame)
        if (frame.type === 'log') onLog(frame)
        if (phase.peek() !== 'receiving') continue
        await finishWhenComplete()
        if (progress.admission === undefined || phase.peek() !== 'joined') continue
        cancelDeadline = clock.after(PAIRING_WELCOME_MS, () => ended.abort(new SegueError('TIMED_OUT')))
        await link.send(received)
      }
    } finally {
      cancelDeadline()
    }
  }

  const talk = async (): Promise<void> => {
    const ended = new AbortController()
    const onStop = (): void => ended.abort(stopped.reason)
    stopped.addEventListener('abort', onStop, { once: true })
    if (stopped.aborted) onStop()
    let link: PairingLink | undefined
    let why: unknown
    try {
      ended.signal.throwIfAborted()
      link = await options.dial(invitation.target, { signal: ended.signal })
      if (link.peer !== invitation.target.device) throw new Refused('refused')
      await listen(link, ended)
    } catch (error) {
      why = ended.signal.aborted ? ended.signal.reason : error
    }
    stopped.removeEventListener('abort', onStop)
    announce(failed(phase.peek() === 'keeping' ? codeOfKeeping(why) : codeOfFailure(why)))
    if (link !== undefined) await turnAway(link, why instanceof Refused ? why.why : undefined)
  }
  return { joined, over: talk() }
}

function readInvitation(invitation: JoinInvitation): Result<Invited, ErrorCode> {
  if ('nearby' in invitation) {
    return ok({ target: { device: invitation.nearby.id, addresses: invitation.nearby.addresses }, payload: undefined })
  }
  const bytes = 'text' in invitation ? payloadFromText(invitation.text) : ok(invitation.payload)
  if (!bytes.ok) return bytes
  const payload = decodePayload(bytes.value)
  if (!payload.ok) return payload
  const { mode, device, addresses, relay, secret } = payload.value
  if (mode !== 'scanned') return failed('PAIRING_TEXT_INVALID')
  const meeting = relay === undefined ? {} : { meeting: { relay, topic: rendezvousTopicOf({ secret, device }) } }
  return ok({ target: { device, addresses, ...meeting }, payload: bytes.value })
}

/** Throws Refused when m0's fields are not those of the device at the other end. */
function payloadFor(bytes: Uint8Array, invitation: Invited, peer: DeviceId): PairingPayload {
  const decoded = decodePayload(bytes)
  if (!decoded.ok) throw new Refused(decoded.error === 'PAIRING_VERSION' ? 'version' : 'malformed')
  const payload = decoded.value
  const isNearby = payload.mode === 'nearby' && equalBytes(payload.secret, NO_SECRET)
  if (payload.device !== peer || (invitation.payload === undefined && !isNearby)) throw new Refused('malformed')
  return payload
}

/** Everything had come; what failed is this device's own disk. */
function codeOfKeeping(error: unknown): ErrorCode {
  const code = codeOfFailure(error)
  return code === 'LINK_CLOSED' ? 'STORE_FAILED' : code
}
