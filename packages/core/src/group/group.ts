/**
 * The group as this device holds it: takes entries, says who belongs, writes entries of its own, holds the keys. Persists nothing:
 * whoever opened it stores each entry as a log chunk (`toChunk`) and the secret in a sealed record.
 */
import {
  GROUP_DOCUMENT_ID,
  isAdmissibleKey,
  isAdmissibleSealingKey,
  isNamedRight,
  openChunk,
  sealChunk,
  sha256,
  signingKeysOf,
  type Keyring,
  type SigningKeys,
} from '../crypto/index.ts'
import { isDeviceName, type DeviceIdentity } from '../identity/index.ts'
import { assert } from '../lib/assert.ts'
import { toHex } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { LOG_EPOCH, deviceIdOf, idBytes, type DeviceId, type EntryId, type GroupId, type MailboxId } from '../lib/ids.ts'
import { createSubject, type Observable } from '../lib/observable.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_ACTIVE_DEVICES, MAX_LOG_ENTRIES, MAX_RELAYS } from '../wire/limits.ts'
import { createAdmission } from './admission.ts'
import { decodeEntry, signEntry, type AdminKeyWrap, type KnownContent, type Role, type SignedEntry } from './entry.ts'
import { isSigned, openEnvelope } from './envelope.ts'
import { SECRET_BYTES, createEpochBox, createEpochs } from './epochs.ts'
import type { GroupDevice, GroupRelay } from './reduce.ts'
import { createRelayKeys, wrapSeed } from './relay-keys.ts'
import { createGroupGraph, evaluate, type GroupEvaluation } from './resolve.ts'
import { brokenRule } from './validate.ts'

export interface GroupState {
  /** Everybody ever added, in order of seniority. */
  readonly devices: readonly GroupDevice[]
  /** Every mailbox ever made, the retired ones too, in the order in which they were made. */
  readonly relays: readonly GroupRelay[]
  readonly heads: readonly EntryId[]
  /** The log holds something this version does not understand: whatever would write is refused with GROUP_NEWER. */
  readonly needsUpdate: boolean
}

export type EntryOutcome =
  | { readonly kind: 'added'; readonly id: EntryId }
  | { readonly kind: 'known'; readonly id: EntryId }
  /** A parent is missing; it joins when the parent arrives. */
  | { readonly kind: 'held'; readonly id: EntryId }
  | { readonly kind: 'refused'; readonly reason: string }

export interface NewDevice {
  readonly keys: { readonly signing: Uint8Array; readonly sealing: Uint8Array }
  readonly role: Role
  readonly name: string
  /** Milliseconds since 1970, stamped before the request. */
  readonly time: number
}

export interface NewRelay {
  readonly relay: DeviceId
  readonly addresses: readonly string[]
  readonly mailbox: MailboxId
  /** 32 bytes: of the key that signs the mailbox's member lists. Wrapped here for every active admin. */
  readonly adminSeed: Uint8Array
  readonly time: number
}

export interface Group {
  readonly id: GroupId
  /** 16 bytes: the index of everything. */
  readonly rootDocumentId: Uint8Array
  readonly state: Observable<GroupState>
  readonly keyring: Keyring
  /** 32 bytes. Given to each new member, sealed at rest, never sent in the clear. */
  readonly secret: Uint8Array
  /** Every entry kept, causes before effects. */
  entries(): readonly SignedEntry[]
  entry(id: EntryId): SignedEntry | undefined
  /** Verifies and links signed entries in any order; one outcome each. Never throws for anything in them. */
  receive(entries: readonly Uint8Array[]): readonly EntryOutcome[]
  /** Whether a verified entry is worth storing: it can be of this group, now or when its parents are here, and has room. */
  mayBelong(entry: SignedEntry): boolean
  /** Calls `listener` with entries newly linked, received or written here, causes before effects: to be stored and sent on. */
  onEntries(listener: (entries: readonly SignedEntry[]) => void): () => void
  /** Adds a device and wraps every maximal epoch for it. Throws SegueError: GROUP_ENTRY_REFUSED, GROUP_FULL, GROUP_NEWER. */
  add(device: NewDevice): SignedEntry
  setRole(target: DeviceId, role: Role, time: number): SignedEntry
  rename(target: DeviceId, name: string, time: number): SignedEntry
  /** Names a mailbox made on a relay. Throws SegueError: GROUP_ENTRY_REFUSED, GROUP_NEWER, as do the next three. */
  addRelay(relay: NewRelay): SignedEntry
  /** Says where a relay is now. */
  moveRelay(mailbox: MailboxId, addresses: readonly string[], time: number): SignedEntry
  /** The mailbox is not used any more, for good. */
  retireRelay(mailbox: MailboxId, time: number): SignedEntry
  /**
   * Wraps the admin keys held here for the active admins they were not wrapped for yet. Promoting does it at once; this is for an admin
   * promoted while a mailbox was made elsewhere. Writes nothing when nothing is missing or this device is no admin.
   */
  shareRelayKeys(time: number): readonly SignedEntry[]
  /** The key that signs a mailbox's member lists, when this device was given it. */
  relayAdminKeys(mailbox: MailboxId): SigningKeys | undefined
  device(id: DeviceId): GroupDevice | undefined
  isActive(device: DeviceId): boolean
  /** The causal past of `ids` without that of `known`, causes before effects; ids not here are ignored. */
  path(ids: Iterable<EntryId>, known: Iterable<EntryId>): readonly SignedEntry[]
  /** The entry by which a device belongs. */
  entryThatAdded(device: DeviceId): SignedEntry | undefined
  /**
   * What the log would say with these entries too, without taking them. They come causes before effects; undefined as soon as one is not
   * signed or of somebody nobody added, so that whoever brings them costs at most one check of a signature that does not hold.
   */
  evaluateWith(entries: readonly Uint8Array[]): GroupEvaluation | undefined
  toChunk(entry: SignedEntry): SealedChunk
  /** The signed entry in a log chunk, verified and compared with the chunk's id; for `receive`. */
  fromChunk(chunk: SealedChunk): Result<Uint8Array, string>
}

interface Parts {
  readonly identity: DeviceIdentity
  readonly random: Random
  readonly verifier?: Verifier | undefined
  readonly hasher?: Hasher | undefined
  /** A listener that throws is reported here and hurts nobody else. */
  readonly onListenerError?: ((error: unknown) => void) | undefined
}

/** A new group with this device as its first member and only admin. */
export function foundGroup({ time, ...parts }: Parts & { readonly time: number }): Group {
  const { identity, random } = parts
  const genesis = signEntry(
    {
      group: undefined,
      parents: [],
      time,
      content: {
        kind: 'genesis',
        name: identity.name,
        sealingKey: identity.sealing.publicKey,
        rootDocument: random.bytes(16),
        box: createEpochBox(identity.sealing.publicKey, random),
      },
    },
    identity.signing,
  )
  return holdGroup(parts, genesis, random.bytes(SECRET_BYTES))
}

/**
 * The group again, from its secret and its entries in any order. Throws SegueError: GROUP_NEWER when the genesis is of a later version,
 * NOT_A_MEMBER when the entries do not add this device or give it no key, GROUP_ENTRY_REFUSED when there is not exactly one genesis
 * (give `id` where there may be several).
 */
export function openGroup({
  secret,
  entries,
  id,
  ...parts
}: Parts & { readonly secret: Uint8Array; readonly entries: readonly Uint8Array[]; readonly id?: GroupId | undefined }): Group {
  const roots = entries.flatMap(bytes => {
    const entry = decodeEntry(bytes, parts.hasher)
    if (!entry.ok || entry.value.parents.length > 0 || (id !== undefined && entry.value.group !== id)) return []
    return isSigned(entry.value, parts.verifier) ? [entry.value] : []
  })
  const [genesis, ...others] = new Map(roots.map(root => [root.id, root])).values()
  if (genesis === undefined || others.length > 0) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'oneGenesis' })
  if (genesis.content.kind !== 'genesis') throw new SegueError('GROUP_NEWER')
  const group = holdGroup(parts, genesis, secret)
  group.receive(entries)
  if (group.device(parts.identity.id) === undefined) throw new SegueError('NOT_A_MEMBER')
  group.keyring.current()
  return group
}

function holdGroup({ identity, random, verifier, hasher, onListenerError }: Parts, genesis: SignedEntry, secret: Uint8Array): Group {
  assert(genesis.content.kind === 'genesis', 'a group is held by its genesis')
  const graph = createGroupGraph(genesis.group)
  const epochs = createEpochs(identity, secret)
  const relayKeys = createRelayKeys(identity)
  const genuine = new Set<string>()
  const linkedEntries = createSubject<readonly SignedEntry[]>([], onListenerError)
  graph.add(genesis)
  epochs.learn(genesis, graph.positionOf(genesis.id))
  let evaluation = graph.evaluation()
  const state = createSubject<GroupState>(stateOf(evaluation), onListenerError)

  const take = (entries: readonly SignedEntry[]): void => {
    const linked = graph
      .addAll(entries)
      .filter(({ entry, outcome }) => outcome === 'linked' && graph.has(entry.id))
      .map(({ entry }) => entry)
    if (linked.length === 0) return
    evaluation = graph.evaluation()
    for (const entry of linked) {
      if (evaluation.refused.has(entry.id)) continue
      epochs.learn(entry, graph.positionOf(entry.id))
      relayKeys.learn(entry)
    }
    state.set(stateOf(evaluation))
    linkedEntries.set(linked)
  }
  const checked = (bytes: Uint8Array): Result<SignedEntry, string> => {
    const envelope = openEnvelope(bytes, hasher)
    if (!envelope.ok) return envelope
    if (envelope.value.group !== genesis.group) return failed('of another group')
    const known = graph.get(envelope.value.id)
    if (known !== undefined) return ok(known) // the same unsigned bytes were verified before
    const entry = decodeEntry(bytes, hasher)
    return !entry.ok || isGenuine(entry.value) ? entry : failed('bad signature')
  }
  /** Remembers what was verified: an entry is checked once as a chunk and once more when it is received. */
  const isGenuine = (entry: SignedEntry): boolean => {
    const name = toHex(sha256(entry.bytes, hasher))
    if (genuine.has(name)) return true
    if (!isSigned(entry, verifier)) return false
    if (genuine.size >= MAX_LOG_ENTRIES) genuine.clear()
    genuine.add(name)
    return true
  }
  const deviceById = (id: DeviceId): GroupDevice | undefined => evaluation.devices.find(device => device.id === id)

  const write = (content: KnownContent, time: number): SignedEntry => {
    if (evaluation.needsUpdate) throw new SegueError('GROUP_NEWER')
    const draft = { group: genesis.group, parents: graph.parentsFor(content), time, content }
    const entry = signEntry(draft, identity.signing)
    const rule = brokenRule(entry, graph.pastFacts(entry))
    if (rule !== undefined) throw new SegueError('GROUP_ENTRY_REFUSED', { rule })
    take([entry])
    if (!graph.has(entry.id)) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'logHasRoom' })
    return entry
  }

  const relayIn = (mailbox: MailboxId): GroupRelay => {
    const relay = evaluation.relays.find(each => each.mailbox === mailbox)
    if (relay === undefined) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'mailboxIsKnown' })
    return relay
  }
  const activeAdmins = (): readonly GroupDevice[] => evaluation.devices.filter(each => each.active && each.role === 'admin')
  const sayRelay = ({ id, ...relay }: GroupRelay, wraps: readonly AdminKeyWrap[], time: number): SignedEntry =>
    write(
      {
        kind: 'relay',
        relay: id,
        addresses: relay.addresses,
        mailbox: relay.mailbox,
        adminKey: relay.adminKey,
        wraps,
        retired: relay.retired,
      },
      time,
    )
  const shareRelayKeys = (time: number): readonly SignedEntry[] => {
    if (evaluation.needsUpdate || !activeAdmins().some(({ id }) => id === identity.id)) return []
    return evaluation.relays.flatMap(relay => {
      const seed = relay.retired ? undefined : relayKeys.seedOf(relay.adminKey)
      const lacking = activeAdmins().filter(({ id }) => !relay.keyHolders.includes(id))
      return seed === undefined || lacking.length === 0 ? [] : [sayRelay(relay, wrapSeed(seed, lacking, random), time)]
    })
  }

  return {
    id: genesis.group,
    rootDocumentId: genesis.content.rootDocument,
    state,
    keyring: epochs.keyring,
    secret,
    entries: () => graph.ordered(),
    entry: id => graph.get(id),
    receive(entries) {
      const results = entries.map(bytes => {
        const entry = checked(bytes)
        return entry.ok ? ok({ entry: entry.value, known: graph.has(entry.value.id) }) : entry
      })
      take(results.flatMap(result => (result.ok && !result.value.known ? [result.value.entry] : [])))
      return results.map((result): EntryOutcome => {
        if (!result.ok) return { kind: 'refused', reason: result.error }
        const { id } = result.value.entry
        if (graph.has(id)) return { kind: result.value.known ? 'known' : 'added', id }
        return graph.isHeld(id) ? { kind: 'held', id } : { kind: 'refused', reason: 'authorWasAdded or no room' }
      })
    },
    mayBelong: createAdmission(graph, author => evaluation.needsUpdate || deviceById(author) !== undefined),
    onEntries: linkedEntries.subscribe,
    add({ keys, role, name, time }) {
      if (evaluation.devices.filter(device => device.active).length >= MAX_ACTIVE_DEVICES) throw new SegueError('GROUP_FULL')
      if (!isDeviceName(name)) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'isDeviceName' })
      if (!isAdmissibleKey(keys.signing) || !isAdmissibleSealingKey(keys.sealing)) {
        throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'keysAreAdmissible' })
      }
      const wraps = epochs.wrapAll(keys.sealing, random)
      const entry = write({ kind: 'add', device: deviceIdOf(keys.signing), sealingKey: keys.sealing, role, name, wraps }, time)
      if (role === 'admin') shareRelayKeys(time)
      return entry
    },
    setRole(target, role, time) {
      const entry = write({ kind: 'role', target, role }, time)
      if (role === 'admin') shareRelayKeys(time)
      return entry
    },
    rename(target, name, time) {
      if (!isDeviceName(name)) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'isDeviceName' })
      return write({ kind: 'rename', target, name }, time)
    },
    addRelay({ relay, addresses, mailbox, adminSeed, time }) {
      if (evaluation.relays.filter(each => !each.retired).length >= MAX_RELAYS) {
        throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'relaysHaveRoom' })
      }
      const adminKey = signingKeysOf(adminSeed).publicKey
      return write(
        { kind: 'relay', relay, addresses, mailbox, adminKey, wraps: wrapSeed(adminSeed, activeAdmins(), random), retired: false },
        time,
      )
    },
    moveRelay: (mailbox, addresses, time) => sayRelay({ ...relayIn(mailbox), addresses }, [], time),
    retireRelay: (mailbox, time) => sayRelay({ ...relayIn(mailbox), retired: true }, [], time),
    shareRelayKeys,
    relayAdminKeys(mailbox) {
      const relay = evaluation.relays.find(each => each.mailbox === mailbox)
      const seed = relay === undefined ? undefined : relayKeys.seedOf(relay.adminKey)
      return seed === undefined ? undefined : signingKeysOf(seed)
    },
    device: deviceById,
    isActive: id => deviceById(id)?.active === true,
    path(ids, known) {
      const past = graph.pastOf(ids)
      const theirs = graph.pastOf(known)
      return graph.ordered().filter(entry => past.has(entry.id) && !theirs.has(entry.id))
    },
    entryThatAdded: device =>
      evaluation.counting.find(({ author, content }) =>
        content.kind === 'add' ? content.device === device : content.kind === 'genesis' && author === device,
      ),
    evaluateWith(entries) {
      const more: SignedEntry[] = []
      const authors = new Set(evaluation.devices.map(device => device.id))
      let mayHaveAdded = evaluation.needsUpdate
      for (const bytes of entries) {
        const envelope = openEnvelope(bytes, hasher)
        if (!envelope.ok || !(mayHaveAdded || authors.has(envelope.value.author))) return undefined
        const entry = checked(bytes)
        if (!entry.ok) return undefined
        if (entry.value.content.kind === 'add') authors.add(entry.value.content.device)
        mayHaveAdded ||= entry.value.content.kind === 'unknown'
        more.push(entry.value)
      }
      return evaluate(genesis.group, [...graph.ordered(), ...more])
    },
    toChunk: entry =>
      sealChunk({
        keys: epochs.keyring,
        epoch: LOG_EPOCH,
        epochSecret: epochs.keyring.logKey,
        class: 'log',
        documentId: GROUP_DOCUMENT_ID,
        contentKey: idBytes(entry.id),
        sequence: 0,
        content: entry.bytes,
        random,
        ...(hasher === undefined ? {} : { hasher }),
      }),
    fromChunk(chunk) {
      if (chunk.class !== 'log') return failed('not a log chunk')
      const opened = openChunk(chunk, epochs.keyring.logKey)
      if (!opened.ok) return opened
      const entry = decodeEntry(opened.value.content, hasher)
      if (!entry.ok) return entry
      if (entry.value.group !== genesis.group) return failed('of another group')
      if (!isNamedRight(chunk, epochs.keyring, opened.value.documentId, idBytes(entry.value.id), hasher))
        return failed('not what its id says')
      return isGenuine(entry.value) ? ok(opened.value.content) : failed('bad signature')
    },
  }
}

function stateOf({ devices, relays, heads, needsUpdate }: GroupEvaluation): GroupState {
  return { devices, relays, heads, needsUpdate }
}
