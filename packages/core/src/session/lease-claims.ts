/**
 * Who drives the session: the claims in the session document, one immutable entry each, and the driver that follows from them.
 * What a claim promises, and when it is confirmed, is the handoff's business; here they are only kept and ranked.
 */
import * as v from 'valibot'
import { compareBytes } from '../lib/bytes.ts'
import { wholeNumber } from '../lib/codec.ts'
import { isDeviceId, isHexId, publicKeyOf, RANDOM_ID_BYTES, type DeviceId, type HandoffId } from '../lib/ids.ts'
import type { ClaimRecord, LeaseClaim, SessionDoc } from './schema/shapes.ts'
import { word, wordSchema } from './schema/words.ts'

/** An offer is not a claim yet: it may become one. */
const OFFERED = 'offered'

/**
 * Greatest first: by counter, a tie by the device's key. Entries that are no claims are passed over, and so are those that leap: honest
 * counters go up by one, and a greatest one that nobody could outrank would end every handover of the session.
 */
export function readClaims(doc: SessionDoc): readonly LeaseClaim[] {
  const claims: LeaseClaim[] = []
  for (const [key, record] of Object.entries(doc.lease)) {
    const [, counter, device, kind] = /^(\d{10})\/(\w+)\/([\w-]+)$/.exec(key) ?? []
    const read = v.safeParse(CLAIM_RECORD, record)
    if (counter === undefined || device === undefined || kind === undefined || !isDeviceId(device) || !read.success) continue
    claims.push({ counter: Number(counter), device, kind, time: read.output.time, ...grantOf(read.output as ClaimRecord) })
  }
  claims.sort((a, b) => a.counter - b.counter || compareBytes(publicKeyOf(a.device), publicKeyOf(b.device)) || (a.kind < b.kind ? -1 : 1))
  const leap = claims.findIndex((claim, i) => claim.counter - (claims[i - 1]?.counter ?? 0) > MAX_STEP)
  return (leap < 0 ? claims : claims.slice(0, leap)).toReversed()
}

export function driverOf(doc: SessionDoc): DeviceId | undefined {
  return readClaims(doc).find(claim => claim.kind !== OFFERED)?.device
}

/** The devices that hold the greatest counter, the driver first: more than one means that two took over without knowing of each other. */
export function driversOf(doc: SessionDoc): readonly LeaseClaim[] {
  const claims = readClaims(doc).filter(claim => claim.kind !== OFFERED)
  return claims.filter((claim, i) => claim.counter === claims[0]?.counter && claims.findIndex(other => other.device === claim.device) === i)
}

/** Above everything claimed or offered. */
export function nextClaimCounter(doc: SessionDoc): number {
  return 1 + (readClaims(doc)[0]?.counter ?? 0)
}

/** Adds one claim inside a change; one that is there already stays untouched. */
export function addClaim(doc: SessionDoc, claim: LeaseClaim): void {
  const key = claimKey(claim)
  if (doc.lease[key] !== undefined) return
  const { grant } = claim
  doc.lease[key] = {
    time: claim.time,
    ...(grant && { grant: { by: word(grant.by), handoff: word(grant.handoff), expiresAt: grant.expiresAt, signature: grant.signature } }),
  }
}

export function claimKey(claim: Pick<LeaseClaim, 'counter' | 'device' | 'kind'>): string {
  return `${String(claim.counter).padStart(10, '0')}/${claim.device}/${claim.kind}`
}

/** A claim may come before those below it did, so a gap is no lie by itself. */
const MAX_STEP = 1_000

const deviceWord = v.pipe(
  wordSchema,
  v.check(({ val }) => isDeviceId(val)),
)
const handoffWord = v.pipe(
  wordSchema,
  v.check(({ val }) => isHexId(val, RANDOM_ID_BYTES)),
)
/** Another member wrote it: whatever is asked of a claim later must find what it asks for. */
const CLAIM_RECORD = v.looseObject({
  time: v.number(),
  grant: v.optional(v.looseObject({ by: deviceWord, handoff: handoffWord, expiresAt: wholeNumber, signature: v.instance(Uint8Array) })),
})

function grantOf({ grant }: ClaimRecord): Pick<LeaseClaim, 'grant'> | undefined {
  if (grant === undefined) return undefined
  const { expiresAt, signature } = grant
  return { grant: { by: grant.by.val as DeviceId, handoff: grant.handoff.val as HandoffId, expiresAt, signature } }
}
