/** Everything the rest of core may ask of cryptography; tweetnacl and noble are imported in this folder only. */
export { PURPOSES } from './purposes.ts'
export type { Purpose } from './purposes.ts'
export { labelledHash, labelledHmac, portableHasher, sha256 } from './hash.ts'
export type { HashPart } from './hash.ts'
export { hkdf, scryptKey } from './kdf.ts'
export { SIGNATURE_BYTES, SIGNING_SEED_BYTES, createSigningKeys, isAdmissibleKey, portableVerifier, sign, signingKeysOf, verify } from './sign.ts'
export type { SigningKeys } from './sign.ts'
export {
  SEALING_KEY_BYTES,
  WRAP_OVERHEAD_BYTES,
  createSealingKeys,
  isAdmissibleSealingKey,
  sealingKeysOf,
  sharedSecret,
  unwrap,
  wrapFor,
} from './box.ts'
export type { SealingKeys } from './box.ts'
export type { ChunkKeys, Keyring } from './keyring.ts'
export {
  CHUNK_HEADER_BYTES,
  CHUNK_VERSION,
  DOCUMENT_ID_BYTES,
  GROUP_DOCUMENT_ID,
  chunkIdOf,
  docTagOf,
  isNamedRight,
  openChunk,
  parseChunk,
  parseHeader,
  sealChunk,
} from './seal.ts'
export type { ChunkToSeal, OpenedChunk } from './seal.ts'
export { openRecord, sealRecord } from './record.ts'
export { decodeRegister, encodeRegister, registerContentKey } from './register.ts'
export type { Register } from './register.ts'
export { padmeLength } from './padding.ts'
