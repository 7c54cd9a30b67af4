/** The only part of pairing that knows the group: what the old device gives, and what the new one checks before it believes it. */
import {
  encodeAdmission,
  encodeLogRun,
  encodePairingFrame,
  MAX_PAIRING_LOG_BYTES,
  PAIRING_LOG_FRAME_BYTES,
  type Admission,
} from '../wire/pairing-messages.ts'
import { openGroup, type Group, type SignedEntry } from '../group/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { equalBytes } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { hexId, idBytes, publicKeyOf, type DeviceId, type EntryId, type EpochId, type GroupId } from '../lib/ids.ts'
import type { Random } from '../ports/random.ts'
import { groupHintOf, type PairingPayload } from './payload.ts'
import { sealPart } from './transcript.ts'

export interface Newcomer {
  readonly device: DeviceId
  readonly sealingKey: Uint8Array
  readonly name: string
}

/** What the new device holds once it is in. */
export interface Joined {
  readonly groupId: GroupId
  readonly groupSecret: Uint8Array
  /** Signed entries, a parent before its children: everything `openGroup` needs. */
  readonly entries: readonly Uint8Array[]
  readonly inviter: DeviceId
  /** Where the inviter was reached. */
  readonly addresses: readonly string[]
}

/** Throws SegueError GROUP_NEWER or NEEDS_ADMIN: better now than after a person has typed digits. */
export function checkMayAdmit(group: Group, self: DeviceId): void {
  if (group.state.peek().needsUpdate) throw new SegueError('GROUP_NEWER')
  const device = group.device(self)
  if (device?.active !== true || device.role !== 'admin') throw new SegueError('NEEDS_ADMIN')
}

/**
 * Adds the newcomer as a member. One that is in already (it was admitted, and the link broke before it had everything) gets no
 * second entry. Throws SegueError.
 */
export function admitDevice(group: Group, { device, sealingKey, name }: Newcomer, time: number): SignedEntry {
  if (group.isActive(device)) {
    const entry = group.entryThatAdded(device)
    if (entry?.content.kind === 'add' && equalBytes(entry.content.sealingKey, sealingKey)) return entry
    throw new SegueError('PAIRING_ALREADY_MEMBER')
  }
  return group.add({ keys: { signing: publicKeyOf(device), sealing: sealingKey }, role: 'member', name, time })
}

/** m3 and the log, ready to send; the log is the whole of it, so that the newcomer can judge every entry by itself. */
export function welcomeFrames(options: {
  readonly group: Group
  readonly device: DeviceId
  readonly signature: Uint8Array
  readonly key: Uint8Array
  readonly random: Random
}): readonly Uint8Array[] {
  const { group, device, signature, key, random } = options
  const add = group.entryThatAdded(device)
  if (add === undefined) throw new SegueError('NOT_A_MEMBER')
  // Asked first: after two removals at once it writes an entry, which the newcomer needs.
  const { epoch } = group.keyring.current()
  const entries = group.entries().map(entry => entry.bytes)
  const runs = runsOf(entries)
  const admission: Admission = {
    add: add.bytes,
    heads: group.state.peek().heads.map(idBytes),
    groupSecret: group.secret,
    epoch: idBytes(epoch),
    entries: entries.length,
    frames: runs.length,
    signature,
  }
  return [
    encodePairingFrame({ v: 1, type: 'welcome', sealed: sealPart(key, 'admission', encodeAdmission(admission), random) }),
    ...runs.map((run, index) =>
      encodePairingFrame({ v: 1, type: 'log', index, sealed: sealPart(key, `log/${index}`, encodeLogRun(run), random) }),
    ),
  ]
}

/** Opens the group from what came and holds it against m3 and the payload. `undefined` when anything is not as promised. */
export function checkWelcome(options: {
  readonly identity: DeviceIdentity
  readonly random: Random
  readonly payload: PairingPayload
  readonly admission: Admission
  readonly entries: readonly Uint8Array[]
}): Joined | undefined {
  const { identity, random, payload, admission, entries } = options
  const { device: inviter, addresses, ephemeralKey, groupHint } = payload
  const group = openOrRefuse(identity, random, admission, entries)
  if (group === undefined) return undefined
  const { heads } = group.state.peek()
  const promised = new Set(admission.heads.map(head => hexId<EntryId>(head)))
  const add = group.entryThatAdded(identity.id)
  const rules = {
    groupIsTheOneShown: equalBytes(groupHintOf(group.id, ephemeralKey), groupHint),
    logIsWhole: heads.length === promised.size && heads.every(head => promised.has(head)),
    inviterBelongs: group.isActive(inviter),
    thisDeviceBelongs: group.isActive(identity.id),
    addIsTheOneSent: add !== undefined && equalBytes(add.bytes, admission.add),
    epochCanBeOpened: group.keyring.secretOf(hexId<EpochId>(admission.epoch)) !== undefined,
  }
  if (!Object.values(rules).every(Boolean)) return undefined
  return { groupId: group.id, groupSecret: admission.groupSecret, entries, inviter, addresses }
}

function openOrRefuse(identity: DeviceIdentity, random: Random, admission: Admission, entries: readonly Uint8Array[]): Group | undefined {
  try {
    return openGroup({ identity, random, secret: admission.groupSecret, entries })
  } catch {
    return undefined // entries that are no group: the caller refuses, with one answer for everything that can be wrong with them
  }
}

function runsOf(entries: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const runs: Uint8Array[][] = []
  let room = 0
  let total = 0
  for (const entry of entries) {
    total += entry.length
    if (room < entry.length) {
      runs.push([])
      room = PAIRING_LOG_FRAME_BYTES
    }
    room -= entry.length
    runs.at(-1)?.push(entry)
  }
  if (total > MAX_PAIRING_LOG_BYTES)
    throw new RangeError(`a log of more than ${MAX_PAIRING_LOG_BYTES} bytes cannot be given to a new device`)
  return runs
}
