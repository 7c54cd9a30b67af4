/** Everything the rest of core may ask of cryptography; tweetnacl and noble are imported in this folder only. */
export { labelledHash, labelledHmac, sha256 } from './hash.ts'
export { hkdf } from './kdf.ts'
export {
  SIGNATURE_BYTES,
  SIGNING_SEED_BYTES,
  createSigningKeys,
  isAdmissibleKey,
  portableVerifier,
  sign,
  signingKeysOf,
  verify,
} from './sign.ts'
export type { SigningKeys } from './sign.ts'
export { SEALING_KEY_BYTES, createSealingKeys, isAdmissibleSealingKey, sharedSecret, unwrap, wrapFor } from './box.ts'
export type { Keyring } from './keyring.ts'
export { DOCUMENT_ID_BYTES, GROUP_DOCUMENT_ID, chunkIdOf, docTagOf, isNamedRight, openChunk, sealChunk } from './seal.ts'
export type { OpenedChunk } from './seal.ts'
export { openRecord, sealRecord } from './record.ts'
export { createGroupRegisters } from './group-registers.ts'
export type { GroupRegistersComponents } from './group-registers.ts'
export { decodeRegister, encodeRegister, registerContentKey } from './register.ts'
export { createRecoveryPhrase, recoveryKeysOf } from './recovery-phrase.ts'
export type { RecoveryKeys } from './recovery-phrase.ts'
