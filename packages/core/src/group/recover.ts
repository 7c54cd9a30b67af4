/**
 * Recovery: whoever has the phrase, the log and the group secret (in a backup, or on a relay boxed to the phrase) brings a machine
 * into the group when no device of it is left, or none that can be trusted.
 */
import { hkdf, openChunk, unwrap, type RecoveryKeys } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { SegueError } from '../lib/errors.ts'
import { deviceIdOf, type GroupId } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { decodeEntry, type SignedEntry } from './entry.ts'
import { SECRET_BYTES } from './epochs.ts'
import { openAny, openGroup, type StoredGroup } from './group.ts'
import type { Group } from './group-interface.ts'
import type { GroupParts, HeldGroup } from './held-group.ts'
import type { GroupDevice } from './reduce.ts'
import type { GroupRecovery, RecoveryPublicKeys } from './trust.ts'

export interface Recovery extends GroupParts, StoredGroup {
  /** Of the phrase in force (`recoveryKeysOf`). */
  readonly keys: RecoveryKeys
  /** The machine that recovers: fresh keys, which the log never had. */
  readonly identity: DeviceIdentity
  /** Which of the devices are lost, and removed. */
  readonly isLost: (device: GroupDevice) => boolean
  /** Of the phrase that takes the place of the one that is used. */
  readonly replacement: RecoveryPublicKeys
  /** Milliseconds since 1970, stamped before the request. */
  readonly time: number
}

export interface Recovered {
  /** The group as this machine, an admin now, holds it. */
  readonly group: Group
  /** To be stored in one batch, and sent on: nothing was told to listeners. */
  readonly written: readonly SignedEntry[]
}

/**
 * Throws SegueError: RECOVERY_PHRASE_BURNED when the phrase is not the one in force, GROUP_ENTRY_REFUSED (`deviceIsNew`) for a machine
 * that was in the group before, GROUP_FULL when so few are lost that it finds no place, and what `openGroup` throws. Nothing is written anywhere unless it returns.
 */
export function recoverGroup({ keys, isLost, replacement, time, secret, entries, id, ...parts }: Recovery): Recovered {
  const onPaper = openOnPaper({ ...parts, keys, secret, entries, id })
  const { devices } = onPaper.state.peek()
  const { identity } = parts
  const before = new Set(onPaper.entries().map(entry => entry.id))
  onPaper.addWaiting({
    keys: { signing: identity.signing.publicKey, sealing: identity.sealing.publicKey },
    role: 'admin',
    name: identity.name,
    time,
  })
  for (const device of devices) if (device.removal === undefined && isLost(device)) onPaper.remove(device.id, { time })
  onPaper.setRecovery(replacement, { time })
  const all = onPaper.entries().map(entry => entry.bytes)
  const group = openGroup({ ...parts, secret, entries: all, id: onPaper.id })
  if (!group.isActive(identity.id)) throw new SegueError('GROUP_FULL')
  group.rotate({ time })
  return { group, written: group.entries().filter(entry => !before.has(entry.id)) }
}

/** The group as the phrase in force holds it, a device of paper. Throws SegueError RECOVERY_PHRASE_BURNED when it is not in force. */
export function openOnPaper({
  keys,
  secret,
  entries,
  id,
  ...parts
}: Omit<GroupParts, 'identity'> & StoredGroup & Pick<Recovery, 'keys'>): HeldGroup {
  const phrase = deviceIdOf(keys.signing.publicKey)
  const group = openAny({ ...parts, identity: { id: phrase, name: 'recovery phrase', ...keys } }, { secret, entries, id })
  if (group.state.peek().recovery?.id !== phrase || !group.holdsKeys()) throw new SegueError('RECOVERY_PHRASE_BURNED')
  return group
}

/** The signed entries in log chunks, and the group that most of them are of. Whoever takes them in verifies them. */
export function entriesIn(
  secret: Uint8Array,
  chunks: readonly SealedChunk[],
): { readonly group: GroupId | undefined; readonly entries: readonly Uint8Array[] } {
  const logKey = hkdf(secret, undefined, 'log-key', SECRET_BYTES)
  const entries = chunks.flatMap(chunk => {
    const opened = openChunk(chunk, logKey)
    const entry = opened.ok ? decodeEntry(opened.value.content) : opened
    return entry.ok ? [entry.value] : []
  })
  const counts = new Map<GroupId, number>()
  for (const { group } of entries) counts.set(group, (counts.get(group) ?? 0) + 1)
  const [most] = [...counts].sort(([, a], [, b]) => b - a)
  return { group: most?.[0], entries: entries.map(entry => entry.bytes) }
}

/** The group secret that a log or a relay keeps for a phrase; undefined when it is for another one. */
export function groupSecretIn({ secretBox }: Pick<GroupRecovery, 'secretBox'>, keys: RecoveryKeys): Uint8Array | undefined {
  return unwrap(secretBox, keys.sealing)
}
