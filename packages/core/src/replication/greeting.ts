/** The hello of this replica, and what two hellos mean together. */
import { equalBytes } from '../lib/bytes.ts'
import { DOC_TAG_BYTES, idBytes, type ChunkId, type DeviceId, type DocTag } from '../lib/ids.ts'
import { SYNC_VERSION, SYNC_VERSION_MIN, type Hello, type LogSummary } from '../wire/hello.ts'
import type { SessionHost } from './session-host.ts'
import { packIds, sumBytes, unpackIds } from './sync-records.ts'

export type Greeter = Pick<SessionHost, 'history' | 'summary' | 'store' | 'unchecked' | 'leftOut' | 'isKeyless'>

export function helloOf(
  { history, summary, store, unchecked, leftOut, isKeyless }: Greeter,
  peer: DeviceId,
  scope: readonly DocTag[] | undefined,
): Hello {
  const cursor = history.cursorFor(peer)
  return {
    type: 'hello',
    versions: { min: SYNC_VERSION_MIN, current: SYNC_VERSION },
    replica: idBytes(history.id as ChunkId),
    incarnation: idBytes(history.incarnation),
    log: summary.log(),
    root: sumBytes(summary.root()),
    unchecked: unchecked.size,
    arrival: store.lastArrival(),
    ...(cursor === undefined ? {} : { cursor: { incarnation: idBytes(cursor.incarnation), arrival: cursor.arrival } }),
    ...(isKeyless ? { isKeyless } : {}),
    ...(scope === undefined ? {} : { scope: packIds(scope) }),
    ...(leftOut.size === 0 ? {} : { except: packIds([...leftOut]) }),
  }
}

/** `undefined`: neither side limits itself. */
export function commonScope(ours: readonly DocTag[] | undefined, { scope }: Hello): ReadonlySet<DocTag> | undefined {
  const theirs = scope === undefined ? undefined : unpackIds<DocTag>(scope, DOC_TAG_BYTES)
  if (ours === undefined) return theirs && new Set(theirs)
  if (theirs === undefined) return new Set(ours)
  const within = new Set(theirs)
  return new Set(ours.filter(tag => within.has(tag)))
}

export function sameLog(a: LogSummary, b: LogSummary): boolean {
  return a.count === b.count && equalBytes(a.fingerprint, b.fingerprint)
}
