/** Puts the parts of a group together around its genesis. */
import { isAdmissibleKey, isAdmissibleSealingKey } from '../crypto/index.ts'
import { isDeviceName, type DeviceIdentity } from '../identity/index.ts'
import { assert } from '../lib/assert.ts'
import { SegueError } from '../lib/errors.ts'
import { deviceIdOf } from '../lib/ids.ts'
import { createSubject } from '../lib/observable.ts'
import { ok } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_ACTIVE_DEVICES } from '../wire/limits.ts'
import { createAdmission } from './admission.ts'
import type { SignedEntry } from './entry.ts'
import { isSigned, openEnvelope } from './envelope.ts'
import type { EntryOutcome, Group, GroupState, NewDevice } from './group-interface.ts'
import { createGroupLog } from './group-log.ts'
import { openEntry, sealEntry } from './log-chunks.ts'
import { createRelayEntries } from './relay-entries.ts'
import { evaluate, type GroupEvaluation } from './resolve.ts'
import { createTrustEntries } from './trust-entries.ts'

export interface GroupParts {
  readonly identity: DeviceIdentity
  readonly random: Random
  readonly verifier?: Verifier | undefined
  readonly hasher?: Hasher | undefined
  /** A listener that throws is reported here and hurts nobody else. */
  readonly onListenerError?: ((error: unknown) => void) | undefined
}

export interface HeldGroup extends Group {
  /** Whether the entries gave this identity any key at all. */
  holdsKeys(): boolean
  /** As `add`, also where the group is full: the device waits for a place. */
  addWaiting(device: NewDevice): SignedEntry
}

export function holdGroup(parts: GroupParts, genesis: SignedEntry, secret: Uint8Array): HeldGroup {
  const { identity, random, verifier, hasher, onListenerError } = parts
  assert(genesis.content.kind === 'genesis', 'a group is held by its genesis')
  const linkedEntries = createSubject<readonly SignedEntry[]>([], onListenerError)
  const log = createGroupLog({
    identity,
    genesis,
    verifier,
    hasher,
    onLinked(entries) {
      for (const entry of entries) if (!log.evaluation().refused.has(entry.id)) relays.learn(entry)
      trust.learn(entries)
    },
    tell(entries) {
      state.set(stateOf(log.evaluation()))
      linkedEntries.set(entries)
    },
  })
  const { graph } = log
  const relays = createRelayEntries(log, identity, random)
  const trust = createTrustEntries(log, identity, secret, random)
  const state = createSubject<GroupState>(stateOf(log.evaluation()), onListenerError)
  trust.learn([genesis])

  const admits = createAdmission(graph, author => log.evaluation().needsUpdate || log.device(author) !== undefined)
  const { keyring, learn: _, expect: ___, holdsAny, wrapLatest, ...trusted } = trust
  const { learn: __, ...relayed } = relays
  const group: HeldGroup = {
    ...trusted,
    ...relayed,
    id: genesis.group,
    rootDocumentId: genesis.content.rootDocument,
    state,
    keyring,
    secret,
    holdsKeys: holdsAny,
    entries: () => graph.ordered(),
    entry: id => graph.get(id),
    receive(entries) {
      const results = entries.map(bytes => {
        const entry = log.checked(bytes)
        return entry.ok ? ok({ entry: entry.value, known: graph.has(entry.value.id) }) : entry
      })
      log.take(results.flatMap(result => (result.ok && !result.value.known ? [result.value.entry] : [])))
      return results.map((result): EntryOutcome => {
        if (!result.ok) return { kind: 'refused', reason: result.error }
        const { id } = result.value.entry
        if (graph.has(id)) return { kind: result.value.known ? 'known' : 'added', id }
        return graph.isHeld(id) ? { kind: 'held', id } : { kind: 'refused', reason: 'authorWasAdded or no room' }
      })
    },
    mayBelong(entry) {
      const isWorthIt = admits(entry)
      if (isWorthIt && !graph.has(entry.id)) trust.expect(entry)
      return isWorthIt
    },
    onEntries: linkedEntries.subscribe,
    add(device) {
      if (log.evaluation().devices.filter(each => each.active).length >= MAX_ACTIVE_DEVICES) throw new SegueError('GROUP_FULL')
      return group.addWaiting(device)
    },
    addWaiting({ keys, role, name, time }) {
      if (!isDeviceName(name)) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'isDeviceName' })
      if (!isAdmissibleKey(keys.signing) || !isAdmissibleSealingKey(keys.sealing)) {
        throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'keysAreAdmissible' })
      }
      return log.together(() => {
        const wraps = wrapLatest(keys.sealing, time)
        const entry = log.write({ kind: 'add', device: deviceIdOf(keys.signing), sealingKey: keys.sealing, role, name, wraps }, time)
        if (role === 'admin') relays.shareRelayKeys(time)
        return entry
      })
    },
    setRole: (target, role, time) =>
      log.together(() => {
        const entry = log.write({ kind: 'role', target, role }, time)
        if (role === 'admin') relays.shareRelayKeys(time)
        return entry
      }),
    rename(target, name, time) {
      if (!isDeviceName(name)) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'isDeviceName' })
      return log.write({ kind: 'rename', target, name }, time)
    },
    device: log.device,
    isActive: log.isActive,
    path(ids, known) {
      const past = graph.pastOf(ids)
      const theirs = graph.pastOf(known)
      return graph.ordered().filter(entry => past.has(entry.id) && !theirs.has(entry.id))
    },
    entryThatAdded: device =>
      log
        .evaluation()
        .counting.find(({ author, content }) =>
          content.kind === 'add' ? content.device === device : content.kind === 'genesis' && author === device,
        ),
    isSigned: entry => isSigned(entry, verifier),
    evaluateWith(entries) {
      const more: SignedEntry[] = []
      const { devices, needsUpdate, recovery } = log.evaluation()
      const authors = new Set([...devices.map(device => device.id), ...(recovery === undefined ? [] : [recovery.id])])
      let mayHaveAdded = needsUpdate
      for (const bytes of entries) {
        const envelope = openEnvelope(bytes, hasher)
        if (!envelope.ok || !(mayHaveAdded || authors.has(envelope.value.author))) return undefined
        const entry = log.checked(bytes)
        if (!entry.ok) return undefined
        const { content } = entry.value
        if (content.kind === 'add') authors.add(content.device)
        if (content.kind === 'recovery') authors.add(content.key)
        mayHaveAdded ||= content.kind === 'unknown'
        more.push(entry.value)
      }
      return evaluate(genesis.group, [...graph.ordered(), ...more])
    },
    toChunk: entry => sealEntry(entry, { keyring, random, hasher }),
    fromChunk: chunk => openEntry(chunk, genesis.group, log.isGenuine, { keyring, random, hasher }),
  }
  return group
}

function stateOf({ devices, relays, recovery, heads, needsUpdate }: GroupEvaluation): GroupState {
  return { devices, relays, recovery, heads, needsUpdate }
}
