/** How both sides read frames from a pairing link and end it. */
import { SegueError, isSegueError, type ErrorCode } from '../lib/errors.ts'
import type { PairingLink } from '../ports/pairing-link.ts'
import { decodePairingFrame, encodePairingFrame, REFUSALS, type PairingFrame, type Refusal } from '../wire/pairing-messages.ts'

/** Ends a conversation with a word to the other side. */
export class Refused extends SegueError {
  readonly why: Refusal

  constructor(why: Refusal) {
    super(REFUSALS[why])
    this.why = why
  }
}

/** Throws Refused when the bytes are no frame of this version. */
export function readFrame(bytes: Uint8Array): PairingFrame {
  const frame = decodePairingFrame(bytes)
  if (frame.ok) return frame.value
  throw new Refused(frame.error === 'PAIRING_VERSION' ? 'version' : 'malformed')
}

/** Says why, when there is a why, and closes. Never rejects: a link that is already dead has nothing to be told. */
export async function turnAway(link: PairingLink, why: Refusal | undefined): Promise<void> {
  try {
    if (why !== undefined) await link.send(encodePairingFrame({ v: 1, type: 'refuse', why }))
  } catch {
    // dead already: the other side sees that it is closed
  }
  await link.close().catch(() => undefined)
}

/** What the loss of a link is called; a link may reject with anything. */
export function codeOfFailure(error: unknown): ErrorCode {
  return isSegueError(error) ? error.code : 'LINK_CLOSED'
}
