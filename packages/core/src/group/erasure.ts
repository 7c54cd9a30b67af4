/** What a removed device signs when it hears that it was removed: that it knows, and whether it wiped what it held of the group. */
import { sign, verify } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { deviceIdOf, hexId, idBytes, publicKeyOf, type DeviceId, type EntryId, type GroupId } from '../lib/ids.ts'
import type { Verifier } from '../ports/verifier.ts'
import { decodeGroupMessage, encodeGroupMessage, erasureRecord, signedErasure } from '../wire/group-messages.ts'

export interface Erasure {
  readonly group: GroupId
  readonly removal: EntryId
  readonly device: DeviceId
  /** It says that it wiped what it held; that is its word, nobody can check it. */
  readonly erased: boolean
  /** Milliseconds since 1970 on its own clock. */
  readonly time: number
}

/** The signed frame; also what is kept of it. */
export function signErasure(erasure: Omit<Erasure, 'device'>, { signing }: Pick<DeviceIdentity, 'signing'>): Uint8Array {
  const record = encodeGroupMessage({
    v: 1,
    group: idBytes(erasure.group),
    removal: idBytes(erasure.removal),
    device: signing.publicKey,
    erased: erasure.erased,
    time: erasure.time,
  })
  return encodeGroupMessage({ v: 1, record, signature: sign('erase-receipt', record, signing) })
}

/** Undefined for anything that the device it names did not sign. */
export function readErasure(frame: Uint8Array, verifier?: Verifier): Erasure | undefined {
  const outer = decodeGroupMessage(signedErasure, frame)
  const inner = outer.ok ? decodeGroupMessage(erasureRecord, outer.value.record) : outer
  if (!outer.ok || !inner.ok) return undefined
  const { group, removal, device, erased, time } = inner.value
  const id = deviceIdOf(device)
  if (!verify('erase-receipt', outer.value.record, outer.value.signature, publicKeyOf(id), verifier)) return undefined
  return { group: hexId<GroupId>(group), removal: hexId<EntryId>(removal), device: id, erased, time }
}
