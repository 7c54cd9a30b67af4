/** The group's entries as this device holds them: checks, links, remembers what they say together, writes its own. */
import { sha256 } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { toHex } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import type { DeviceId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_LOG_ENTRIES } from '../wire/limits.ts'
import { decodeEntry, signEntry, type EntryContent, type KnownContent, type SignedEntry } from './entry.ts'
import { isSigned, openEnvelope } from './envelope.ts'
import type { GroupDevice } from './reduce.ts'
import { createGroupGraph, type GroupEvaluation, type GroupGraph } from './resolve.ts'
import { brokenRule } from './validate.ts'

export interface GroupLog {
  readonly graph: GroupGraph
  evaluation(): GroupEvaluation
  device(id: DeviceId): GroupDevice | undefined
  activeAdmins(): readonly GroupDevice[]
  isActive(id: DeviceId): boolean
  /** A signed entry of this group. */
  checked(bytes: Uint8Array): Result<SignedEntry, string>
  /** Whether the author signed it; asked once for each entry. */
  isGenuine(entry: SignedEntry): boolean
  take(entries: readonly SignedEntry[]): void
  /** Signs an entry that follows all others and takes it. Throws SegueError: GROUP_ENTRY_REFUSED, GROUP_NEWER. */
  write(content: KnownContent, time: number): SignedEntry
  /** What is taken and written meanwhile is told at once at the end. */
  together<Made>(task: () => Made): Made
  /** The greatest time that an entry says: information, never decides anything. */
  lastTime(): number
}

interface Parts {
  readonly identity: DeviceIdentity
  readonly genesis: SignedEntry
  readonly verifier?: Verifier | undefined
  readonly hasher?: Hasher | undefined
  /** Newly linked entries, causes before effects, before anybody is told. */
  readonly onLinked: (entries: readonly SignedEntry[]) => void
  readonly tell: (entries: readonly SignedEntry[]) => void
}

/** Takes the genesis without telling anybody. */
export function createGroupLog({ identity, genesis, verifier, hasher, onLinked, tell }: Parts): GroupLog {
  const graph = createGroupGraph(genesis.group)
  const genuine = new Set<string>()
  graph.add(genesis)
  let evaluation = graph.evaluation()
  let devices = byId(evaluation)
  let lastTime = genesis.time
  let isTogether = false
  let untold: SignedEntry[] = []

  const together = <Made>(task: () => Made): Made => {
    if (isTogether) return task()
    isTogether = true
    try {
      return task()
    } finally {
      isTogether = false
      const entries = untold
      untold = []
      if (entries.length > 0) tell(entries)
    }
  }
  const log: GroupLog = {
    graph,
    evaluation: () => evaluation,
    device: id => devices.get(id),
    activeAdmins: () => evaluation.devices.filter(each => each.active && each.role === 'admin'),
    isActive: id => devices.get(id)?.active === true,
    checked(bytes) {
      const envelope = openEnvelope(bytes, hasher)
      if (!envelope.ok) return envelope
      if (envelope.value.group !== genesis.group) return failed('of another group')
      const known = graph.get(envelope.value.id)
      if (known !== undefined) return ok(known) // the same unsigned bytes were verified before
      const entry = decodeEntry(bytes, hasher)
      return !entry.ok || log.isGenuine(entry.value) ? entry : failed('bad signature')
    },
    isGenuine(entry) {
      const name = toHex(sha256(entry.bytes, hasher))
      if (genuine.has(name)) return true
      if (!isSigned(entry, verifier)) return false
      if (genuine.size >= MAX_LOG_ENTRIES) genuine.clear()
      genuine.add(name)
      return true
    },
    take(entries) {
      const linked = graph
        .addAll(entries)
        .filter(({ entry, outcome }) => outcome === 'linked' && graph.has(entry.id))
        .map(({ entry }) => entry)
      if (linked.length === 0) return
      evaluation = graph.evaluation()
      devices = byId(evaluation)
      lastTime = linked.reduce((last, { time }) => Math.max(last, time), lastTime)
      onLinked(linked)
      untold.push(...linked)
      together(() => undefined)
    },
    write(content, time) {
      if (evaluation.needsUpdate && !isWrittenWhileFrozen(content)) throw new SegueError('GROUP_NEWER')
      const draft = { group: genesis.group, parents: graph.parentsFor(content), time, content }
      const entry = signEntry(draft, identity.signing)
      const rule = brokenRule(entry, graph.pastFacts(entry))
      if (rule !== undefined) throw new SegueError('GROUP_ENTRY_REFUSED', { rule })
      log.take([entry])
      if (!graph.has(entry.id)) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'logHasRoom' })
      return entry
    },
    together,
    lastTime: () => lastTime,
  }
  return log
}

/** A device that does not understand the whole log may still close a door, and must still be able to seal. */
function isWrittenWhileFrozen({ kind }: EntryContent): boolean {
  return kind === 'remove' || kind === 'rotate' || kind === 'wrap'
}

function byId(evaluation: GroupEvaluation): ReadonlyMap<DeviceId, GroupDevice> {
  return new Map(evaluation.devices.map(device => [device.id, device]))
}
