/**
 * The group as this device holds it: takes entries, says who belongs, writes entries of its own, holds the keys. Persists nothing:
 * whoever opened it stores each entry as a log chunk (`toChunk`) and the secret in a sealed record.
 */
import { SegueError } from '../lib/errors.ts'
import type { GroupId } from '../lib/ids.ts'
import { decodeEntry, signEntry, type SignedEntry } from './entry.ts'
import { isSigned } from './envelope.ts'
import { SECRET_BYTES, firstEpoch } from './epochs.ts'
import type { Group } from './group-interface.ts'
import { holdGroup, type GroupParts, type HeldGroup } from './held-group.ts'

export interface StoredGroup {
  readonly secret: Uint8Array
  /** In any order. */
  readonly entries: readonly Uint8Array[]
  /** To be given where entries of several groups may be among them. */
  readonly id?: GroupId | undefined
}

/** A new group with this device as its first member and only admin. */
export function foundGroup({ time, ...parts }: GroupParts & { readonly time: number }): Group {
  const { identity, random } = parts
  const content = {
    kind: 'genesis',
    name: identity.name,
    sealingKey: identity.sealing.publicKey,
    rootDocument: random.bytes(16),
    ...firstEpoch(identity.sealing.publicKey, random),
  } as const
  return holdGroup(parts, signEntry({ group: undefined, parents: [], time, content }, identity.signing), random.bytes(SECRET_BYTES))
}

/**
 * The group again, from its secret and its entries in any order. Throws SegueError: GROUP_NEWER when the genesis is of a later version,
 * NOT_A_MEMBER when the entries give this device no key, GROUP_ENTRY_REFUSED when there is not exactly one genesis (give `id` where
 * there may be several). A device that was removed, or whose adding was voided, opens its group as well: to see that it is out.
 */
export function openGroup({ secret, entries, id, ...parts }: GroupParts & StoredGroup): Group {
  const group = openAny(parts, { secret, entries, id })
  if (!group.holdsKeys()) throw new SegueError('NOT_A_MEMBER')
  return group
}

/** As `openGroup`, for whoever need not be a member: the holder of a recovery phrase. */
export function openAny(parts: GroupParts, { secret, entries, id }: StoredGroup): HeldGroup {
  const group = holdGroup(parts, genesisIn(entries, id, parts), secret)
  group.receive(entries)
  return group
}

function genesisIn(entries: readonly Uint8Array[], id: GroupId | undefined, { hasher, verifier }: GroupParts): SignedEntry {
  const roots = entries.flatMap(bytes => {
    const entry = decodeEntry(bytes, hasher)
    if (!entry.ok || entry.value.parents.length > 0 || (id !== undefined && entry.value.group !== id)) return []
    return isSigned(entry.value, verifier) ? [entry.value] : []
  })
  const [genesis, ...others] = new Map(roots.map(root => [root.id, root])).values()
  if (genesis === undefined || others.length > 0) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'oneGenesis' })
  if (genesis.content.kind !== 'genesis') throw new SegueError('GROUP_NEWER')
  return genesis
}
