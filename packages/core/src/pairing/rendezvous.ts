/**
 * Both ends of a rendezvous (wire/rendezvous-messages.ts): what the relay carries looks to the pairing conversation like any other pairing
 * link. Who is at the other end is here only what the relay says; the conversation proves it (SPEC P29).
 */
import { concatBytes } from '../lib/bytes.ts'
import { SegueError, type ErrorCode } from '../lib/errors.ts'
import { deviceIdOf, type DeviceId } from '../lib/ids.ts'
import { KIB } from '../lib/units.ts'
import type { PairingLink } from '../ports/pairing-link.ts'
import { MAX_PAIRING_FRAME_BYTES } from '../wire/limits.ts'
import {
  decodeRendezvousMessage,
  encodeRendezvousMessage,
  MAX_RENDEZVOUS_BODY_BYTES,
  rendezvousRefusalCode,
  type RendezvousMessage,
} from '../wire/rendezvous-messages.ts'

export interface RendezvousOptions {
  readonly topic: Uint8Array
  readonly signal?: AbortSignal | undefined
}

export interface MeetingPlace {
  /** Resolves when the place is gone: its time is over, the relay stopped, or it was closed. Never rejects. */
  readonly over: Promise<void>
  close(): Promise<void>
}

/** `link` is a fresh stream to the relay. Resolves once guests can come. Rejects with SegueError: PAIRING_BUSY, RELAY_*, LINK_CLOSED. */
export async function openMeetingPlace(
  link: PairingLink,
  { topic, signal, onGuest }: RendezvousOptions & { readonly onGuest: (link: PairingLink) => void },
): Promise<MeetingPlace> {
  const guests = new Map<number, Guest>()
  await agree(link, { v: 1, type: 'open', topic }, 'opened', signal)

  const dismiss = (guest: number): void => {
    guests.get(guest)?.end()
    if (guests.delete(guest)) void say(link, { v: 1, type: 'left', guest }).catch(() => undefined) // the relay is gone, and the guest with it
  }
  const welcome = (guest: number, device: Uint8Array): void => {
    guests.get(guest)?.end() // the relay gives a number once; one that does not is told by its guests
    const made = createGuest(link, guest, deviceIdOf(device), () => dismiss(guest))
    guests.set(guest, made)
    onGuest(made.link)
  }
  const listen = async (): Promise<void> => {
    for (;;) {
      const message = await hear(link, signal)
      if (message.type === 'arrived') welcome(message.guest, message.device)
      else if (message.type === 'left') {
        guests.get(message.guest)?.end()
        guests.delete(message.guest)
      } else if (message.type === 'message') {
        if (guests.get(message.guest)?.take(message.body) === false) dismiss(message.guest)
      } else throw new SegueError('FRAME_INVALID')
    }
  }
  const over = listen()
    .catch(() => undefined) // however it ended: it is over
    .then(async () => {
      for (const guest of guests.values()) guest.end()
      guests.clear()
      await link.close()
    })
  return { over, close: () => link.close().then(() => over) }
}

/**
 * As a guest. `host` is the device that the code names. Rejects with SegueError: PAIRING_EXPIRED when nobody opened that place,
 * PAIRING_BUSY, LINK_CLOSED, or the signal's reason.
 */
export async function meetAt(
  link: PairingLink,
  { topic, host, signal }: RendezvousOptions & { readonly host: DeviceId },
): Promise<PairingLink> {
  await agree(link, { v: 1, type: 'meet', topic }, 'met', signal)
  const assembler = createAssembler()
  return {
    peer: host,
    self: link.self,
    send: frame => sendInPieces(link, 0, frame),
    async receive(options = {}) {
      for (;;) {
        const message = await hear(link, options.signal)
        if (message.type !== 'message') throw new SegueError('LINK_CLOSED')
        const taken = assembler(message.body)
        if (taken === 'malformed') throw new SegueError('FRAME_INVALID')
        if (taken !== undefined) return taken
      }
    },
    close: () => link.close(),
  }
}

/** Frames of a guest that the conversation has not read. An honest one waits for answers. */
const MAX_UNREAD_FRAMES = 8
const MAX_UNREAD_BYTES: number = 512 * KIB

interface Guest {
  readonly link: PairingLink
  /** False when there is no point in going on with it. */
  take(body: Uint8Array): boolean
  end(): void
}

function createGuest(link: PairingLink, guest: number, peer: DeviceId, onClose: () => void): Guest {
  const assembler = createAssembler()
  const frames: Uint8Array[] = []
  const readers = new Set<() => void>()
  let unreadBytes = 0
  let endedWith: ErrorCode | undefined
  const wake = (): void => {
    for (const reader of [...readers]) reader()
  }
  const end = (code: ErrorCode = 'LINK_CLOSED'): void => {
    endedWith ??= code
    wake()
  }
  const receive: PairingLink['receive'] = ({ signal } = {}) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const frame = signal?.aborted === true ? undefined : frames.shift()
        if (frame === undefined && signal?.aborted !== true && endedWith === undefined) return
        readers.delete(look)
        signal?.removeEventListener('abort', look)
        unreadBytes -= frame?.length ?? 0
        if (frame !== undefined) resolve(frame)
        else reject(signal?.aborted === true ? signal.reason : new SegueError(endedWith ?? 'LINK_CLOSED'))
      }
      readers.add(look)
      signal?.addEventListener('abort', look, { once: true })
      look()
    })
  return {
    link: {
      peer,
      self: link.self,
      send: frame => (endedWith === undefined ? sendInPieces(link, guest, frame) : Promise.reject(new SegueError(endedWith))),
      receive,
      close: async () => {
        end()
        onClose()
      },
    },
    take(body) {
      if (endedWith !== undefined) return false
      const taken = assembler(body)
      if (taken === undefined) return true
      if (taken !== 'malformed' && frames.length < MAX_UNREAD_FRAMES && unreadBytes < MAX_UNREAD_BYTES) {
        frames.push(taken)
        unreadBytes += taken.length
        wake()
        return true
      }
      end(taken === 'malformed' ? 'FRAME_INVALID' : 'LINK_CLOSED')
      return false
    },
    end,
  }
}

const LAST = 0
const MORE = 1

async function sendInPieces(link: PairingLink, guest: number, frame: Uint8Array): Promise<void> {
  if (frame.length > MAX_PAIRING_FRAME_BYTES) throw new RangeError(`a frame has at most ${MAX_PAIRING_FRAME_BYTES} bytes`)
  const pieceBytes = MAX_RENDEZVOUS_BODY_BYTES - 1
  for (let offset = 0; offset === 0 || offset < frame.length; offset += pieceBytes) {
    const more = offset + pieceBytes < frame.length ? MORE : LAST
    const body = concatBytes(new Uint8Array([more]), frame.subarray(offset, offset + pieceBytes))
    await say(link, { v: 1, type: 'message', guest, body })
  }
}

/** Gives a frame when `body` completes one. */
function createAssembler(): (body: Uint8Array) => Uint8Array | 'malformed' | undefined {
  let pieces: Uint8Array[] = []
  let bytes = 0
  return body => {
    if (body[0] !== LAST && body[0] !== MORE) return 'malformed'
    bytes += body.length - 1
    if (bytes > MAX_PAIRING_FRAME_BYTES) return 'malformed'
    pieces.push(body.subarray(1))
    if (body[0] === MORE) return undefined
    const frame = concatBytes(...pieces)
    pieces = []
    bytes = 0
    return frame
  }
}

async function agree(
  link: PairingLink,
  request: RendezvousMessage,
  agreed: 'opened' | 'met',
  signal: AbortSignal | undefined,
): Promise<void> {
  await say(link, request)
  const answer = await hear(link, signal)
  if (answer.type === 'refused') throw new SegueError(rendezvousRefusalCode(answer.why))
  if (answer.type !== agreed) throw new SegueError('FRAME_INVALID')
}

async function hear(link: PairingLink, signal: AbortSignal | undefined): Promise<RendezvousMessage> {
  const message = decodeRendezvousMessage(await link.receive({ signal }))
  if (!message.ok) throw new SegueError('FRAME_INVALID')
  return message.value
}

function say(link: PairingLink, message: RendezvousMessage): Promise<void> {
  return link.send(encodeRendezvousMessage(message))
}
