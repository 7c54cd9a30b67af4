/**
 * What each device says of the deletions it knows: one register per device, replaced whenever something changed.
 *
 *     name = "gone", body = CBOR {v: 1, gone: [id 16], waiting: [id 16]}, the newest MAX_TOLD of each
 */
import * as v from 'valibot'
import { bytesOf, decodeCbor, encodeCbor } from '../lib/codec.ts'
import { fromHex, toHex } from '../lib/bytes.ts'
import { RANDOM_ID_BYTES, type DeviceId } from '../lib/ids.ts'
import { MAX_REGISTER_BYTES } from '../wire/limits.ts'
import type { DeletionId } from './contract.ts'

export const RECEIPT_NAME = 'gone'

export interface Receipt {
  /** Of its register. */
  readonly sequence: number
  readonly gone: ReadonlySet<DeletionId>
  readonly waiting: ReadonlySet<DeletionId>
}

/** Both newest first. */
export function encodeReceipt(gone: readonly DeletionId[], waiting: readonly DeletionId[]): Uint8Array {
  const packed = (ids: readonly DeletionId[]): readonly Uint8Array[] => ids.slice(0, MAX_TOLD).map(fromHex)
  return encodeCbor({ v: 1, gone: packed(gone), waiting: packed(waiting) })
}

/** The newest of each device stays, whatever order they come in: after writes that failed an older one may come last. */
export function noteReceipt(
  receipts: Map<DeviceId, Receipt>,
  { device, sequence, body }: { readonly device: DeviceId; readonly sequence: number; readonly body: Uint8Array },
): void {
  const decoded = decodeCbor(BODY, body, MAX_REGISTER_BYTES)
  if (!decoded.ok || sequence < (receipts.get(device)?.sequence ?? 0)) return
  receipts.set(device, { sequence, gone: new Set(decoded.value.gone.map(toHex)), waiting: new Set(decoded.value.waiting.map(toHex)) })
}

const MAX_TOLD = 4_096
const IDS = v.array(bytesOf(RANDOM_ID_BYTES))
const BODY = v.object({ v: v.literal(1), gone: IDS, waiting: IDS })
