/**
 * Ed25519, strict: S < L, canonical encodings, cofactorless equation, key neither small-order nor with torsion. Two devices
 * must never disagree on a signature, so an implementation may be faster than the portable one but never laxer.
 */
export interface Verifier {
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
}
