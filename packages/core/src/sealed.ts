/**
 * What works on sealed bytes: ids, the wire, records, identities, mailboxes and replication. net, storage and the relay are made of this.
 * A relay starts a third faster than with all of core, so nothing here may import Automerge.
 */
export { ERROR_TABLE, SegueError, isSegueError, type ErrorCode, type ErrorEntry, type Retry } from './lib/errors.ts'
export { concatBytes, equalBytes, fromHex, fromUtf8, plainBytes, toHex, utf8 } from './lib/bytes.ts'
export { createCloseables, openOrCleanUp, type Closeable, type Closeables } from './lib/closeables.ts'
export { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber, type DecodeFailure } from './lib/codec.ts'
export { deviceIdOf, hexId, idBytes, isDeviceId, isHexId, publicKeyOf, RANDOM_ID_BYTES } from './lib/ids.ts'
export type {
  ChunkId,
  DeviceId,
  DocTag,
  EntryId,
  EpochId,
  GroupId,
  HandoffId,
  Incarnation,
  MailboxId,
  SessionId,
  TraceId,
} from './lib/ids.ts'
export { labelledHmac } from './crypto/hash.ts'
export { openRecord, sealRecord } from './crypto/record.ts'
export { parseChunk } from './crypto/seal.ts'
export { isAdmissibleKey, portableSigner, SIGNATURE_BYTES, SIGNING_SEED_BYTES, signingKeysOf } from './crypto/sign.ts'
export { createSubject, type Observable, type Subject } from './lib/observable.ts'
export { failed, ok, type Result } from './lib/result.ts'
export { DAY_MS, HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS } from './lib/units.ts'
export {
  CHANNELS,
  GROUP_PROTOCOL,
  PAIRING_PROTOCOL,
  PROTOCOL_OF,
  RELAY_PROTOCOL,
  RENDEZVOUS_PROTOCOL,
  type Channel,
} from './wire/channels.ts'
export { CLOSE_CODES, closeCodeOf, type CloseCode } from './wire/close-codes.ts'
export * from './wire/limits.ts'
export * from './wire/relay-messages.ts'
export * from './wire/rendezvous-messages.ts'
export { createIdentity, decodeIdentity, encodeIdentity, isDeviceName, type DeviceIdentity } from './identity/index.ts'
export * from './mailbox/index.ts'
export { createReplica, createRoom, keylessInspector, RETIRED_KEPT_MS } from './replication/index.ts'
export type { Durability, PeerSync, Replica, Room } from './replication/index.ts'
