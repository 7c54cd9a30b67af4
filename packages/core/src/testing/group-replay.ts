/**
 * The rules of group/SPEC.md once more, by brute force: every set of entries is judged by replaying it from the start, every entry by
 * replaying its whole past. No joins, no memory, nothing shared with the code that it checks but the entries' shape.
 */
import type { SignedEntry } from '../group/index.ts'
import type { DeviceId, EntryId } from '../lib/ids.ts'

/** What a log says, to be compared as it is. */
export interface Told {
  readonly devices: readonly string[]
  readonly relays: readonly string[]
  readonly recovery: string | undefined
  readonly counting: readonly EntryId[]
  readonly removals: readonly EntryId[]
  readonly needsUpdate: boolean
}

interface Device {
  readonly adds: EntryId[]
  addedBy: string
  name: string
  role: string
  /** Each word on its role, in the order. */
  readonly words: (readonly [EntryId, string])[]
}

interface State {
  /** In order of seniority. */
  readonly devices: Map<DeviceId, Device>
  readonly removed: Map<DeviceId, EntryId>
  readonly relays: Map<string, { made: string; address: string; retired: boolean }>
  readonly named: Map<DeviceId, EntryId[]>
  /** Of phrases: where in the order the device was added that named the first in its line. */
  readonly seniority: Map<DeviceId, number>
  recovery: { key: DeviceId; order: readonly [number, number, number] } | undefined
  isFrozen: boolean
}

type Voids = (id: EntryId) => boolean

/** Entries with causes before effects, all of one group, its genesis first. */
export function replayLog(entries: readonly SignedEntry[]): Told {
  const byId = new Map(entries.map(entry => [entry.id, entry]))
  const entryOf = (id: EntryId): SignedEntry => byId.get(id) as SignedEntry
  const pasts = new Map<EntryId, ReadonlySet<EntryId>>()
  const depths = new Map<EntryId, number>()
  for (const { id, parents } of entries) {
    depths.set(id, Math.max(-1, ...parents.map(parent => depths.get(parent) as number)) + 1)
    pasts.set(id, new Set(parents.flatMap(parent => [parent, ...(pasts.get(parent) as ReadonlySet<EntryId>)])))
  }
  const pastOf = (id: EntryId): ReadonlySet<EntryId> => pasts.get(id) as ReadonlySet<EntryId>
  const order = [...entries].sort((a, b) => (depths.get(a.id) as number) - (depths.get(b.id) as number) || (a.id < b.id ? -1 : 1))
  const place = new Map(order.map(({ id }, i) => [id, i]))
  const placeOf = (id: EntryId): number => place.get(id) as number

  const kept = new Set<EntryId>()
  const counts = new Set<EntryId>()
  const grounds = new Map<EntryId, readonly (readonly EntryId[])[]>()
  const removals = new Map<
    EntryId,
    { target: DeviceId; rank: readonly number[]; leaves: readonly [DeviceId, readonly (readonly EntryId[])[]][] }
  >()

  const replay = (among: ReadonlySet<EntryId>, isVoid: Voids): State => {
    const state: State = {
      devices: new Map(),
      removed: new Map(),
      relays: new Map(),
      named: new Map(),
      seniority: new Map(),
      recovery: undefined,
      isFrozen: false,
    }
    for (const { id, author, content } of order) {
      if (!among.has(id) || !counts.has(id) || isVoid(id)) continue
      const before = (): State => replay(new Set([...pastOf(id)].filter(each => among.has(each))), isVoid)
      if (content.kind === 'genesis') {
        state.devices.set(author, { adds: [id], addedBy: author, name: content.name, role: 'admin', words: [[id, 'admin']] })
      }
      if (content.kind === 'add') {
        const { device, name, role } = content
        const known = state.devices.get(device) ?? { adds: [], addedBy: author, name, role, words: [] }
        state.devices.set(device, known)
        known.adds.push(id)
        known.words.push([id, role])
        Object.assign(known, { name, role })
      }
      if (content.kind === 'remove') {
        const rival = state.removed.get(content.target)
        if (rival === undefined || compare(rankOf(id), rankOf(rival)) < 0) state.removed.set(content.target, id)
      }
      if (content.kind === 'relay') {
        const known = state.relays.get(content.mailbox)
        const retired = known?.retired === true || content.retired
        state.relays.set(content.mailbox, { made: known?.made ?? content.relay, address: content.addresses.join(), retired })
      }
      if (content.kind === 'recovery') {
        const past = before()
        const order3 = [(past.recovery?.order[0] ?? 0) + 1, past.named.has(author) ? 1 : 0, placeOf(id)] as const
        if (state.recovery === undefined || compare(order3, state.recovery.order) > 0) state.recovery = { key: content.key, order: order3 }
        const senior = past.seniority.get(author) ?? placeOf(past.devices.get(author)?.adds[0] ?? id)
        state.seniority.set(content.key, Math.min(senior, state.seniority.get(content.key) ?? Infinity))
        state.named.set(content.key, [...(state.named.get(content.key) ?? []), id])
      }
      if (content.kind === 'unknown' && adminsOf(before()).includes(author)) state.isFrozen = true
      const target = 'target' in content ? state.devices.get(content.target) : undefined
      if (target !== undefined && content.kind === 'role') {
        target.role = content.role
        target.words.push([id, content.role])
      }
      if (target !== undefined && content.kind === 'rename') target.name = content.name
    }
    return state
  }
  const rankOf = (id: EntryId): readonly number[] => removals.get(id)?.rank ?? []

  /** Which removals of a set prevail, and what they void. */
  const resolve = (among: ReadonlySet<EntryId>): { isVoid: Voids; prevailing: readonly EntryId[] } => {
    const all = [...among].filter(id => removals.has(id))
    const byDevices = all.filter(id => rankOf(id)[0] === 1 && removals.get(id)?.target !== entryOf(id).author)
    const alone = settle(byDevices, [])
    const namings = all.filter(id => rankOf(id)[0] === 0).flatMap(id => (grounds.get(id) ?? []).flat())
    return settle(
      all,
      namings.filter(id => alone.isVoid(id)),
    )
  }
  const settle = (all: readonly EntryId[], fallenBefore: readonly EntryId[]): { isVoid: Voids; prevailing: readonly EntryId[] } => {
    const prevailing: EntryId[] = []
    const fallen = new Set<EntryId>(fallenBefore)
    const safe = new Map<EntryId, number>()
    const isVoid: Voids = id => {
      if (fallen.has(id)) return true
      const { author } = entryOf(id)
      const struck = prevailing.some(
        (removal, turn) =>
          removals.get(removal)?.target === author && removal !== id && !pastOf(removal).has(id) && turn < (safe.get(id) ?? Infinity),
      )
      return struck || !stands(grounds.get(id) ?? [], isVoid)
    }
    const groundOf = (id: EntryId): readonly EntryId[] => (isVoid(id) ? [] : [id, ...(grounds.get(id) ?? []).flat().flatMap(groundOf)])
    const ranked = [...all].sort((a, b) => compare(rankOf(a), rankOf(b)))
    for (const id of ranked) {
      if (isVoid(id)) {
        fallen.add(id)
        continue
      }
      const ground = groundOf(id).filter(each => !safe.has(each))
      const turn = prevailing.length
      for (const each of ground) safe.set(each, turn)
      prevailing.push(id)
      const leaves = removals.get(id)?.leaves ?? []
      const isOut = (device: DeviceId): boolean => prevailing.some(each => removals.get(each)?.target === device)
      if (leaves.length === 0 || leaves.some(([device, on]) => !isOut(device) && stands(on, isVoid))) continue
      prevailing.pop()
      for (const each of ground) safe.delete(each)
      fallen.add(id)
    }
    return { isVoid, prevailing }
  }

  for (const entry of order) {
    const { id, author, content } = entry
    const past = pastOf(id)
    if ([...past].some(each => !kept.has(each))) continue
    const { isVoid } = resolve(past)
    const state = replay(past, isVoid)
    const { devices, named } = state
    const isMember = (device: DeviceId): boolean => devices.has(device) && !state.removed.has(device)
    const isPhrase = (device: DeviceId): boolean => state.recovery?.key === device
    if (content.kind !== 'genesis' && !devices.has(author) && !named.has(author) && !state.isFrozen) continue
    kept.add(id)
    const leads = adminsOf(state).includes(author) || isPhrase(author)
    const acts = isMember(author) || isPhrase(author)
    const leavesOne = 'target' in content && (isPhrase(author) || adminsOf(state).some(device => device !== content.target))
    const allowed: Readonly<Record<typeof content.kind, () => boolean>> = {
      genesis: () => true,
      unknown: () => acts,
      add: () => leads && content.kind === 'add' && !devices.has(content.device) && !named.has(content.device),
      role: () => leads && content.kind === 'role' && isMember(content.target) && (content.role === 'admin' || leavesOne),
      rename: () => acts && content.kind === 'rename' && devices.has(content.target) && (leads || content.target === author),
      relay: () => leads && content.kind === 'relay' && (state.relays.get(content.mailbox)?.made ?? content.relay) === content.relay,
      remove: () => leads && content.kind === 'remove' && isMember(content.target) && leavesOne,
      rotate: () => acts,
      wrap: () => acts && content.kind === 'wrap' && (isMember(content.device) || isPhrase(content.device)),
      recovery: () => leads && content.kind === 'recovery' && !devices.has(content.key) && !named.has(content.key),
    }
    if (!allowed[content.kind]()) continue
    counts.add(id)
    const asMember = (device: DeviceId): readonly EntryId[] => devices.get(device)?.adds ?? []
    const asAdmin = (device: DeviceId): readonly EntryId[] => {
      const words = devices.get(device)?.words ?? []
      const since = words.slice(words.findLastIndex(([, role]) => role === 'member') + 1)
      const made = words.filter(([, role]) => role === 'admin')
      return (since.length > 0 ? since : made.slice(0, 1)).map(([word]) => word)
    }
    const byRole =
      ['add', 'role', 'relay', 'remove', 'recovery'].includes(content.kind) || (content.kind === 'rename' && content.target !== author)
    if (content.kind === 'genesis') grounds.set(id, [])
    else if (isPhrase(author)) grounds.set(id, [named.get(author) ?? []])
    else grounds.set(id, byRole ? [asMember(author), asAdmin(author)] : [asMember(author)])
    const byPhrase = named.get(author)?.[0]
    if (content.kind !== 'remove' && (content.kind !== 'recovery' || byPhrase === undefined)) continue
    const target = content.kind === 'remove' ? content.target : author
    const since = byPhrase ?? devices.get(author)?.adds[0] ?? id
    const left = byPhrase === undefined ? adminsOf(state).filter(device => device !== target) : []
    removals.set(id, {
      target,
      rank: [byPhrase === undefined ? 1 : 0, state.seniority.get(author) ?? placeOf(since), placeOf(since), placeOf(id)],
      leaves: left.map(device => [device, [asMember(device), asAdmin(device)]] as const),
    })
  }
  const { isVoid, prevailing } = resolve(kept)
  const state = replay(kept, isVoid)
  const admins = adminsOf(state)
  return {
    devices: [...state.devices].map(([id, { role, name, addedBy }]) =>
      [id, admins.includes(id) ? 'admin' : role, name, addedBy, state.removed.get(id) ?? 'in'].join(),
    ),
    relays: [...state.relays].map(([id, { made, address, retired }]) => [id, made, address, retired].join()).sort(),
    recovery: state.recovery?.key,
    counting: order.filter(({ id }) => kept.has(id) && counts.has(id) && !isVoid(id)).map(({ id }) => id),
    removals: prevailing.filter(id => entryOf(id).content.kind === 'remove'),
    needsUpdate: state.isFrozen,
  }
}

function adminsOf({ devices, removed }: State): readonly DeviceId[] {
  const present = [...devices].filter(([id]) => !removed.has(id))
  const admins = present.filter(([, { role }]) => role === 'admin')
  const former = present.filter(([, { words }]) => words.some(([, role]) => role === 'admin')).slice(0, 1)
  return (admins.length > 0 ? admins : former).map(([id]) => id)
}

function stands(on: readonly (readonly EntryId[])[], isVoid: Voids): boolean {
  return on.every(ground => ground.some(id => !isVoid(id)))
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i])
  return at < 0 ? 0 : (a[at] as number) - (b[at] as number)
}
