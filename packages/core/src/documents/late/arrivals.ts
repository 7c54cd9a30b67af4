/**
 * Whether what arrived can change what was found of a document. Somebody may type for hours into a document in which something waits, so
 * most of it must be told apart without looking at the document.
 */
import { decodeRegister } from '../../crypto/index.ts'
import type { SealedChunk } from '../../ports/sealed-chunk.ts'
import { CLAIM_NAME, decodeClaim } from '../claims.ts'
import { readCommit } from '../commit.ts'
import type { DocumentsContext } from '../context.ts'
import { isContent } from '../stored-document.ts'
import type { Horizons } from './horizons.ts'
import { KEEP_NAME } from './keep.ts'

export interface Unsettled {
  /** Hex hashes of changes that wait. Undefined: not looked at yet. */
  readonly waiting: ReadonlySet<string> | undefined
  /** Something of it is listed that nobody claims. */
  readonly hasUnclaimed: boolean
}

/** `unsettled`: of a document where something waits or is listed. */
export function isNews(
  chunk: SealedChunk,
  unsettled: Unsettled | undefined,
  { sealer, hasher }: Pick<DocumentsContext, 'sealer' | 'hasher'>,
  horizons: Horizons,
): boolean {
  if (isContent(chunk)) {
    if (horizons.mayBeLate(chunk.epoch)) return true
    if (unsettled === undefined) return false
    const { waiting } = unsettled
    if (waiting === undefined || (chunk.class === 'fragment' && waiting.size > 0)) return true
    const opened = waiting.size === 0 ? undefined : sealer.open(chunk)
    const commit = opened?.ok ? readCommit(opened.value.content, hasher === undefined ? {} : { hasher }) : undefined
    return commit?.ok === true && commit.value.deps.some(dep => waiting.has(dep))
  }
  if (chunk.class !== 'register') return false
  const opened = sealer.open(chunk)
  if (!opened?.ok) return false
  const { documentId, content } = opened.value
  const register = decodeRegister(content, { sequence: chunk.sequence, documentId }, CHECKED_BEFORE)
  if (!register.ok) return false
  const { name, device, body } = register.value
  if (name === KEEP_NAME) return true
  if (name !== CLAIM_NAME || unsettled === undefined) return false
  const { waiting, hasUnclaimed } = unsettled
  if (waiting === undefined || hasUnclaimed || horizons.trustedUntil(device) !== Number.POSITIVE_INFINITY) return true
  const claim = decodeClaim(body)
  return claim.ok && claim.value.own.some(hash => waiting.has(hash))
}

/** The replica checked the signature when the chunk came. */
const CHECKED_BEFORE = { verify: () => true }
