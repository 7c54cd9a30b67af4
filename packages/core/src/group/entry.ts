/**
 * What group entries of version 1 say. Kinds that this version does not know and entries of a later version are of kind 'unknown':
 * verified, kept and forwarded; while there is one of an admin's the device changes nothing but by removing.
 */
import * as v from 'valibot'
import { SEALING_KEY_BYTES, isAdmissibleKey, isAdmissibleSealingKey, type SigningKeys } from '../crypto/index.ts'
import { deviceName } from '../identity/index.ts'
import { bytesOf, bytesUpTo } from '../lib/codec.ts'
import { EPOCH_ID_BYTES, PUBLIC_KEY_BYTES, deviceIdOf, hexId, idBytes, publicKeyOf } from '../lib/ids.ts'
import type { DeviceId, EntryId, EpochId, GroupId, MailboxId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import { MAX_RELAY_ADDRESSES } from '../wire/limits.ts'
import { MAILBOX_ID_BYTES, relayAddress } from '../wire/relay-messages.ts'
import { ENTRY_VERSION, openEnvelope, signEnvelope } from './envelope.ts'

export type Role = 'admin' | 'member'

/** An epoch's secret: wrapped for one device (crypto/box), or sealed under a later epoch's. */
export interface EpochWrap {
  readonly epoch: EpochId
  readonly box: Uint8Array
}

/** A secret wrapped for one device (crypto/box): the seed of a mailbox's admin key, or an epoch's secret. */
export interface DeviceWrap {
  readonly device: DeviceId
  readonly box: Uint8Array
}

/** An epoch as the entry that makes it says it; it is named after that entry. */
export interface NewEpoch {
  /** Of its secret: whoever opens a wrap knows whether all others got the same. */
  readonly check: Uint8Array
  /** Secrets of earlier epochs, sealed under this one's: who holds it can open what came before. */
  readonly parents: readonly EpochWrap[]
  readonly wraps: readonly DeviceWrap[]
}

export type EntryContent =
  /** The author is the first device, an admin; the entry makes the first epoch, wrapped for itself. */
  | {
      readonly kind: 'genesis'
      readonly name: string
      readonly sealingKey: Uint8Array
      readonly rootDocument: Uint8Array
      readonly box: Uint8Array
      /** As of `NewEpoch`; the first groups did not say it. */
      readonly check?: Uint8Array | undefined
    }
  | {
      readonly kind: 'add'
      readonly device: DeviceId
      readonly sealingKey: Uint8Array
      readonly role: Role
      readonly name: string
      /** Of every epoch that has no successor in the entry's past. */
      readonly wraps: readonly EpochWrap[]
    }
  | { readonly kind: 'role'; readonly target: DeviceId; readonly role: Role }
  | { readonly kind: 'rename'; readonly target: DeviceId; readonly name: string }
  /** A mailbox of the group on a relay. Said again: other addresses, the admin key for more admins, or that it is not used any more. */
  | {
      readonly kind: 'relay'
      readonly relay: DeviceId
      readonly addresses: readonly string[]
      readonly mailbox: MailboxId
      readonly adminKey: Uint8Array
      readonly wraps: readonly DeviceWrap[]
      readonly retired: boolean
    }
  /** The target is out for good; the epoch is for those who stay. */
  | { readonly kind: 'remove'; readonly target: DeviceId; readonly epoch: NewEpoch }
  | { readonly kind: 'rotate'; readonly epoch: NewEpoch }
  /** For a device that an epoch's maker did not know of. */
  | { readonly kind: 'wrap'; readonly epoch: EpochId; readonly device: DeviceId; readonly box: Uint8Array }
  /** The public halves of the recovery phrase; an earlier phrase is burned. */
  | {
      readonly kind: 'recovery'
      readonly key: DeviceId
      readonly sealingKey: Uint8Array
      /** Of every epoch that has no successor in what the author knows. */
      readonly wraps: readonly EpochWrap[]
      /** The group secret, wrapped for the sealing key. */
      readonly secretBox: Uint8Array
    }
  | { readonly kind: 'unknown'; readonly name: string; readonly version: number }

export interface SignedEntry {
  readonly id: EntryId
  readonly group: GroupId
  readonly author: DeviceId
  readonly parents: readonly EntryId[]
  readonly time: number
  readonly content: EntryContent
  /** The signed form, as received; this is what is kept, sent and verified. */
  readonly bytes: Uint8Array
}

export type KnownContent = Exclude<EntryContent, { kind: 'unknown' }>

/** Size and shape only; whether it is signed is asked of `isSigned`. */
export function decodeEntry(bytes: Uint8Array, hasher?: Hasher): Result<SignedEntry, string> {
  const envelope = openEnvelope(bytes, hasher)
  if (!envelope.ok) return envelope
  const { id, version, group, author, parents, kind, body, time } = envelope.value
  const content =
    version === ENTRY_VERSION && isKnownKind(kind) ? readBody(kind, body) : ({ kind: 'unknown', name: kind, version } as const)
  return content === undefined ? failed(`entry: wrong shape of ${kind}`) : ok({ id, group, author, parents, time, content, bytes })
}

/** Signs an entry. The genesis has neither group nor parents. */
export function signEntry(
  entry: {
    readonly group: GroupId | undefined
    readonly parents: readonly EntryId[]
    readonly time: number
    readonly content: KnownContent
  },
  keys: SigningKeys,
): SignedEntry {
  const { group, parents, time, content } = entry
  const decoded = decodeEntry(signEnvelope({ group, parents, time, kind: content.kind, body: writeBody(content) }, keys))
  if (!decoded.ok) throw new RangeError(decoded.error)
  return decoded.value
}

type KnownKind = KnownContent['kind']

const role = v.picklist(['admin', 'member'])
const admissibleKey = v.pipe(bytesOf(PUBLIC_KEY_BYTES), v.check(isAdmissibleKey, 'inadmissible key'))
const sealingKey = v.pipe(bytesOf(SEALING_KEY_BYTES), v.check(isAdmissibleSealingKey, 'inadmissible sealing key'))
// A wrapped 32-byte secret has 105 bytes; the rest is room for later forms of wrap.
const box = bytesUpTo(512)
export const MAX_WRAPS = 64
/** Epochs that one epoch follows. */
export const MAX_EPOCH_PARENTS = 256

const check = bytesOf(32)
const epochWraps = v.array(v.strictObject({ epoch: bytesOf(EPOCH_ID_BYTES), box }))
const deviceWraps = v.array(v.strictObject({ device: bytesOf(PUBLIC_KEY_BYTES), box }))

const GENESIS = v.strictObject({ name: deviceName, sealing: sealingKey, root: bytesOf(16), box, check: v.optional(check) })
const ADD = v.strictObject({
  signing: admissibleKey,
  sealing: sealingKey,
  role,
  name: deviceName,
  wraps: v.pipe(epochWraps, v.maxLength(MAX_WRAPS)),
})
const ROLE = v.strictObject({ target: bytesOf(PUBLIC_KEY_BYTES), role })
const RENAME = v.strictObject({ target: bytesOf(PUBLIC_KEY_BYTES), name: deviceName })
const RELAY = v.strictObject({
  relay: admissibleKey,
  addresses: v.pipe(v.array(relayAddress), v.maxLength(MAX_RELAY_ADDRESSES)),
  mailbox: bytesOf(MAILBOX_ID_BYTES),
  adminKey: admissibleKey,
  wraps: v.pipe(deviceWraps, v.maxLength(MAX_WRAPS)),
  retired: v.boolean(),
})
const EPOCH = v.strictObject({
  check,
  parents: v.pipe(epochWraps, v.maxLength(MAX_EPOCH_PARENTS)),
  wraps: v.pipe(deviceWraps, v.maxLength(MAX_WRAPS)),
})
const REMOVE = v.strictObject({ target: bytesOf(PUBLIC_KEY_BYTES), epoch: EPOCH })
const ROTATE = v.strictObject({ epoch: EPOCH })
const WRAP = v.strictObject({ epoch: bytesOf(EPOCH_ID_BYTES), device: bytesOf(PUBLIC_KEY_BYTES), box })
const RECOVERY = v.strictObject({
  signing: admissibleKey,
  sealing: sealingKey,
  wraps: v.pipe(epochWraps, v.maxLength(MAX_WRAPS)),
  secret: box,
})

const READERS: Readonly<Record<KnownKind, (body: unknown) => KnownContent | undefined>> = {
  genesis(body) {
    const read = v.safeParse(GENESIS, body)
    if (!read.success) return undefined
    const { name, sealing, root, box: wrapped, check: said } = read.output
    return { kind: 'genesis', name, sealingKey: sealing, rootDocument: root, box: wrapped, check: said }
  },
  add(body) {
    const read = v.safeParse(ADD, body)
    if (!read.success) return undefined
    const { signing, sealing, role: given, name, wraps } = read.output
    return { kind: 'add', device: deviceIdOf(signing), sealingKey: sealing, role: given, name, wraps: readEpochWraps(wraps) }
  },
  role(body) {
    const read = v.safeParse(ROLE, body)
    return read.success ? { kind: 'role', target: deviceIdOf(read.output.target), role: read.output.role } : undefined
  },
  rename(body) {
    const read = v.safeParse(RENAME, body)
    return read.success ? { kind: 'rename', target: deviceIdOf(read.output.target), name: read.output.name } : undefined
  },
  relay(body) {
    const read = v.safeParse(RELAY, body)
    if (!read.success) return undefined
    const { relay, addresses, mailbox, adminKey, wraps, retired } = read.output
    return {
      kind: 'relay',
      relay: deviceIdOf(relay),
      addresses,
      mailbox: hexId<MailboxId>(mailbox),
      adminKey,
      wraps: readDeviceWraps(wraps),
      retired,
    }
  },
  remove(body) {
    const read = v.safeParse(REMOVE, body)
    return read.success ? { kind: 'remove', target: deviceIdOf(read.output.target), epoch: readEpoch(read.output.epoch) } : undefined
  },
  rotate(body) {
    const read = v.safeParse(ROTATE, body)
    return read.success ? { kind: 'rotate', epoch: readEpoch(read.output.epoch) } : undefined
  },
  wrap(body) {
    const read = v.safeParse(WRAP, body)
    if (!read.success) return undefined
    const { epoch, device, box: wrapped } = read.output
    return { kind: 'wrap', epoch: hexId<EpochId>(epoch), device: deviceIdOf(device), box: wrapped }
  },
  recovery(body) {
    const read = v.safeParse(RECOVERY, body)
    if (!read.success) return undefined
    const { signing, sealing, wraps, secret } = read.output
    return { kind: 'recovery', key: deviceIdOf(signing), sealingKey: sealing, wraps: readEpochWraps(wraps), secretBox: secret }
  },
}

function readEpoch({ check: said, parents, wraps }: v.InferOutput<typeof EPOCH>): NewEpoch {
  return { check: said, parents: readEpochWraps(parents), wraps: readDeviceWraps(wraps) }
}

function readEpochWraps(wraps: v.InferOutput<typeof epochWraps>): readonly EpochWrap[] {
  return wraps.map(wrap => ({ epoch: hexId<EpochId>(wrap.epoch), box: wrap.box }))
}

function readDeviceWraps(wraps: v.InferOutput<typeof deviceWraps>): readonly DeviceWrap[] {
  return wraps.map(wrap => ({ device: deviceIdOf(wrap.device), box: wrap.box }))
}

function writeEpoch({ check: said, parents, wraps }: NewEpoch): unknown {
  return { check: said, parents: writeEpochWraps(parents), wraps: writeDeviceWraps(wraps) }
}

function writeEpochWraps(wraps: readonly EpochWrap[]): unknown {
  return wraps.map(wrap => ({ epoch: idBytes(wrap.epoch), box: wrap.box }))
}

function writeDeviceWraps(wraps: readonly DeviceWrap[]): unknown {
  return wraps.map(wrap => ({ device: publicKeyOf(wrap.device), box: wrap.box }))
}

function isKnownKind(kind: string): kind is KnownKind {
  return Object.hasOwn(READERS, kind)
}

function readBody(kind: KnownKind, body: unknown): KnownContent | undefined {
  return READERS[kind](body)
}

function writeBody(content: KnownContent): unknown {
  switch (content.kind) {
    case 'genesis':
      return {
        name: content.name,
        sealing: content.sealingKey,
        root: content.rootDocument,
        box: content.box,
        ...(content.check === undefined ? {} : { check: content.check }),
      }
    case 'add':
      return {
        signing: publicKeyOf(content.device),
        sealing: content.sealingKey,
        role: content.role,
        name: content.name,
        wraps: writeEpochWraps(content.wraps),
      }
    case 'role':
      return { target: publicKeyOf(content.target), role: content.role }
    case 'rename':
      return { target: publicKeyOf(content.target), name: content.name }
    case 'relay':
      return {
        relay: publicKeyOf(content.relay),
        addresses: content.addresses,
        mailbox: idBytes(content.mailbox),
        adminKey: content.adminKey,
        wraps: writeDeviceWraps(content.wraps),
        retired: content.retired,
      }
    case 'remove':
      return { target: publicKeyOf(content.target), epoch: writeEpoch(content.epoch) }
    case 'rotate':
      return { epoch: writeEpoch(content.epoch) }
    case 'wrap':
      return { epoch: idBytes(content.epoch), device: publicKeyOf(content.device), box: content.box }
    case 'recovery':
      return {
        signing: publicKeyOf(content.key),
        sealing: content.sealingKey,
        wraps: writeEpochWraps(content.wraps),
        secret: content.secretBox,
      }
  }
}
